"""The routes one-shot with a real nginx: what it installs, reloads and refuses."""

import os
import subprocess
import threading
import time
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner
from nginx.clients import ALICE, DESKTOP, path_of, signed_in
from nginx.conftest import RANGE, Stack
from nginx.stubs import Application

from control_plane.adapters import nginx_processes as processes
from control_plane.adapters import nginx_status
from control_plane.adapters.nginx_host import Pace
from control_plane.cli.control_plane import main
from control_plane.domain import routes
from control_plane.domain.routes import Route
from control_plane.errors import GatewayError


def hand_in(stack: Stack, text: str) -> None:
    (stack.places.spool / "candidate").write_text(text)


def numbered(number: int) -> Route:
    return Route(f"{number:032x}", "127.213.0.9", 8000 + number)


def started(stack: Stack) -> float:
    master = processes.master(stack.places.pid)
    assert master is not None
    return processes.newest_start(processes.workers(master))


def words(stack: Stack) -> list[str]:
    places = stack.places
    return [
        *("routes", "install", "--spool", str(places.spool), "--installed", str(places.installed)),
        *("--status", str(places.status), "--pid", str(places.pid), "--range", RANGE),
        *("--nginx-config", str(places.config), "--owner-uid", str(os.geteuid())),
    ]


def test_what_is_handed_over_is_installed_loaded_and_reported(
    stack: Stack, desktop: Application
) -> None:
    address, port = desktop.target.split(":")
    stack.gateway.publish(Route(DESKTOP, address, int(port)))
    status = stack.install()
    assert stack.places.installed.read_text() == routes.nginx_text(
        [Route(DESKTOP, address, int(port))]
    )
    assert (status.error, status.refused, status.waiting_since) == ("", (), None)
    assert list(stack.places.spool.iterdir()) == []
    stack.gateway.check()
    stack.plane.allow(ALICE, DESKTOP, desktop.target)
    assert stack.client.ask(path_of(DESKTOP), signed_in(ALICE)).status == 200


def test_what_names_sessions_is_for_root_and_whoever_handed_it_over(stack: Stack) -> None:
    os.chown(stack.places.spool, -1, 65534)
    stack.gateway.publish(numbered(1))
    stack.install()
    found = stack.places.installed.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, os.geteuid(), 65534)


def test_a_bad_line_is_left_out_and_named_and_blocks_nobody(stack: Stack) -> None:
    good = numbered(1)
    bad = [
        "s_x { server 127.213.0.5:80; }",
        f"{DESKTOP} 10.0.0.1:8888",
        f"{DESKTOP} 127.213.0.5:8888; }} server {{ listen 81; }}",
        f"{DESKTOP} 127.213.0.5:70000",
        f"{good.session_id} 127.213.0.7:8888",
        "x" * 100_000,
        f"{'é' * 32} 127.213.0.5:8888",
    ]
    hand_in(stack, "\n".join([*bad[:2], good.line, *bad[2:]]))
    status = stack.install()
    assert stack.places.installed.read_text() == routes.nginx_text([good])
    assert [line.split()[1] for line in status.refused] == ["1", "2", "4", "5", "6", "7", "8"]
    assert all(len(line) < 500 for line in status.refused)


def test_refused_lines_fail_the_command_and_the_check(stack: Stack) -> None:
    stack.gateway.publish(numbered(1))
    text = (stack.places.spool / "candidate").read_text()
    hand_in(stack, text)
    narrow = [*words(stack)]
    narrow[narrow.index(RANGE)] = "127.213.0.0/29"
    done = CliRunner().invoke(main, narrow)
    assert done.exit_code == 1
    assert "the address is no session's in 127.213.0.0/29" in done.stderr
    with pytest.raises(GatewayError, match="left out"):
        stack.gateway.check()


