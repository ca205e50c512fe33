"""What the door asks of each field of a container before the engine hears of it.

Invariant: `FIELDS` holds a rule for every field of `ContainerSpec`; what can be derived from the
image and the host's user database is compared with that, and never believed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import get_args

from control_plane.domain import labels, volumes
from control_plane.domain.containers import (
    WORKSPACE,
    ContainerSpec,
    HomeMount,
    apart_volume,
    home_volume,
)
from control_plane.domain.entities import Image, Network, Person, Volume
from control_plane.domain.labels import RUN
from control_plane.domain.names import container_login, shown
from control_plane.domain.policy_fields import CPUS, MEMORY, MOST_VOLUMES
from control_plane.domain.routes import PUBLISHED
from control_plane.engine_door.rules import Rules

_ID = re.compile(r"[0-9a-f]{32}")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}", re.ASCII)
# What makes the image's own programs run something else: refused to those that run as root.
_LOADING = re.compile(
    r"LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|BASH_.*|SHELLOPTS|ENV|IFS|PATH|PROMPT_COMMAND"
    r"|PS4|PYTHON.*|PERL.*|RUBY.*|NODE_.*|GEM_.*|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|GIT_.*|EDITOR|PAGER"
)
_LONGEST_OWNER = 64
_LONGEST_LABEL = 16 * 1024
_LONGEST_BLOCK = 256 * 1024  # bytes of all variables, or of all words
_LEAST_FILES = 16


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom the host knows under the sign-in name and the uid that the door was told.

    `person` is the host's own of that name, None where it has none who may sign in; `uid_taken`:
    the host has given the number to somebody. `powerful`: that person can become root.
    `home_why_not` says why that person's home is mounted for nobody.
    """

    uid: int
    uid_taken: bool
    person: Person | None
    powerful: bool
    home_why_not: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the door found out by itself about a container that it is asked for.

    `image` is the one of that id, `names` its names. `closed` are the homes of all who can become
    root. `volumes` are as their sources resolve now, `why_not` says why one may not be mounted.
    `half` holds the addresses of the network, or the one address that ports are published on.
    """

    image: Image
    names: tuple[str, ...]
    owner: Owner
    closed: tuple[Path, ...]
    volumes: tuple[Volume, ...]
    why_not: str
    half: IPv4Network


Judge = Callable[[ContainerSpec, Known, Rules], str]


def refusal(spec: ContainerSpec, known: Known, rules: Rules) -> str:
    """Return why the door refuses a container, in a sentence that names the field; empty if not."""
    for name, judge in FIELDS.items():
        if why := judge(spec, known, rules):
            return f"{name}: {why}"
    return ""


def person_refusal(person: Person, owner: Owner, rules: Rules) -> str:
    """Return why somebody is not whom the host, or the range of virtual users, makes of him."""
    wanted = _wanted(person.name, owner, rules)
    if wanted is None:
        first, last = rules.virtual_uids
        return (
            f"{person.uid} is no free number of virtual users ({first} to {last}), and the host"
            f" knows no {shown(person.name)} who may sign in"
        )
    return "" if person == wanted else f"{shown(person.name)} has other numbers, or another home"


def home_refusal(home: HomeMount, owner: Owner, rules: Rules) -> str:
    """Return why a home may not be mounted for that owner, to be read either."""
    wanted = _wanted("", owner, rules)
    if wanted is None or home != HomeMount(wanted.home, wanted.home_is_volume):
        return f"it must be {wanted.home}" if wanted else "its owner is nobody here"
    if home.is_volume:
        return ""
    if owner.powerful and not rules.allow_powerful_homes:
        return (
            "its owner can become root on this host, and so can whoever reaches that home"
            " (allow_powerful_homes is false)"
        )
    return owner.home_why_not


def limit_refusal(memory: int, cpus: float, pids: int, rules: Rules) -> str:
    """Return which limit is none, or above the ceiling; 0 would be no limit at all."""
    bounds = (
        ("memory", memory, MEMORY[0], rules.limits.memory),
        ("cpus", cpus, CPUS[0], rules.limits.cpus),
        ("pids", pids, 1, rules.limits.pids),
    )
    bad = [(name, least, most) for name, value, least, most in bounds if not least <= value <= most]
    return "; ".join(f"{name} must lie between {least} and {most}" for name, least, most in bad)


def address_refusal(address: str, half: IPv4Network, network: Network, rules: Rules) -> str:
    """Return why a container may not be there."""
    if network not in rules.networks:
        return f"{shown(network)} is none of the networks of the rules"
    try:
        found = IPv4Address(address)
    except AddressValueError:
        return f"{shown(address)} is no address"
    inside = found == half[0] if half.num_addresses == 1 else half[2] <= found < half[-1]
    return "" if inside else f"{address} is no session's address in {half}"


def owner_of(spec: ContainerSpec) -> str:
    """Return the sign-in name that a container is labelled with; empty when it has none."""
    return spec.labels.get(RUN + "user", "")


def _name(spec: ContainerSpec, _: Known, rules: Rules) -> str:
    session_id = spec.labels.get(RUN + "url_id", "")
    fits = _ID.fullmatch(session_id) and spec.name == f"remoteapp-{rules.realm}-{session_id}"
    return "" if fits else "must be remoteapp-, the realm and the session's 32 hex digits"


def _image(spec: ContainerSpec, known: Known, rules: Rules) -> str:
    if not _IMAGE_ID.fullmatch(spec.image) or known.image.id != spec.image:
        return "must be the whole id of an image"
    if not rules.admits_image(*known.names):
        return f"none of its names fits one of {', '.join(rules.images)}"
    return next(iter(labels.problems(known.image)), "")


def _command(spec: ContainerSpec, _known: Known, _: Rules) -> str:
    if spec.command and spec.as_root:
        return "what starts as root gets no command of anybody's"
    return _block(spec.command)


def _environment(spec: ContainerSpec, _known: Known, _: Rules) -> str:
    for name, value in spec.environment.items():
        if not _VARIABLE.fullmatch(name):
            return f"{shown(name)} is not a name of a variable"
        if spec.as_root and _LOADING.fullmatch(name):
            return f"what starts as root gets no {name}"
        if name in (said := _said(spec)) and value != said[name]:
            return f"{name} says something else than the container's user and labels"
    return _block([*spec.environment, *spec.environment.values()])


def _labels(spec: ContainerSpec, _: Known, rules: Rules) -> str:
    owner, session_id = owner_of(spec), spec.labels.get(RUN + "url_id", "")
    wanted = {
        RUN + "realm": rules.realm,
        RUN + "user": owner,
        RUN + "urlpath": labels.base_path(owner, session_id),
    }
    free = {RUN + "mapping_id", RUN + "url_id", RUN + "session"}
    if not owner or not owner.isprintable() or ":" in owner or len(owner) > _LONGEST_OWNER:
        return f"{shown(owner)} is nobody's sign-in name"
    if set(spec.labels) != set(wanted) | free:
        return "must be those of a session, all of them and no others"
    wrong = [name for name, value in wanted.items() if spec.labels[name] != value]
    if wrong:
        return f"{wrong[0]} says something else than the realm and the session"
    long = [name for name, value in spec.labels.items() if len(value) > _LONGEST_LABEL]
    return f"{long[0]} is too long" if long else ""


def _person(spec: ContainerSpec, known: Known, rules: Rules) -> str:
    """Compare the numbers and groups with those that the name and the uid have here."""
    name = owner_of(spec)
    wanted = _wanted(name, known.owner, rules)
    home, is_volume = (wanted.home, wanted.home_is_volume) if wanted else ("", True)
    person = Person(name, spec.uid, spec.gid, spec.gids, home, is_volume)
    return person_refusal(person, known.owner, rules)


def _login(spec: ContainerSpec, _known: Known, _: Rules) -> str:
    wanted = container_login(owner_of(spec))
    return "" if spec.login == wanted else f"must be {wanted}"


def _home_directory(spec: ContainerSpec, _known: Known, _: Rules) -> str:
    at_home = WORKSPACE if spec.home else f"/home/{spec.login}"
    wanted = "" if spec.as_root else at_home
    return "" if spec.home_directory == wanted else f"must be {wanted!r}"


def _as_root(spec: ContainerSpec, known: Known, _: Rules) -> str:
    kind = labels.kind(known.image)
    if kind == "contract" and spec.as_root:
        return "an image with contract=1 runs as the user"
    if kind == "older" and not spec.as_root:
        return "an image made for simphony-remote starts as root"
    return ""


def _own_directory(spec: ContainerSpec, known: Known, _: Rules) -> str:
    wanted = spec.as_root or labels.kind(known.image) == "foreign"
    return "" if spec.own_directory == wanted else f"must be {wanted}"


def _home(spec: ContainerSpec, known: Known, rules: Rules) -> str:
    if spec.home is None:
        return ""
    apart = apart_volume(home_volume(rules.realm, spec.uid))
    if spec.home == HomeMount(apart, is_volume=True):
        return ""
    if spec.as_root and not rules.allow_legacy_home:
        return f"what starts as root gets no home but {apart} (allow_legacy_home is false)"
    return home_refusal(spec.home, known.owner, rules)


def _volumes(spec: ContainerSpec, known: Known, rules: Rules) -> str:
    if len(spec.volumes) > MOST_VOLUMES:
        return f"at most {MOST_VOLUMES} can be mounted"
    wrong = [why for one in spec.volumes if (why := volumes.problem(str(one)))]
    wrong += [volumes.clash(spec.volumes, home=spec.home is not None)]
    if why := next(filter(None, [*wrong, known.why_not]), ""):
        return why
    if known.volumes != spec.volumes:
        return "a source is a link now: it leads elsewhere than when it was judged"
    return next(filter(None, (_volume(one, spec, known, rules) for one in spec.volumes)), "")


def _volume(one: Volume, spec: ContainerSpec, known: Known, rules: Rules) -> str:
    if one.mode == "rw" and spec.as_root and not rules.allow_legacy_home:
        return f"what starts as root may not write to {shown(one.source)} of this host"
    if rules.allow_powerful_homes:
        return ""
    if one.mode == "rw" and known.owner.powerful:
        return f"{owner_of(spec)} can become root: {shown(one.source)} may only be read"
    if any(_touch(Path(one.source), home) for home in known.closed):
        return f"{shown(one.source)} opens the home of somebody who can become root on this host"
    return ""


def _touch(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def _network(spec: ContainerSpec, known: Known, rules: Rules) -> str:
    if spec.network not in get_args(Network) or spec.network not in rules.networks:
        return f"{shown(spec.network)} is none of the networks of the rules"
    published = known.half.num_addresses == 1
    return (
        "with published ports it must be internet" if published and spec.network == "none" else ""
    )


def _address(spec: ContainerSpec, known: Known, rules: Rules) -> str:
    return address_refusal(spec.address, known.half, spec.network, rules)


def _port(spec: ContainerSpec, _known: Known, _: Rules) -> str:
    return "" if 1 <= spec.port <= 65535 else "must lie between 1 and 65535"  # noqa: PLR2004 - TCP's


def _published_port(spec: ContainerSpec, known: Known, _: Rules) -> str:
    if known.half.num_addresses > 1:
        return "" if 0 <= spec.published_port <= 65535 else "is no port"  # noqa: PLR2004 - TCP's
    first, last = PUBLISHED[0], PUBLISHED[-1]
    return "" if spec.published_port in PUBLISHED else f"must lie between {first} and {last}"


def _limits(spec: ContainerSpec, _: Known, rules: Rules) -> str:
    return limit_refusal(spec.memory, spec.cpus, spec.pids, rules)


def _read_only(spec: ContainerSpec, known: Known, _: Rules) -> str:
    wanted = labels.is_read_only(known.image)
    return "" if spec.read_only == wanted else f"must be {wanted}, as the image's label says"


def _open_files(spec: ContainerSpec, _: Known, rules: Rules) -> str:
    most = rules.limits.open_files
    fits = _LEAST_FILES <= spec.open_files <= most
    return "" if fits else f"must lie between {_LEAST_FILES} and {most}"


def _disk(spec: ContainerSpec, _known: Known, _: Rules) -> str:
    return "" if spec.disk >= 0 else "must be a number of bytes, or 0"


def _wanted(name: str, owner: Owner, rules: Rules) -> Person | None:
    """Return who has that uid: a virtual user whom nobody else is, or the host's own."""
    if rules.is_virtual(owner.uid) and not owner.uid_taken:
        home = home_volume(rules.realm, owner.uid)
        return Person(name, owner.uid, owner.uid, (), home, home_is_volume=True)
    return owner.person


