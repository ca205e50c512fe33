"""What every gateway does: the spool that nginx's one-shot reads, and the fake of unit tests."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from adapters.fakes_gateway import FakeGateway

from control_plane.adapters import nginx_spool, nginx_status
from control_plane.adapters.gateway import FilesGateway
from control_plane.adapters.nginx_status import Status, digest, uptime
from control_plane.domain import routes
from control_plane.domain.ports import Gateway
from control_plane.domain.routes import Route
from control_plane.errors import GatewayError

RANGE = "10.213.0.0/20"
DESKTOP = Route("a" * 32, "10.213.0.2", 8888)
NOTEBOOK = Route("b" * 32, "10.213.0.3", 8889)


@dataclass
class OneShot:
    """What the one-shot would see, and what it would report."""

    spool: Path
    status: Path
    installed: Path

    def take(self, **changes: object) -> set[Route] | None:
        taken = nginx_spool.take(self.spool, os.geteuid())
        if taken.content is None:
            return None
        found, refused = routes.read(taken.content.decode(), IPv4Network(RANGE))
        assert not refused
        text = routes.nginx_text(found).encode()
        self.installed.write_bytes(text)
        report = Status(
            candidate=digest(taken.content), installed=digest(text), path=str(self.installed)
        )
        nginx_status.write(self.status, replace(report, **changes))  # type: ignore[arg-type] # fields by name
        return set(found)


@pytest.fixture
def one_shot(tmp_path: Path) -> OneShot:
    spool = tmp_path / "routes" / "spool"
    spool.mkdir(parents=True)
    return OneShot(spool, tmp_path / "status.json", tmp_path / "routes.conf")


@pytest.fixture
def files(one_shot: OneShot) -> FilesGateway:
    return FilesGateway(one_shot.spool, one_shot.status, RANGE, grace=0.0)


@pytest.fixture(params=["fake", "files"])
def gateway(request: pytest.FixtureRequest, files: FilesGateway) -> Gateway:
    return FakeGateway() if request.param == "fake" else files


@pytest.fixture
def standing(gateway: Gateway, one_shot: OneShot) -> Callable[[], set[Route]]:
    """The routes that nginx has been given."""
    last: set[Route] = set()

    def ask() -> set[Route]:
        nonlocal last
        if isinstance(gateway, FakeGateway):
            return gateway.routes
        taken = one_shot.take()
        last = last if taken is None else taken
        return last

    return ask


Standing = Callable[[], set[Route]]


def test_a_published_route_stands_until_it_is_withdrawn(
    gateway: Gateway, standing: Standing
) -> None:
    gateway.publish(DESKTOP)
    gateway.publish(NOTEBOOK)
    assert standing() == {DESKTOP, NOTEBOOK}
    gateway.withdraw(DESKTOP.session_id)
    assert standing() == {NOTEBOOK}


def test_a_session_has_one_route(gateway: Gateway, standing: Standing) -> None:
    gateway.publish(DESKTOP)
    gateway.publish(Route(DESKTOP.session_id, "10.213.0.9", 1))
    assert standing() == {Route(DESKTOP.session_id, "10.213.0.9", 1)}


def test_an_unknown_one_may_be_withdrawn(gateway: Gateway, standing: Standing) -> None:
    gateway.publish(DESKTOP)
    gateway.withdraw("f" * 32)
    assert standing() == {DESKTOP}


def test_all_are_replaced_and_a_change_is_told(gateway: Gateway, standing: Standing) -> None:
    gateway.publish(DESKTOP)
    assert standing() == {DESKTOP}
    assert gateway.replace([NOTEBOOK])
    assert standing() == {NOTEBOOK}
    assert not gateway.replace([NOTEBOOK])
    assert gateway.replace([])
    assert standing() == set()
    gateway.check()


def test_a_first_set_that_is_empty_is_no_change(gateway: Gateway) -> None:
    assert not gateway.replace([])


def test_what_is_handed_over_is_never_half_a_file(files: FilesGateway, one_shot: OneShot) -> None:
    files.publish(DESKTOP)
    assert [entry.name for entry in one_shot.spool.iterdir()] == ["candidate"]
    assert [entry.name for entry in one_shot.spool.parent.iterdir()] == ["spool"]


def test_the_same_route_again_is_not_handed_over_again(
    files: FilesGateway, one_shot: OneShot
) -> None:
    files.publish(DESKTOP)
    one_shot.take()
    files.publish(DESKTOP)
    files.withdraw("f" * 32)
    assert not files.replace([DESKTOP])
    assert one_shot.take() is None


def test_an_address_outside_the_session_network_is_refused(files: FilesGateway) -> None:
    with pytest.raises(GatewayError, match="no session's in"):
        files.publish(Route("a" * 32, "127.0.0.1", 22))
    with pytest.raises(GatewayError):
        files.replace([Route("x", "10.213.0.2", 1)])


def test_what_cannot_be_written_is_not_kept(tmp_path: Path, one_shot: OneShot) -> None:
    (tmp_path / "file").write_text("")
    gateway = FilesGateway(tmp_path / "file" / "spool", one_shot.status, RANGE, grace=0.0)
    with pytest.raises(GatewayError, match="cannot be handed over"):
        gateway.publish(DESKTOP)
    with pytest.raises(GatewayError, match="were not taken"):
        gateway.check()


def test_a_withdrawal_that_cannot_be_written_is_told_by_the_check(
    files: FilesGateway, one_shot: OneShot
) -> None:
    files.publish(DESKTOP)
    one_shot.take()
    one_shot.spool.rmdir()
    one_shot.spool.write_text("")
    files.withdraw(DESKTOP.session_id)
    with pytest.raises(GatewayError, match="were not taken"):
        files.check()


def test_nothing_handed_over_is_no_fault(files: FilesGateway) -> None:
    files.check()
    files.poke()


def test_a_hand_over_that_nobody_takes_is_told_and_repeated(
    files: FilesGateway, one_shot: OneShot
) -> None:
    files.publish(DESKTOP)
    with pytest.raises(GatewayError, match="were not taken"):
        files.check()
    (one_shot.spool / "candidate").unlink()
    files.poke()
    assert one_shot.take() == {DESKTOP}
    files.check()


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ({"error": "nginx: nonsense"}, "nonsense"),
        ({"refused": ("line 1 'x': no",)}, "line 1 'x': no"),
    ],
)
def test_what_the_one_shot_complains_of_is_told(
    files: FilesGateway, one_shot: OneShot, report: dict[str, object], told: str
) -> None:
    files.publish(DESKTOP)
    one_shot.take(**report)
    with pytest.raises(GatewayError, match=told):
        files.check()


def test_a_reload_that_was_put_off_is_asked_for_when_it_is_due(
    files: FilesGateway, one_shot: OneShot
) -> None:
    files.publish(DESKTOP)
    one_shot.take(again_at=uptime() + 60)
    files.poke()
    assert one_shot.take() is None
    files.publish(NOTEBOOK)
    one_shot.take(again_at=uptime())
    files.poke()
    assert one_shot.take() == {DESKTOP, NOTEBOOK}
    files.poke()
    assert one_shot.take() is None


def test_a_new_process_finds_the_routes_of_the_last_one_in_place(
    files: FilesGateway, one_shot: OneShot
) -> None:
    files.publish(DESKTOP)
    one_shot.take()
    started_again = FilesGateway(one_shot.spool, one_shot.status, RANGE, grace=0.0)
    assert not started_again.replace([DESKTOP])
    assert one_shot.take() is None
    started_again = FilesGateway(one_shot.spool, one_shot.status, RANGE, grace=0.0)
    assert started_again.replace([])
    assert one_shot.take() == set()


def test_a_generated_file_that_is_gone_or_changed_is_mended(
    files: FilesGateway, one_shot: OneShot
) -> None:
    files.publish(DESKTOP)
    one_shot.take()
    for damage in (one_shot.installed.unlink, lambda: one_shot.installed.write_text("x")):
        damage()
        assert files.replace([DESKTOP])
        assert one_shot.take() == {DESKTOP}
        assert not files.replace([DESKTOP])
