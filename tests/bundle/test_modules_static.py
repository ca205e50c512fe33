"""The modules as Ansible reads them, without a portal: what is documented is what is taken."""

import ast
import importlib
import importlib.util
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bundle.playing import MODULES
from ruamel.yaml import YAML

import ansible.module_utils
from control_plane.domain import applications, policy_fields
from control_plane.domain.entities import Application, Policy
from control_plane.domain.policy import as_fields
from control_plane.trial.places import CLONE, command
from control_plane.web import admin_schemas

LIBRARY = CLONE / "ansible" / "library"
MODULE_UTILS = CLONE / "ansible" / "module_utils"
SECRETS = {"token", "password", "app_license"}
# What the modules are made with: parts of Python's own library that every version has, and Ansible.
PACKAGES = {"__future__", "ansible", "collections", "dataclasses", "json", "re", "time", "typing"}
SPECIFIED = ("type", "elements", "choices", "default", "required")


@pytest.fixture(scope="module", autouse=True)
def _shared_code() -> Iterator[None]:
    """Let the modules find what they share where Ansible finds it: beside the playbooks."""
    path = ansible.module_utils.__path__
    path.append(str(MODULE_UTILS))
    yield
    path.remove(str(MODULE_UTILS))


@pytest.fixture(params=MODULES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def loaded(name: str) -> ModuleType:
    """Return a module as Python has it."""
    spec = importlib.util.spec_from_file_location(name, LIBRARY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options(name: str) -> dict[str, Any]:
    """Return what a module takes, the portal's address and so on among it."""
    shared = importlib.import_module("ansible.module_utils.remoteapp")
    found: dict[str, Any] = {**shared.CONNECTION, **loaded(name).OPTIONS}
    return found


def rendered(name: str) -> dict[str, Any]:
    """Return what ansible-doc makes of a module."""
    words = [command("ansible-doc"), "--module-path", str(LIBRARY), "--json", name]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)[name]
    assert done.stderr == ""
    return found


def specification(option: dict[str, Any], children: str) -> dict[str, Any]:
    """Return an option in the words that documentation and code have in common."""
    found = {key: option[key] for key in SPECIFIED if option.get(key) not in (None, False)}
    if option.get(children):
        inner = option[children].items()
        found["options"] = {key: specification(one, children) for key, one in inner}
    return found


def test_every_module_of_the_library_is_tested() -> None:
    assert sorted(one.stem for one in LIBRARY.glob("*.py")) == sorted(MODULES)


def test_what_a_module_takes_is_what_its_documentation_says(name: str) -> None:
    documented = rendered(name)["doc"]["options"]
    said = {key: specification(one, "suboptions") for key, one in documented.items()}
    assert said == {key: specification(one, "options") for key, one in options(name).items()}


def test_every_option_and_every_value_that_is_returned_is_described(name: str) -> None:
    found = rendered(name)
    told = {**found["doc"]["options"], **found["return"]}
    for option in found["doc"]["options"].values():
        told |= option.get("suboptions", {})
    assert [key for key, one in told.items() if not one["description"]] == []


def test_exactly_the_secrets_are_kept_from_every_log(name: str) -> None:
    taken = options(name)
    taken |= taken.get("policy", {}).get("options", {})
    assert {key for key, one in taken.items() if one.get("no_log")} == SECRETS & set(taken)


def test_the_examples_of_a_module_use_options_that_it_has(name: str) -> None:
    tasks = YAML(typ="safe").load(rendered(name)["examples"])
    used = [task[name] for task in tasks]
    assert [set(one) - set(options(name)) for one in used] == [set()] * len(used)
    policies = [set(one["policy"]) for one in used if "policy" in one]
    known = set(options(name).get("policy", {}).get("options", {}))
    assert [one - known for one in policies] == [set()] * len(policies)


def test_the_modules_take_every_field_that_the_portal_takes() -> None:
    taken = set(options("remoteapp_application"))
    assert set(admin_schemas.CreateApplication.model_fields) - taken == set()
    assert set(admin_schemas.CreateUser.model_fields) - set(options("remoteapp_user")) == set()
    policy = options("remoteapp_grant")["policy"]["options"]
    assert set(policy) == set(policy_fields.CHECKS)
    assert policy["share"]["choices"] == list(policy_fields.SHARES)
    assert policy["network"]["choices"] == list(policy_fields.NETWORKS)
    as_told = applications.as_fields(Application("", "image"))
    assert set(as_told) - taken == set()


def test_a_policy_that_says_nothing_is_the_portals_own_default() -> None:
    module = importlib.import_module("ansible.module_utils.remoteapp_policy")
    own = as_fields(Policy())
    assert own.pop("app_license") == ""
    assert {**own, "has_app_license": False} == module.DEFAULTS


@pytest.mark.parametrize(
    "text", ["16m", "512M", "2g", "2GB", "1t", "4096k", "1073741824", "2 g", "g", "", "-1"]
)
def test_a_size_means_in_a_task_what_it_means_in_the_portal(text: str) -> None:
    module = importlib.import_module("ansible.module_utils.remoteapp_policy")
    given = {**dict.fromkeys(module.OPTIONS), "memory": text}
    meant = policy_fields.size_of(text)
    assert module.whole(given)["memory"] == (text if meant is None else meant)


def test_the_modules_run_on_python_3_9_of_a_managed_host() -> None:
    files = [*LIBRARY.glob("*.py"), *MODULE_UTILS.glob("*.py")]
    assert len(files) == len(MODULES) + 2
    for file in files:
        ast.parse(file.read_text(), feature_version=(3, 9))
        assert imported(file) - {*PACKAGES, "urllib"} == set(), file


def imported(file: Path) -> set[str]:
    """Return the packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
    return found
