"""Looking into one's own home before a start, for a file to open.

Invariant: only where the application would get both that home and the file; one look a user at a
time, and `reconcile` leaves its container alone while it lasts.
"""

from concurrent.futures import Future
from functools import partial

from control_plane import auth, catalogue
from control_plane.domain import containers, files, options
from control_plane.domain.access import Caller
from control_plane.domain.entities import Image, Policy
from control_plane.domain.files import Listing, Look
from control_plane.domain.jobs import After, Job
from control_plane.domain.ports import Plane
from control_plane.errors import NotFoundError


def offered(image: Image | None, policy: Policy) -> bool:
    """Whether there is a home to look into, and a file of it could be opened."""
    takes_file = image is not None and "startup_file" in options.offered_options(image, policy)
    return takes_file and policy.allow_home


def look(plane: Plane, caller: Caller, grant_id: str, path: str) -> Future[Listing]:
    """Submit a look into a directory of the caller's home; `path` is below it.

    NotFoundError where none is offered; what `HomeFiles.listed` raises comes with the result.
    """
    wanted = files.checked_path(path)
    entry, image = catalogue.startable(plane, caller.user, grant_id)
    person = auth.person_of(plane, caller.user)
    as_root = containers.runs_as_root(entry.grant.application, image)
    apart = as_root and not entry.policy.legacy_home
    home = containers.home_of(entry.policy, person, plane.site.realm, apart=apart)
    if home is None or not offered(image, entry.policy):
        raise NotFoundError("This application opens no file of your home.")
    key = f"look-{person.uid}"
    told: Future[Listing] = Future()
    asked = Look(key, image.id, person, home, wanted)
    plane.jobs.submit(key, _looking(plane, asked, told))
    return told


def _looking(plane: Plane, asked: Look, told: "Future[Listing]") -> Job:
    work = plane.jobs.aside(lambda: plane.files.listed(asked))
    work.add_done_callback(partial(_pass_on, told))
    yield After(work)


def _pass_on(told: "Future[Listing]", work: "Future[Listing]") -> None:
    error = None if work.cancelled() else work.exception()
    if work.cancelled():
        told.cancel()
    elif error:
        told.set_exception(error)
    else:
        told.set_result(work.result())
