"""The house keeps its shape: who may import whom, and how large a room may grow."""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "control_plane"
LARGEST_MODULE = 400
MEDIAN_FUNCTION = 10
USE_CASES = {
    "acts",
    "addresses",
    "administration",
    "auth",
    "catalogue",
    "declared",
    "departures",
    "enforcement",
    "entering",
    "home_files",
    "granting",
    "image_checks",
    "images",
    "imports",
    "lifecycle",
    "messages",
    "newcomers",
    "operators",
    "passages",
    "rules",
    "sessions",
    "sharing",
    "signing_in",
    "throttle",
    "usage",
}
# layer -> the layers of ours that it may import
MAY = {
    "domain": {"domain", "errors"},
    "usecases": {"domain", "errors", "usecases"},
    "adapters": {"domain", "errors", "adapters"},
    "settings": {"domain", "errors", "settings"},
    "errors": set(),
    "installed": {"domain", "errors", "adapters", "settings"},
    "engine_parts": {"domain", "errors", "adapters", "settings", "installed"},
    "plane": {"domain", "errors", "adapters", "settings", "installed", "engine_parts"},
    "web": {"domain", "errors", "usecases", "web", "version"},
    "cli": {"domain", "errors", "usecases", "adapters", "settings", "installed", "plane", "web",
            "cli", "checks", "doctor", "engine_door", "engine_parts", "forwarder", "pam_door",
            "trial", "version"},
    "checks": {"domain", "errors", "adapters", "checks"},
    "pam_door": {"domain", "errors", "adapters", "pam_door"},
    "doctor": {"domain", "errors", "usecases", "adapters", "settings", "installed", "doctor",
               "engine_door", "engine_parts"},
    "engine_door": {"domain", "errors", "adapters", "engine_door"},
    "forwarder": {"domain", "errors", "forwarder"},
    "trial": {"domain", "errors", "adapters", "settings", "trial"},
    "version": set(),
}  # fmt: skip


def layer(module: str) -> str:
    words = module.split(".")
    room = words[1] if len(words) > 1 else "version"
    return "usecases" if room in USE_CASES else room


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "control_plane":
            yield from (_whole(one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _whole(name: str) -> str:
    return "control_plane" if name.startswith("__") else f"control_plane.{name}"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_arrows_point_inwards(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    ours = {one for one in imported(path) if one.split(".")[0] == "control_plane"}
    wrong = {one for one in ours if layer(one) not in MAY[layer(name.removesuffix(".__init__"))]}
    assert not wrong


@pytest.mark.parametrize("path", sorted((ROOT / "domain").glob("*.py")), ids=str)
def test_the_domain_knows_the_standard_library_only(path: Path) -> None:

    roots = {one.split(".")[0] for one in imported(path)} - {"control_plane"}
    assert roots <= sys.stdlib_module_names


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_is_read_in_one_sitting_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LARGEST_MODULE
    assert ast.get_docstring(ast.parse(text))


def test_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