def test_the_command_does_the_same_and_says_nothing(stack: Stack) -> None:
    stack.gateway.publish(numbered(1))
    done = CliRunner().invoke(main, words(stack))
    assert (done.exit_code, done.output) == (0, "")
    stack.gateway.check()
    assert stack.places.installed.read_text() == routes.nginx_text([numbered(1)])


def test_what_nginx_refuses_is_taken_back_and_told(stack: Stack) -> None:
    hand_in(stack, f"{numbered(1).line}\n")
    stack.install()
    good = stack.places.installed.read_text()
    foreign = stack.site.directory / "snippets" / "http-operator.conf"
    foreign.write_text("nonsense;\n")
    stack.gateway.replace([numbered(1), numbered(2)])
    done = CliRunner().invoke(main, words(stack))
    assert done.exit_code == 1
    assert "nonsense" in done.stderr
    assert stack.places.installed.read_text() == good
    with pytest.raises(GatewayError, match="nonsense"):
        stack.gateway.check()
    foreign.unlink()
    stack.install(Pace(look_again=0.0))
    stack.gateway.replace([numbered(1), numbered(2)])
    stack.gateway.poke()
    assert stack.install().error == ""
    stack.gateway.check()
    assert stack.places.installed.read_text() == routes.nginx_text([numbered(1), numbered(2)])


def test_what_a_killed_run_left_untested_is_not_kept_as_the_last_good_one(stack: Stack) -> None:
    hand_in(stack, f"{numbered(1).line}\n")
    stack.install()
    stack.places.installed.write_text("left by a run that was killed;\n")
    (stack.site.directory / "snippets" / "http-operator.conf").write_text("nonsense;\n")
    hand_in(stack, f"{numbered(2).line}\n")
    assert "nonsense" in stack.install().error
    assert stack.places.installed.read_text() == routes.nginx_text([])


def test_a_generated_file_that_was_deleted_is_made_again(stack: Stack) -> None:
    stack.gateway.publish(numbered(1))
    stack.install()
    stack.places.installed.unlink()
    assert stack.install().error == ""
    assert stack.places.installed.read_text() == routes.nginx_text([])
    stack.places.installed.unlink()
    assert stack.gateway.replace([numbered(1)])
    stack.install()
    assert stack.places.installed.read_text() == routes.nginx_text([numbered(1)])
    assert not stack.gateway.replace([numbered(1)])


def test_the_same_again_changes_nothing(stack: Stack) -> None:
    hand_in(stack, f"{numbered(1).line}\n")
    first = stack.install()
    made, since = stack.places.installed.stat().st_mtime_ns, started(stack)
    hand_in(stack, f"{numbered(1).line}\n")
    assert stack.install() == first
    assert stack.install() == first
    assert (stack.places.installed.stat().st_mtime_ns, started(stack)) == (made, since)


def test_a_stop_is_installed_without_a_reload(stack: Stack) -> None:
    stack.gateway.replace([numbered(1), numbered(2)])
    stack.install()
    since = started(stack)
    stack.gateway.withdraw(numbered(1).session_id)
    status = stack.install()
    assert stack.places.installed.read_text() == routes.nginx_text([numbered(2)])
    assert (status.waiting_since, started(stack)) == (None, since)


def test_the_first_change_reloads_at_once_and_the_next_waits_for_the_interval(
    stack: Stack,
) -> None:
    pace = Pace(interval=1.5)
    stack.gateway.publish(numbered(1))
    assert stack.install(pace).waiting_since is None
    since = started(stack)
    for number in (2, 3):
        stack.gateway.publish(numbered(number))
        status = stack.install(pace)
        assert status.again_at == pytest.approx(status.reloaded_at + 1.5)
    assert started(stack) == since
    stack.gateway.check()
    stack.gateway.poke()
    assert list(stack.places.spool.iterdir()) == []
    time.sleep(1.5)
    stack.gateway.poke()
    assert stack.install(pace).waiting_since is None
    assert started(stack) > since


