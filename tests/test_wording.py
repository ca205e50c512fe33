"""The catalogues of translations: true to the code, whole, every gap where a value goes."""

from pathlib import Path

import pytest
import wording
from babel.messages import Catalog, Message

LANGUAGES = pytest.mark.parametrize(
    "file", wording.translations(), ids=lambda file: str(file.parts[-3])
)


@pytest.fixture(scope="module")
def template() -> Catalog:
    return wording.collected()


def test_the_template_holds_what_the_pages_say_today(template: Catalog) -> None:
    assert wording.TEMPLATE.read_bytes() == wording.written(template), "run: make words"


@LANGUAGES
def test_a_language_holds_the_same_sentences(file: Path, template: Catalog) -> None:
    assert file.read_bytes() == wording.written(wording.updated(file, template)), "run: make words"


@LANGUAGES
def test_a_language_lacks_nothing_and_guesses_nothing(file: Path) -> None:
    found = [one for one in wording.read(file) if one.id]
    assert [one.id for one in found if one.fuzzy or not all(wording.strings(one.string))] == []


@LANGUAGES
def test_a_translation_keeps_every_gap_and_is_cut_like_the_original(file: Path) -> None:
    assert [one.id for one in wording.read(file) if one.id and _differs(one)] == []


@LANGUAGES
def test_a_language_has_as_many_plurals_as_it_says(file: Path) -> None:
    catalogue = wording.read(file)
    plural = [one for one in catalogue if one.pluralizable]
    assert {len(wording.strings(one.string)) for one in plural} == {catalogue.num_plurals}
    assert not [one.id for one in catalogue if list(one.check(catalogue))]


def test_what_python_says_is_found_with_its_gaps(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""A docstring of a module."""\n'
        'LABELS = (Field("a", "Label", hint="A hint."), Column("b", "Other"))\n'
        "def act(one, names):\n"
        '    """A docstring of a function."""\n'
        '    log.info("nobody reads this line")\n'
        '    raise NotFoundError(f"There is no {one.kind} {shown(one.name)}"\n'
        "        f\" among {', '.join(names)} and {other.name!r}.\")\n"
    )
    assert list(wording.spoken(module)) == [
        "Label",
        "A hint.",
        "Other",
        "There is no {kind} {name} among {names} and {name3}.",
    ]


def _differs(message: Message) -> bool:
    """Return whether a translation has other gaps, or other space at its ends."""
    ids, strings = wording.strings(message.id), wording.strings(message.string)
    wanted = {tuple(wording.gaps(one)) for one in ids}
    ends = [(one[:1].isspace(), one[-1:].isspace()) for one in (ids[-1], *strings)]
    return not {tuple(wording.gaps(one)) for one in strings} <= wanted or len(set(ends)) > 1
