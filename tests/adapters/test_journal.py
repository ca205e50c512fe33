"""What stands in the journal is ours: nobody's words begin a line, steer a terminal or fill it."""

import logging
from pathlib import Path

import pytest

from control_plane.adapters.journal import LONGEST, MOST_LINES, OneLine

CODE = Path(__file__).parents[2] / "control_plane"
FORMAT = "%(levelname)s %(message)s"


def entry(message: str, *words: object, error: Exception | None = None) -> list[str]:
    """Return the lines of an entry as they stand in the journal."""
    raised = (type(error), error, None) if error else None
    record = logging.LogRecord("ours", logging.INFO, "", 0, message, words, raised)
    return OneLine(FORMAT).format(record).split("\n")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("alice\nINFO session ended", r"alice\nINFO session ended"),
        ("alice\r\n", r"alice\r\n"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2028INFO", r"\u2028INFO"),
        ("\x85INFO", r"\x85INFO"),
        ("Zoë 🦊", "Zoë 🦊"),
    ],
)
def test_an_entry_is_one_line_of_what_can_be_printed(said: str, shown: str) -> None:
    assert entry("pam refused name=%s", said) == [f"INFO pam refused name={shown}"]


def test_an_entry_has_an_end() -> None:
    path = "/" * 10**6
    assert entry("fault path=%s", path) == ["INFO " + f"fault path={path}"[:LONGEST] + "…"]


def test_the_words_in_a_traceback_look_like_no_entry() -> None:
    lines = entry("fault", error=ValueError("bad\nINFO session ended\n\x1b[2J"))
    assert lines[0] == "INFO fault"
    assert lines[1:] == ["  ValueError: bad", "  INFO session ended", r"  \x1b[2J"]


def test_a_traceback_has_an_end() -> None:
    assert len(entry("fault", error=ValueError("line\n" * 10**5))) == 1 + MOST_LINES


def test_every_process_speaks_so_but_a_trial_which_speaks_to_people() -> None:
    several = [path.relative_to(CODE) for path in CODE.rglob("*.py")]
    speaking = {one for one in several if "basicConfig" in (CODE / one).read_text()}
    assert {str(one) for one in speaking if one.parts[0] != "trial"} == {"adapters/journal.py"}
    processes = {"cli/forward.py", "cli/pam.py", "cli/serve.py", "cli/engine.py"}
    begun = {str(one) for one in several if "journal.begin()" in (CODE / one).read_text()}
    assert begun == processes