def _said(spec: ContainerSpec) -> Mapping[str, str]:
    """Return what the variables say that older images believe in."""
    owner = owner_of(spec)
    return {
        "JPY_USER": owner,
        "JPY_BASE_USER_URL": labels.user_path(owner),
        "URL_ID": spec.labels.get(RUN + "url_id", ""),
        "USER": spec.login,
        "USER_UID": str(spec.uid),
        "USER_GID": str(spec.gid),
        "USER_GIDS": ",".join(str(gid) for gid in spec.gids),
        **({"HOME": spec.home_directory} if spec.home_directory else {}),
    }


def _block(words: Sequence[str]) -> str:
    if any("\0" in word for word in words):
        return "holds a character that no program can be given"
    size = sum(len(word.encode(errors="replace")) for word in words)
    return "" if size <= _LONGEST_BLOCK else f"must have at most {_LONGEST_BLOCK} bytes in all"


# One rule a field: a new field without one fails tests/engine_door/test_rules.py.
FIELDS: Mapping[str, Judge] = {
    "name": _name,
    "labels": _labels,
    "image": _image,
    "as_root": _as_root,
    "own_directory": _own_directory,
    "read_only": _read_only,
    "uid": _person,
    "gid": _person,
    "gids": _person,
    "login": _login,
    "home_directory": _home_directory,
    "command": _command,
    "environment": _environment,
    "home": _home,
    "volumes": _volumes,
    "network": _network,
    "address": _address,
    "port": _port,
    "published_port": _published_port,
    "memory": _limits,
    "cpus": _limits,
    "pids": _limits,
    "open_files": _open_files,
    "disk": _disk,
}
