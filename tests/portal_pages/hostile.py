"""What people can write that a page must do nothing with but show, and a portal full of it.

Invariant: every field that somebody can set holds every kind of it, in what the portal keeps of
users, groups, applications, images, grants, sessions, tokens, the ledger and the audit log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from adapters.fakes_engine import FakeEngine, FakeFiles

from control_plane import administration, auth, messages
from control_plane.domain.access import Caller
from control_plane.domain.containers import home_volume
from control_plane.domain.entities import (
    SCOPES,
    Announcement,
    Application,
    AuditRow,
    Failure,
    Grantee,
    Group,
    Image,
    Policy,
    Session,
    Share,
    ShareAccess,
    ShareKind,
    State,
    UsageRow,
    User,
    Volume,
)
from control_plane.domain.face import Face, FooterLink
from control_plane.domain.labels import IMAGE
from control_plane.domain.policy import effective
from control_plane.domain.ports import Plane
from control_plane.domain.roles import Actor

# If one of these runs, or makes an element, the page tells.
TAG = "<img src=x onerror=\"document.documentElement.dataset.ran='tag'\">"
BREAK = "\"'><script>document.documentElement.dataset.ran='script'</script><b class=hostile>"
GAPS = "{{7*7}} {name} {count} ${7*7} %(name)s {% raw %}"
TURNED = "\u202eturned round\u202c مرحبا بالعالم"
EMOJI = "👩🏽\u200d🔬 🧪 🇺🇳"
LONG = "W" * 300
LINES = "first line\nsecond line\n\n\tfourth"
KINDS = (TAG, BREAK, GAPS, TURNED, EMOJI, LONG)
ALL = "\n".join((*KINDS, LINES))
SCIENTIST = "w" * 64
ADMIN = "admin"
# What databases of others may hold as a name; a slash would not fit into an address.
NAMES = (TAG, '"><b class=hostile>', GAPS, TURNED, EMOJI, LONG[:255])
NOW = datetime.now(UTC)
FACE = Face(
    name=TAG,
    footer=(FooterLink(BREAK, "https://elsewhere.test/"), FooterLink(LONG[:100], "/nowhere")),
    signin_message=ALL,
    # Nobody has agreed to it: it must not be asked for anything.
    analytics="https://elsewhere.test/count.js",
)


@dataclass(frozen=True)
class Examples:
    """The ids of what was made, for addresses; of each of the cast a grant that can be started.

    `visits` are, by visitor, sessions of another of the cast: one to look on at, and a web
    application. `link` is the share that a link leads to, and the link's secret.
    """

    applications: Sequence[str]
    grants: Mapping[str, str]
    barred: str
    sessions: Mapping[tuple[str, State], str]
    tokens: Mapping[str, str]
    visits: Mapping[str, Sequence[str]]
    link: tuple[str, str]


def password(name: str) -> str:
    """Return what somebody of the cast signs in with."""
    return f"{name[:20]}'s password"


def fill(plane: Plane, engine: FakeEngine, home: Path) -> Examples:
    """Make the people and all that they have written; a home is in that directory."""
    _people(plane)
    _home(plane, home)
    applications = _applications(plane, engine)
    grants, barred = _grants(plane, applications)
    _ledger(plane)
    tokens = _tokens(plane)
    administration.announce(
        plane.books, Actor(ADMIN), Announcement(ALL[:1000], NOW + timedelta(days=3))
    )
    shown = [applications[number].id for number in (0, 1, -1, -2)]
    running = _sessions(plane, grants)
    visits = {}
    for number, (visitor, owner) in enumerate(((SCIENTIST, ADMIN), (ADMIN, SCIENTIST))):
        web = replace(plane.access.sessions[running[owner, State.READY]], type="webapp")
        web = replace(web, id=f"{255 - number:032x}")
        plane.records.add_session(web)
        plane.access.put(web)
        visits[visitor] = (running[owner, State.READY], web.id)
    link = _shares(plane, running[SCIENTIST, State.READY], visits)
    return Examples(shown, grants, barred, running, tokens, visits, link)


def _people(plane: Plane) -> None:
    for number, name in enumerate((ADMIN, SCIENTIST)):
        user = User(name, "virtual", admin=name == ADMIN, uid=79000 + number, gid=79000 + number)
        plane.accounting.add_user(user)
        plane.records.set_password(name, plane.passwords.hash(password(name)))
    for number, name in enumerate(NAMES):
        uid = 79100 + number
        plane.accounting.add_user(User(name, "virtual", number % 2 == 0, uid=uid, gid=uid))
        plane.accounting.add_group(Group(name, (SCIENTIST, name)))
    plane.accounting.add_user(User(SCIENTIST[:40], "system"))


def _home(plane: Plane, home: Path) -> None:
    home.mkdir()
    for name in NAMES:
        (home / name.encode()[:250].decode(errors="ignore")).touch()
    (home / "<b class=hostile>").mkdir()
    assert isinstance(plane.files, FakeFiles)
    for name in (SCIENTIST, ADMIN):
        user = plane.accounting.user(name)
        assert user
        assert user.uid
        plane.files.homes[home_volume(plane.site.realm, user.uid)] = home


def _applications(plane: Plane, engine: FakeEngine) -> list[Application]:
    made = []
    for number, text in enumerate(KINDS):
        image = f"lab/{'long-name-' * 20 if text is LONG else 'hostile'}{number}:1"
        engine.known[image] = _image(image, text)
        made.append(
            Application(
                f"{number:032x}",
                image,
                # Every second is called what its image says.
                display_name=text[:255] if number % 2 == 0 else "",
                description=ALL if number % 2 == 0 else "",
                category=text[:255],
                port=8080,
                command=(text, ALL),
                environment={"HOSTILE": text, "MORE": ALL},
            )
        )
    made.append(Application("f" * 32, "lab/absent:1", TAG, ALL, TAG))
    engine.known["lab/unfit:1"] = replace(
        _image("lab/unfit:1", TAG), labels={IMAGE + "contract": BREAK, IMAGE + "type": TAG}
    )
    made.append(Application("e" * 32, "lab/unfit:1"))
    for one in made:
        plane.accounting.add_application(one)
    return made


def _image(name: str, text: str) -> Image:
    labels = {
        "contract": "1",
        "type": "vncapp",
        "ui_name": text,
        "description": ALL,
        "env.x11-width": "",
        "env.x11-height": "",
        "env.x11-depth": "",
        "env.startupdata": "",
        "env.hostile": text,
        "category": text,
    }
    named = {IMAGE + key: value for key, value in labels.items()}
    return Image(f"sha256:{name}", name, named | {text: text}, 3_000_000_000, NOW)


def _grants(plane: Plane, applications: list[Application]) -> tuple[Mapping[str, str], str]:
    rich = Policy(
        allow_home=True,
        allow_startup_data=True,
        app_license=ALL,
        memory=512 * 1024**2,
        cpus=1.5,
        max_sessions=4,
        share="control",
        max_lifetime=8 * 3600,
    )
    # There are no such directories: the portal complains, and shows the path.
    barred = replace(rich, volumes=(Volume(f"/srv/{TAG}", "/data", "ro"),))
    made = {}
    for name in (SCIENTIST, ADMIN):
        for one in reversed(applications):
            made[name] = plane.accounting.add_grant(Grantee("user", name), one.id, rich).id
    for name in NAMES:
        for grantee in (Grantee("user", name), Grantee("group", name)):
            plane.accounting.add_grant(grantee, applications[0].id, barred)
    everyones = plane.accounting.add_grant(Grantee("everyone"), applications[1].id, barred)
    return made, everyones.id


def _sessions(plane: Plane, grants: Mapping[str, str]) -> Mapping[tuple[str, State], str]:
    found: dict[tuple[str, State], str] = {}
    policy = effective(Policy(allow_home=True, share="control"), plane.site.limits)
    owners = (SCIENTIST, ADMIN, *NAMES)
    for number, owner in enumerate(owners):
        for state in State:
            grant = grants.get(owner, grants[SCIENTIST])
            one = _session(f"{number:030x}{len(found) % 5:02x}", owner, grant, state, policy)
            plane.records.add_session(one)
            if one.living or one.state is State.FAILED:
                plane.access.put(one)
            if one.living:
                messages.send(plane, Actor(ADMIN), one, ALL[:500])
            found[owner, state] = one.id
    return found


def _shares(plane: Plane, own: str, visits: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Share a session with all that have such names, and those of the cast with one another."""
    for number, name in enumerate(NAMES):
        _share(plane, number, own, "group", name)
        _share(plane, 16 + number, own, "user", name)
    for number, (visitor, sessions) in enumerate(visits.items()):
        for offset, session in enumerate(sessions):
            _share(plane, 32 + 2 * number + offset, session, "user", visitor)
    secret = "behind-the-hash"
    return _share(plane, 48, own, "link", "", sha256(secret.encode()).hexdigest()), secret


