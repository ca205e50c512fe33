"""What of a plane touches the engine: behind its door, or the engine itself.

Invariant: a process that is told where the door is (ENGINE_SOCKET) never speaks to the engine.
"""

from dataclasses import dataclass

from control_plane import installed
from control_plane.adapters.engine_client import EngineClient, FilesClient
from control_plane.adapters.images_client import HomesClient, LibraryClient
from control_plane.domain.ports import Engine, HomeFiles, Homes, Library
from control_plane.settings import Settings


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The ports of the engine, one each."""

    engine: Engine
    image_library: Library
    homes: Homes
    files: HomeFiles


def of(settings: Settings) -> EngineParts:
    """Return them, connected at their first use; SettingsError where the engine's place is odd."""
    installed.engine_reached(settings)
    if door := installed.engine_door():
        return EngineParts(
            EngineClient(door), LibraryClient(door), HomesClient(door), FilesClient(door)
        )
    return _direct(settings)


def _direct(settings: Settings) -> EngineParts:
    # Not above: behind the door nobody needs the SDK, which takes 8 MB.
    from control_plane.adapters.docker_files import DockerFiles  # noqa: PLC0415 - as said
    from control_plane.adapters.docker_homes import DockerHomes  # noqa: PLC0415 - as said
    from control_plane.adapters.docker_library import DockerLibrary  # noqa: PLC0415 - as said
    from control_plane.adapters.engine import DockerEngine  # noqa: PLC0415 - as said

    place = installed.engine_reached(settings)
    engine = DockerEngine(
        settings.realm,
        place,
        directory=settings.state_directory / "identities",
        session_range=settings.engine.session_range,
    )
    homes, files = DockerHomes(settings.realm, place), DockerFiles(settings.realm, place)
    return EngineParts(engine, DockerLibrary(place), homes, files)
