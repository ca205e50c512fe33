"""What the documents promise, the code has; what the code has, the documents tell of."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

from control_plane.cli.control_plane import VERBS
from control_plane.cli.remoteappdb import cli as remoteappdb
from control_plane.cli.remoteapprest import cli as remoteapprest
from control_plane.domain.entities import Policy
from control_plane.engine_door.rules_file import RuleFile
from control_plane.settings import Settings
from control_plane.web.app import API

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "control_plane" / "README.md").read_text()
README = (ROOT / "README.md").read_text()


def settings(model: type[BaseModel] = Settings, above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = above + (field.alias or name)
        kinds = (field.annotation, *get_args(field.annotation))
        sections = [one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)]
        if sections:
            yield from settings(sections[0], f"{key}.")
        else:
            yield key


def documented(chapter_name: str) -> set[str]:
    """Return the keys of the table in a chapter of the guide."""
    chapter = GUIDE.split(f"\n{chapter_name}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in chapter.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([a-z_.]+)`", row)}


def test_every_setting_is_documented_and_none_that_is_not_there() -> None:
    assert documented("## Settings") == set(settings())


def test_every_rule_of_the_engines_door_is_documented_and_none_that_is_not_there() -> None:
    assert documented("## The engine's door") == set(settings(RuleFile))


@pytest.mark.parametrize("field", [one.name for one in fields(Policy)])
def test_every_field_of_a_policy_is_documented(field: str) -> None:
    assert f"| `{field}` |" in GUIDE


def commands(text: str, name: str) -> set[tuple[str, ...]]:
    """Return the verbs of a command that a document types, in its examples."""
    lines = [line.split() for line in text.splitlines() if line.startswith(f"{name} ")]
    return {tuple(words[1:]) for words in lines}


@pytest.mark.parametrize(
    ("name", "group"), [("remoteappdb", remoteappdb), ("remoteapprest", remoteapprest)]
)
def test_every_command_line_in_the_guide_is_one_that_exists(
    name: str, group: click.Command
) -> None:
    typed = commands(GUIDE, name)
    assert typed
    for words in typed:
        found: click.Command = group
        rest = list(words)
        while isinstance(found, click.Group):
            verb = rest.pop(0)
            assert verb in found.commands, f"{name} {' '.join(words)}"
            found = found.commands[verb]
        flags = {flag for option in found.params for flag in option.opts + option.secondary_opts}
        assert {word for word in rest if word.startswith("--")} <= flags | {"--help"}


def test_the_verbs_of_the_service_are_importable() -> None:
    from control_plane.cli.control_plane import main  # noqa: PLC0415 - a group of lazy verbs

    context = click.Context(main)
    assert [main.get_command(context, verb) is not None for verb in VERBS] == [True] * len(VERBS)


def test_the_folders_that_the_readme_shows_are_there() -> None:
    chapter = README.split("## Where things are")[1].split("\n## ")[0]
    shown = re.findall(r"^\| `([a-z_]+)/` \|", chapter, re.MULTILINE)
    assert shown
    assert all((ROOT / one).is_dir() for one in shown)


def test_the_make_targets_that_the_readme_types_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert typed <= targets


def test_every_path_of_the_api_says_what_it_does() -> None:
    assert all(operation.summary and operation.answers for operation in API)