def _share(  # noqa: PLR0913, PLR0917 - a share's own fields
    plane: Plane, number: int, session_id: str, kind: ShareKind, name: str, digest: str = ""
) -> str:
    session = plane.access.sessions[session_id]
    access: ShareAccess = "control" if session.type == "webapp" else "view"
    until = NOW + timedelta(days=1)
    id_ = f"{number:032x}"
    one = Share(id_, session_id, session.owner, kind, name, access, NOW, until, digest)
    plane.records.add_share(one)
    plane.access.shares[id_] = one
    return id_


def _session(id_: str, owner: str, grant: str, state: State, policy: Policy) -> Session:
    ended = state in (State.STOPPED, State.FAILED)
    return Session(
        id=id_,
        owner=owner,
        grant_id=grant,
        application=TAG,
        image="lab/hostile0:1",
        type="vncapp",
        state=state,
        created_at=NOW - timedelta(minutes=5),
        address="10.213.0.9",
        port=8888,
        ready_path="/",
        options={"resolution": "1280x800", "startup_file": ALL[:255]},
        container_id="" if ended else f"container-{id_}",
        ready_at=NOW if state is State.READY else None,
        ends_at=NOW + timedelta(hours=2) if state is State.READY else None,
        ended_at=NOW if ended else None,
        ends_because=ALL[:255] if ended else "",
        failure=Failure("ended", ALL, ALL * 3) if state is State.FAILED else None,
        policy=policy,
    )


def _tokens(plane: Plane) -> Mapping[str, str]:
    found = {}
    for name in (SCIENTIST, ADMIN):
        user = plane.accounting.user(name)
        assert user
        caller = Caller(user, frozenset(SCOPES))
        for text in KINDS:
            token, _ = auth.issue_token(
                plane, caller, text[:100], ("sessions:read",), timedelta(days=1)
            )
            found[name] = token.id
    return found


def _ledger(plane: Plane) -> None:
    rows = []
    for number, text in enumerate(NAMES):
        told = {"display_name": ALL, text: text}
        rows.append(AuditRow(NOW, text, "app-update", text, text[:45], ALL, told, told))
        plane.records.save_usage(
            UsageRow(
                f"{number:032x}",
                text,
                text,
                text,
                NOW - timedelta(days=number + 1, hours=3),
                NOW - timedelta(days=number + 1),
                ALL,
                (text,),
                cpu_seconds=4000.0,
                memory_gib_seconds=9000.0,
            )
        )
    plane.records.add_audits(rows)