def test_a_reload_by_somebody_else_is_noticed(stack: Stack) -> None:
    pace = Pace(interval=60)
    for number in (1, 2):
        stack.gateway.publish(numbered(number))
        status = stack.install(pace)
    assert status.waiting_since is not None
    time.sleep(2.1)
    master = processes.master(stack.places.pid)
    assert master is not None
    processes.reload(master)
    time.sleep(0.5)
    assert stack.install(pace).waiting_since is None


def test_an_nginx_that_does_not_run_reads_the_file_when_it_starts(stack: Stack) -> None:
    stack.stop()
    stack.gateway.publish(numbered(1))
    assert stack.install().waiting_since is None
    stack.gateway.check()
    assert stack.places.installed.read_text() == routes.nginx_text([numbered(1)])


def test_nothing_but_nginx_is_ever_signalled(stack: Stack) -> None:
    stack.stop()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        stack.places.pid.write_text(str(bystander.pid))
        stack.gateway.publish(numbered(1))
        stack.install()
        assert bystander.poll() is None
        bystander.kill()


def test_of_two_hundred_changes_in_a_row_the_last_stands(stack: Stack) -> None:
    over = threading.Event()

    def watch() -> None:
        while not over.is_set() or any(stack.places.spool.iterdir()):
            if any(stack.places.spool.iterdir()):
                stack.install(Pace(interval=1.0))
            time.sleep(0.005)

    watching = threading.Thread(target=watch)
    watching.start()
    for number in range(200):
        stack.gateway.publish(numbered(number))
        stack.gateway.withdraw(numbered(number - 5).session_id)
        time.sleep(0.01)
    over.set()
    watching.join()
    stack.gateway.check()
    last = [numbered(number) for number in range(195, 200)]
    assert stack.places.installed.read_text() == routes.nginx_text(last)


def test_two_at_once_do_not_harm_each_other(stack: Stack) -> None:
    for number in range(5):
        stack.gateway.publish(numbered(number))
        both = [threading.Thread(target=stack.install) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        wanted = routes.nginx_text([numbered(one) for one in range(number + 1)])
        assert stack.places.installed.read_text() == wanted
    stack.gateway.check()


def test_the_status_is_not_written_where_others_can_write(stack: Stack) -> None:
    stack.places.status.parent.chmod(0o777)
    with pytest.raises(GatewayError, match="no place for the status"):
        stack.install()
    stack.places.status.parent.chmod(0o755)
    link = stack.places.status.parent.with_name("link")
    link.symlink_to(stack.places.status.parent)
    assert stack.install().error == ""


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(stack: Stack) -> None:
    precious = stack.places.pid.with_name("precious")
    precious.write_text("kept")
    for place in (stack.places.status, stack.places.installed):
        fresh = place.with_name(f".{place.name}.new")
        fresh.symlink_to(precious)
        place.unlink(missing_ok=True)
        place.symlink_to(precious)
    stack.gateway.publish(numbered(1))
    stack.install()
    assert precious.read_text() == "kept"
    assert not stack.places.installed.is_symlink()


def test_five_thousand_routes_are_taken_without_a_warning(stack: Stack) -> None:
    text = "".join(
        f"{number:032x} 127.213.{number // 250 % 15}.{number % 250 + 2}:8888\n"
        for number in range(5000)
    )
    found, refused = routes.read(text, IPv4Network(RANGE))
    assert (len(found), refused) == (5000, [])
    stack.places.installed.write_text(routes.nginx_text(found))
    tested = subprocess.run(
        [stack.places.nginx, "-t", "-q", "-c", str(stack.places.config)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert tested.stderr == ""


def test_a_status_that_cannot_be_read_counts_as_none(place: Path) -> None:
    path = place / "status.json"
    for content in ("", "[]", "{}", "\0", '{"candidate": 1}'):
        path.write_text(content)
        assert nginx_status.read(path) == nginx_status.Status()
