"""From a session to what the engine is asked to run: pure, compared word for word in tests."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from control_plane.domain import labels, options
from control_plane.domain.entities import (
    Application,
    Image,
    Network,
    Person,
    Policy,
    Session,
    Volume,
)
from control_plane.domain.names import container_login

WORKSPACE = "/workspace"
_PORT = re.compile(r"[1-9][0-9]{0,3}|[1-5][0-9]{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class HomeMount:
    """A home at /workspace: a directory of the host, or an engine volume of that name."""

    source: str
    is_volume: bool


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything the engine needs for one container; `memory` is in bytes.

    `environment` may hold a secret, so it stands in no message. A volume's source is resolved.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    uid: int
    gid: int
    gids: tuple[int, ...]
    login: str
    home_directory: str
    home: HomeMount | None
    volumes: tuple[Volume, ...]
    network: Network
    address: str
    memory: int
    cpus: float
    pids: int


def port_of(application: Application, image: Image) -> int:
    """Return the port the application serves: its own field, the image's label, or 8888."""
    declared = labels.label(image, "port")
    return application.port or (int(declared) if _PORT.fullmatch(declared) else labels.DEFAULT_PORT)


def ready_path_of(application: Application, image: Image, values: Mapping[str, str]) -> str:
    """Return the path that answers 2xx once usable; one without a first slash is the session's."""
    base = values["base_path"]
    path = _filled(application.ready_path or labels.label(image, "ready-path"), values)
    return path if path.startswith("/") else f"{base}/{path}"


def placeholders(session_id: str, owner: str) -> dict[str, str]:
    """Return what `{base_path}`, `{session_id}` and `{user}` stand for."""
    base = labels.base_path(owner, session_id)
    return {"base_path": base, "session_id": session_id, "user": owner}


def spec(  # noqa: PLR0913 - the six things a container is made of
    session: Session,
    application: Application,
    policy: Policy,
    image: Image,
    person: Person,
    *,
    realm: str,
) -> ContainerSpec:
    """Return the container of a session; `policy` has no None left, its volumes are resolved."""
    login = container_login(person.name)
    home_directory = WORKSPACE if policy.allow_home else f"/home/{login}"
    values = placeholders(session.id, session.owner)
    return ContainerSpec(
        name=f"remoteapp-{realm}-{session.id}",
        image=image.id,
        command=tuple(_filled(word, values) for word in application.command),
        environment={
            **{name: _filled(text, values) for name, text in application.environment.items()},
            **options.environment(session.options),
            **({"APP_LICENSE": policy.app_license} if policy.app_license else {}),
            "JPY_USER": session.owner,
            "JPY_BASE_USER_URL": labels.user_path(session.owner),
            "URL_ID": session.id,
            "USER": login,
            "USER_UID": str(person.uid),
            "USER_GID": str(person.gid),
            "USER_GIDS": ",".join(str(gid) for gid in person.gids),
            "HOME": home_directory,
        },
        labels=labels.of_session(session, realm),
        uid=person.uid,
        gid=person.gid,
        gids=person.gids,
        login=login,
        home_directory=home_directory,
        home=HomeMount(person.home, person.home_is_volume) if policy.allow_home else None,
        volumes=policy.volumes,
        network=policy.network or "internet",
        address=session.address,
        memory=policy.memory or 0,
        cpus=policy.cpus or 0.0,
        pids=policy.pids or 0,
    )


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
