"""What to do about an image that does not answer, by what it was made for and what it does."""

from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.adapters.application_client import Answer
from control_plane.adapters.container_processes import Listener
from control_plane.checks.booting import Subject
from control_plane.domain import labels

_NOT_FOUND = 404
_LISTEN = "Listen on 0.0.0.0, on port 8888 or the one that the label port (or --port) names."
_SEE_LOG = (
    "Mend what it says. It may not count on a user, a capability, or a place to write but $HOME, "
    "/tmp and /workspace."
)
_ANSWER = (
    "Answer 2xx there once it is usable, or name another path by the label ready-path "
    "(or --ready-path); a slow one needs a longer start_timeout."
)


@dataclass(frozen=True, slots=True)
class Clues:
    """What a container left behind while it was waited for: its last words, what it listens on."""

    tail: str
    listeners: Sequence[Listener]


def of_end(subject: Subject) -> str:
    """Advise on one that ended before it was ready."""
    return _SEE_LOG + as_root(subject)


def as_root(subject: Subject) -> str:
    """Return a further sentence for images that may start as root, and did not."""
    may = labels.kind(subject.image) == "foreign" and not subject.as_root
    return " Or try --run-as root." if may else ""


def of_silence(subject: Subject, listeners: Sequence[Listener]) -> str:
    """Advise on one whose port takes no connection."""
    within_reach = [one for one in listeners if not one.address.is_loopback]
    if within_reach:
        port = within_reach[0].port
        is_ours = labels.kind(subject.image) == "contract"
        way = f"set the label port={port}" if is_ours else f"try --port {port}"
        ports = " and ".join(str(one) for one in sorted({one.port for one in within_reach}))
        return f"It listens on {ports}: {way}."
    if listeners:
        return f"It listens on {listeners[0]}, for itself alone: let it listen on 0.0.0.0."
    return _LISTEN


def of_answer(subject: Subject, answer: Answer) -> str:
    """Advise on one whose ready path answers something else than 2xx."""
    is_lost = 300 <= answer.status < 400 or answer.status == _NOT_FOUND  # noqa: PLR2004 - HTTP's class
    strips = subject.application.strip_path
    if labels.kind(subject.image) == "foreign" and is_lost and not strips:
        return "Tell it its base path (--command with {base_path}), or use --strip-path."
    return _ANSWER
