"""What people are told of what is allowed and yet has a catch.

Invariant: a caution refuses nothing.
"""

from control_plane.domain import containers, labels, reach
from control_plane.domain.entities import Application, Image, Policy
from control_plane.domain.origins import Mode
from control_plane.domain.reach import Reach

APART = "It keeps its files at /workspace, apart from your other files."
_LEGACY_HOME = (
    "legacy_home: an image that starts as root gets the real home and writable volumes. Its entry "
    "point can change the mode of every file there, give it away, or leave a set-uid file on the "
    "host. It starts only where /etc/remoteapp/engine.toml says allow_legacy_home, too."
)
_LEGACY_HOME_ALONE = "legacy_home does nothing here: the image does not start as root."
_STRIP_PATH = (
    "strip_path: links of its pages that begin with a slash lead out of the session, for the "
    "application does not know its address."
)
_ROOT_READS = "Root in it reads every file and uses every socket of a volume, whatever their modes."
_OLDER = (
    "It was made for simphony-remote: it starts as root, its home is a volume apart from the "
    f"user's own, and volumes must be ro. {_ROOT_READS}"
)
_AS_ROOT = (
    "It starts as root: its home is a volume apart from the user's own, volumes must be ro. "
    f"{_ROOT_READS}"
)
_RUN_AS_ALONE = "run_as: root does nothing here: it is for images without labels of ours."


def of_application(application: Application, image: Image | None, mode: Mode) -> list[str]:
    """Return sentences on what bars its start, and on how it is run; None: nobody has the image."""
    found = [_STRIP_PATH] if _leads_out(application, mode) else []
    if image is None:
        return found
    found = [*labels.problems(image), *found]
    if labels.kind(image) == "older":
        found.append(_OLDER)
    elif containers.runs_as_root(application, image):
        found.append(_AS_ROOT)
    elif application.run_as == "root":
        found.append(_RUN_AS_ALONE)
    if refusal := containers.refused_command(application, image):
        found.append(refusal)
    return found


def for_user(
    application: Application, policy: Policy, image: Image | None, mode: Mode
) -> list[str]:
    """Return sentences for whoever starts it; the policy is complete."""
    as_root = image is not None and containers.runs_as_root(application, image)
    found = [APART] if as_root and policy.allow_home and not policy.legacy_home else []
    if _leads_out(application, mode):
        found.append("Some of its links may lead out of it.")
    return found


def of_policy(
    policy: Policy, application: Application, image: Image | None, engine: Reach
) -> list[str]:
    """Return sentences on what a grant lifts, or cannot give; None: nobody has the image."""
    barred = reach.cautions(engine, policy)
    if not policy.legacy_home:
        refusal = containers.refused_mounts(application, policy, image) if image else ""
        return [*barred, refusal] if refusal else barred
    needed = image is None or containers.runs_as_root(application, image)
    return [*barred, _LEGACY_HOME if needed else _LEGACY_HOME_ALONE]


def _leads_out(application: Application, mode: Mode) -> bool:
    """Whether its links may lead out of the session, which has not its whole host."""
    return application.strip_path and mode != "domain"
