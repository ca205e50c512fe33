"""What every role promises: variables that are told of, and a front page that is short."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from control_plane.trial.places import CLONE

ROLES = sorted(one.parents[1] for one in (CLONE / "ansible" / "roles").glob("*/tasks/main.yml"))
LONGEST_FRONT = 30


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] | None = YAML(typ="safe").load(path) if path.exists() else None
    return found or {}


def specified(role: Path) -> dict[str, Any]:
    specs = read(role / "meta" / "argument_specs.yml")["argument_specs"]
    options: dict[str, Any] | None = specs["main"].get("options")
    return options or {}


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_every_variable_is_told_of_in_the_defaults_and_in_the_specification(role: Path) -> None:
    options = specified(role)
    defaults = read(role / "defaults" / "main.yml")
    required = {name for name, one in options.items() if one.get("required")}
    assert set(defaults) <= set(options)
    # One that is better not defined stands in a comment.
    text = (role / "defaults" / "main.yml").read_text() if set(options) - required else ""
    assert [name for name in set(options) - required if f"{name}:" not in text] == []
    told = {name: one["default"] for name, one in options.items() if "default" in one}
    assert told == {name: defaults[name] for name in told}


def test_every_variable_is_ours_by_its_name(role: Path) -> None:
    files = [role / "defaults" / "main.yml", *(role / "vars").glob("*.yml")]
    names = [name for file in files for name in read(file)]
    assert [name for name in names if not name.startswith("remoteapp_")] == []


def test_the_front_of_a_role_names_its_parts_and_no_more(role: Path) -> None:
    assert len((role / "tasks" / "main.yml").read_text().splitlines()) <= LONGEST_FRONT
