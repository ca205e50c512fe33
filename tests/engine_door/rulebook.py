"""A container that keeps every rule, and what the door would know of it."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

from control_plane.domain import containers
from control_plane.domain.containers import Bounds, ContainerSpec
from control_plane.domain.entities import Application, Image, Person, Policy, Session, State, Volume
from control_plane.domain.labels import IMAGE
from control_plane.engine_door.judging import Known, Owner
from control_plane.engine_door.rules import Ceilings, Rules

REALM = "lab"
SESSION = "a1" * 16
CONTRACT = Image(f"sha256:{'c' * 64}", "lab/app:1", {IMAGE + "contract": "1"})
OLDER = Image(f"sha256:{'d' * 64}", "lab/old:1", {IMAGE + "ui_name": "Old"})
FOREIGN = Image(f"sha256:{'e' * 64}", "lab/jupyter:1", {})
RULES = Rules(REALM, volume_roots=(Path("/srv"),), limits=Ceilings(8 * 1024**3, 4, 4096))
VIRTUAL = Person("alice", 70001, 70001, (), "remoteapp-lab-home-70001", home_is_volume=True)
DORA = Person("dora", 1005, 1005, (2001,), "/home/dora", home_is_volume=False)
HALF = IPv4Network("10.213.0.0/21")


def spec_of(  # noqa: PLR0913 - what a container is made of
    image: Image = CONTRACT,
    person: Person = VIRTUAL,
    *,
    allow_home: bool = True,
    legacy_home: bool = False,
    volumes: tuple[Volume, ...] = (),
    application: Application | None = None,
) -> ContainerSpec:
    """Return what the control plane makes of such a grant."""
    policy = Policy(allow_home=allow_home, legacy_home=legacy_home, volumes=volumes)
    session = Session(
        id=SESSION,
        owner=person.name,
        grant_id="b2" * 16,
        application="App",
        image=image.name,
        type="webapp",
        state=State.STARTING,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        address="10.213.0.9",
        port=8888,
        ready_path="/",
    )
    limits = replace(policy, memory=2 * 1024**3, cpus=1.0, pids=512)
    used = application or Application("0" * 32, image.name)
    return containers.spec(session, used, limits, image, person, realm=REALM, bounds=Bounds())


def known_of(spec: ContainerSpec, image: Image = CONTRACT, person: Person = VIRTUAL) -> Known:
    """Return what the door finds out on a host that has dora and no alice."""
    is_host = not person.home_is_volume
    owner = Owner(spec.uid, is_host, person if is_host else None, powerful=False, home_why_not="")
    closed = (Path("/root"), Path("/home/boss"))
    return Known(image, (image.name,), owner, closed, spec.volumes, "", HALF)
