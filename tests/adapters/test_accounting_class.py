"""Accounting by a class of the operator's own: the documented example, and what is refused."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control_plane.adapters.accounting_class import WHOLE, load_class
from control_plane.adapters.accounting_snapshot import SnapshotAccounting, stable_id
from control_plane.domain.entities import Policy, User
from control_plane.errors import (
    ForbiddenError,
    InvalidError,
    NotSupportedError,
    SettingsError,
    StoreUnavailableError,
)

CHAPTER = Path(__file__).parents[2] / "control_plane" / "README.md"
EXAMPLE = re.compile(r"```python\n(.*?class Lab:.*?)```", re.DOTALL)
NOTHING = """
from control_plane.domain.entities import Holdings

class Nothing:
    def version(self):
        return 1

    def holdings(self):
        return Holdings()
"""
# More classes beside that one.
MORE = """
from control_plane.adapters.accounting_snapshot import SnapshotAccounting
from control_plane.errors import ForbiddenError

class Whole(SnapshotAccounting):
    def __init__(self):
        super().__init__(Nothing())

class Deaf(Nothing):
    version = None

class Empty:
    pass

class Needy(Nothing):
    def __init__(self, host):
        pass

class Failing(Nothing):
    def __init__(self):
        raise OSError("no route to it")

class Speaking(Nothing):
    def __init__(self):
        raise ForbiddenError("Not with me.")

class Raising(Nothing):
    def holdings(self):
        return {}["users"]

class Vague(Nothing):
    def holdings(self):
        return []

class Moody(Nothing):
    mood = "good"

    def version(self):
        if self.mood == "bad":
            raise OSError("it is away")
        return 1

def function():
    return Nothing()
"""
Writing = Callable[[str], None]


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Writing]:
    """Write the module `lab.people` into a directory that Python looks into."""

    def write(text: str) -> None:
        (tmp_path / "lab").mkdir()
        (tmp_path / "lab" / "people.py").write_text(text)

    sys.path.insert(0, str(tmp_path))
    yield write
    sys.path.remove(str(tmp_path))
    for name in [one for one in sys.modules if one.partition(".")[0] == "lab"]:
        del sys.modules[name]


def test_the_documented_example_runs_as_it_stands(module: Writing, tmp_path: Path) -> None:
    (example,) = EXAMPLE.findall(CHAPTER.read_text())
    module(example)
    people = tmp_path / "people.json"
    people.write_text(json.dumps({"lab/paint:1": ["alice", "bob"], "lab/table:1": ["bob"]}))
    accounting = load_class("lab.people.Lab", str(people))
    assert list(accounting.users()) == [User("alice", "system"), User("bob", "system")]
    assert [one.application.image for one in accounting.grants_of("bob")] == [
        "lab/paint:1",
        "lab/table:1",
    ]
    (grant,) = accounting.grants_of("alice")
    assert (grant.id, grant.policy) == (stable_id("lab/paint:1", "alice"), Policy(allow_home=True))
    people.write_text(json.dumps({"lab/table:1": ["carl"]}))
    assert list(accounting.users()) == [User("carl", "system")]
    with pytest.raises(NotSupportedError, match=r"in the class lab\.people\.Lab"):
        accounting.remove_user("carl")
    people.write_text("{")
    assert list(accounting.users()) == [User("carl", "system")]
    with pytest.raises(StoreUnavailableError, match="JSONDecodeError"):
        accounting.check()


def test_without_an_address_the_classs_own_default_counts(module: Writing, tmp_path: Path) -> None:
    (example,) = EXAMPLE.findall(CHAPTER.read_text())
    people = tmp_path / "people.json"
    people.write_text(json.dumps({"lab/paint:1": ["alice"]}))
    module(example.replace("/srv/lab/people.json", str(people)))
    assert list(load_class("lab.people.Lab").users()) == [User("alice", "system")]


@pytest.mark.parametrize("dotted", ["lab.people.Nothing", "lab.people:Nothing"])
def test_a_class_that_takes_no_url_is_given_none(module: Writing, dotted: str) -> None:
    module(NOTHING)
    accounting = load_class(dotted, "ldap://people.example.org")
    assert list(accounting.users()) == []
    accounting.check()


def test_a_class_with_every_method_stands_for_itself(module: Writing) -> None:
    module(NOTHING + MORE)
    made = load_class("lab.people.Whole")
    assert type(made).__name__ == "Whole"
    assert isinstance(made, SnapshotAccounting)
    assert {"rewrite", "grants_of", "version", "check", "holds"} <= set(WHOLE)


@pytest.mark.parametrize(
    ("dotted", "why"),
    [
        ("", "must be package.module.Name"),
        ("Lab", "must be package.module.Name"),
        ("lab.", "must be package.module.Name"),
        ("nowhere.Lab", "the module nowhere cannot be imported: ModuleNotFoundError: No module"),
        ("lab.people.Lab", "the module lab.people has no Lab"),
        ("lab.people.function", "is not a class"),
        ("lab.people.Deaf", "has no version; it must have holdings and version, or every method"),
        ("lab.people.Empty", "has no holdings and no version; it must have holdings and version"),
        ("lab.people.Needy", "cannot be made: TypeError: "),
        ("lab.people.Failing", "cannot be made: OSError: no route to it"),
    ],
)
def test_a_bad_path_or_class_is_named_with_what_is_allowed(
    module: Writing, dotted: str, why: str
) -> None:
    module(NOTHING + MORE)
    with pytest.raises(SettingsError) as error:
        load_class(dotted)
    assert error.value.message.startswith(f"accounting.class = '{dotted}': {why}")


def test_a_module_that_does_not_parse_is_named(module: Writing) -> None:
    module("class Lab")
    with pytest.raises(SettingsError, match=r"lab\.people cannot be imported: SyntaxError"):
        load_class("lab.people.Lab")


def test_an_error_in_our_words_passes_on(module: Writing) -> None:
    module(NOTHING + MORE)
    with pytest.raises(ForbiddenError, match="Not with me"):
        load_class("lab.people.Speaking")


def test_a_class_that_raises_is_a_store_that_is_away(module: Writing) -> None:
    module(NOTHING + MORE)
    with pytest.raises(StoreUnavailableError) as error:
        load_class("lab.people.Raising")
    assert error.value.message == (
        "The class lab.people.Raising does not answer: KeyError: 'users'."
    )


def test_a_class_that_gives_something_else_is_refused(module: Writing) -> None:
    module(NOTHING + MORE)
    with pytest.raises(InvalidError) as error:
        load_class("lab.people.Vague")
    assert [(one.field, one.message) for one in error.value.errors] == [
        ("holdings()", "gave list, must give Holdings")
    ]


def test_a_class_that_raises_later_leaves_what_it_said_in_force(module: Writing) -> None:
    module(NOTHING + MORE)
    accounting = load_class("lab.people.Moody")
    moody = sys.modules["lab.people"].Moody
    moody.mood = "bad"
    assert list(accounting.users()) == []
    with pytest.raises(StoreUnavailableError, match="OSError: it is away"):
        accounting.check()
    moody.mood = "good"
    accounting.check()
