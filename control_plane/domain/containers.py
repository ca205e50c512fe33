"""From a session to what the engine is asked to run: pure, compared word for word in tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from control_plane.domain import labels, options
from control_plane.domain.applications import LONGEST, ROOTS_COMMAND
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
from control_plane.errors import InvalidError

WORKSPACE = "/workspace"
# What is memory, and anybody's to write, where the root is read-only.
VOLATILE = ("/run", "/tmp", "/var/tmp")  # noqa: S108 - inside the container
# What the entry point of simphony-remote's images does as root, and no more (proved one by one).
ROOT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a site allows any container, whatever its policy says.

    `open_files` is for each process; `disk` is how many bytes the container may write outside its
    volumes, where the engine's storage can tell (0: no bound).
    """

    open_files: int = 16384
    disk: int = 10 * 1024**3


@dataclass(frozen=True, slots=True)
class HomeMount:
    """A home at /workspace: a directory of the host, or an engine volume of that name."""

    source: str
    is_volume: bool


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything the engine needs for one container; `memory` is in bytes.

    `environment` may hold a secret, so it stands in no message. A volume's source is resolved.
    `port` is what it serves; it is reached at `address`, or where its engine publishes ports at
    `published_port` of that address.
    `as_root`: it starts as root with ROOT_CAPABILITIES, where it likes (`home_directory` is empty),
    and the other numbers say for whom. `own_directory`: it starts where the image says, for the
    entry point of a foreign image may name its files from there, and in the home otherwise.
    `read_only`: nothing of its image can be written; /tmp, /run and /var/tmp are memory.
    `open_files` and `disk` are those of `Bounds`.
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
    as_root: bool
    own_directory: bool
    home: HomeMount | None
    volumes: tuple[Volume, ...]
    network: Network
    address: str
    port: int
    published_port: int
    memory: int
    cpus: float
    pids: int
    read_only: bool
    open_files: int
    disk: int


def port_of(application: Application, image: Image) -> int:
    """Return the port the application serves: its own field, the image's label, or 8888."""
    return application.port or labels.port(image)


def ready_path_of(application: Application, image: Image, values: Mapping[str, str]) -> str:
    """Return the path that answers 2xx once usable; one without a first slash is the session's.

    It is the path that the application sees: with `strip_path` the session's is the root.
    InvalidError when it is too long.
    """
    base = "" if application.strip_path else values["base_path"]
    path = _filled(application.ready_path or labels.label(image, "ready-path"), values)
    whole = path if path.startswith("/") else f"{base}/{path}"
    if len(whole) > LONGEST:
        raise InvalidError(f"The ready path is longer than {LONGEST} characters with all in it.")
    return whole


def runs_as_root(application: Application, image: Image) -> bool:
    """Whether its process starts as root: in an older image, or a foreign one that has to."""
    kind = labels.kind(image)
    return kind == "older" or (kind == "foreign" and application.run_as == "root")


def refused_command(application: Application, image: Image) -> str:
    """Return why the application's command bars its start; empty where it does not.

    An administrator's word would be run as root, if only inside a container.
    """
    if application.command and runs_as_root(application, image):
        return f"Its command {ROOTS_COMMAND}."
    return ""


def refused_mounts(application: Application, policy: Policy, image: Image) -> str:
    """Return what the policy mounts and this image may not have; empty when nothing.

    Root in it could set modes of the host's files, or leave one there that is set-uid.
    """
    if policy.legacy_home or not runs_as_root(application, image):
        return ""
    targets = [volume.target for volume in policy.volumes if volume.mode == "rw"]
    if not targets:
        return ""
    return (
        f"It starts as root, so it may not write to {targets[0]} of this machine: "
        "the volume must be ro, or the policy say legacy_home."
    )


def home_volume(realm: str, uid: int) -> str:
    """Return the engine's name of the volume that is a virtual user's home."""
    return f"remoteapp-{realm}-home-{uid}"


def apart_volume(home: str) -> str:
    """Return the engine's name of what images that start as root get in place of that volume."""
    realm, _, uid = home.rpartition("-home-")
    return f"{realm}-apart-{uid}"


def placeholders(session_id: str, owner: str) -> dict[str, str]:
    """Return what `{base_path}`, `{session_id}` and `{user}` stand for."""
    base = labels.base_path(owner, session_id)
    return {"base_path": base, "session_id": session_id, "user": owner}


def home_of(policy: Policy, person: Person, realm: str, *, apart: bool) -> HomeMount | None:
    """Return the home that a policy gives; `apart`: the volume that stands for it."""
    if not policy.allow_home:
        return None
    if apart:
        return HomeMount(apart_volume(home_volume(realm, person.uid)), is_volume=True)
    return HomeMount(person.home, person.home_is_volume)


def spec(  # noqa: PLR0913 - the seven things a container is made of
    session: Session,
    application: Application,
    policy: Policy,
    image: Image,
    person: Person,
    *,
    realm: str,
    bounds: Bounds,
) -> ContainerSpec:
    """Return the container of a session; `policy` has no None left, its volumes are resolved."""
    login, as_root = container_login(person.name), runs_as_root(application, image)
    home_directory = "" if as_root else WORKSPACE if policy.allow_home else f"/home/{login}"
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
            **({"HOME": home_directory} if home_directory else {}),
        },
        labels=labels.of_session(session, realm),
        uid=person.uid,
        gid=person.gid,
        gids=person.gids,
        login=login,
        home_directory=home_directory,
        as_root=as_root,
        own_directory=as_root or labels.kind(image) == "foreign",
        home=home_of(policy, person, realm, apart=as_root and not policy.legacy_home),
        volumes=policy.volumes,
        network=policy.network or "internet",
        address=session.address,
        port=port_of(application, image),
        published_port=session.port,
        memory=policy.memory or 0,
        cpus=policy.cpus or 0.0,
        pids=policy.pids or 0,
        read_only=labels.is_read_only(image),
        open_files=bounds.open_files,
        disk=bounds.disk,
    )


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
