"""What stands behind the control plane: the door and its rules, the forwarder, the sockets."""

import grp
import os
import shutil
import socket
from contextlib import closing
from pathlib import Path

import pytest
from doctor.installations import ACCOUNT, BEHIND, Place

from control_plane.adapters import sudo_host

ROLE = "Make them agree: ansible-playbook -i inventory ansible/site.yml --tags control_plane"


def rules(place: Place, text: str, mode: int = 0o640) -> Path:
    """Write the rules of the engine's door, root's and readable by its account."""
    path = place.places.rules
    path.write_text(text)
    path.chmod(mode)
    os.chown(path, 0, grp.getgrnam(BEHIND).gr_gid)
    return path


def test_where_no_units_run_and_no_rules_are_there_neither_applies(place: Place) -> None:
    for name in ("door", "forwarder"):
        found = place.one(name)
        assert (found.status, found.found.startswith("Does not apply")) == ("ok", True)


@pytest.mark.parametrize(
    ("written", "settings", "said"),
    [
        ('realm = "other"', {}, "realm is other in {rules} and doctor in {settings}."),
        (
            'realm = "doctor"\nvirtual_uids = [80000, 80001]',
            {},
            "virtual_uids is (80000, 80001) in {rules} and (70000, 99999) in {settings}.",
        ),
        (
            'realm = "doctor"',
            {"volumes": {"roots": ["/srv"]}},
            "The settings allow volumes below /srv, and {rules} does not.",
        ),
        (
            'realm = "doctor"\nvolume_roots = ["/srv"]',
            {},
            "{rules} allows volumes below /srv, which the settings do not.",
        ),
    ],
    ids=["realm", "uids", "narrower", "wider"],
)
def test_rules_that_are_not_the_settings_are_told_of(
    place: Place, written: str, settings: dict[str, object], said: str
) -> None:
    path = rules(place, written)
    place.keys = settings
    (found,) = [one for one in place.look("door") if one.todo == ROLE]
    assert found.found == said.format(rules=path, settings=place.places.settings)
    assert found.status == ("warning" if "allows" in said else "failed")


def test_who_can_become_root_by_sudo_is_to_be_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sudo_host, "everybody", lambda: iter(["root", "daemon"]))
    path = rules(place, 'realm = "doctor"')
    (found,) = [one for one in place.look("door") if "sudo" in one.found]
    assert (found.status, "By sudo daemon can become root" in found.found) == ("warning", True)
    for named in ('powerful_users = ["daemon"]', "allow_powerful_homes = true"):
        path.write_text(f'realm = "doctor"\n{named}')
        assert not [one for one in place.look("door") if "sudo" in one.found]


def test_rules_that_cannot_be_taken_are_told_of_by_their_key(place: Place) -> None:
    path = rules(place, 'realm = "doctor"\nimages = "all"')
    assert place.one("door").found.startswith(f"{path}: images = 'all': ")
    rules(place, 'realm = "doctor"', 0o666)
    assert "writable by nobody else" in place.one("door").found


def test_rules_that_the_door_cannot_read_and_a_door_that_is_away_are_two_things(
    place: Place,
) -> None:
    path = rules(place, 'realm = "doctor"', 0o600)
    told = [one.found for one in place.look("door")]
    assert len(told) == 2
    assert told[1] == f"{path} cannot be read by {BEHIND}: its mode is -rw-------."


def test_a_forwarder_that_is_away_keeps_out_those_who_come_by_a_share(place: Place) -> None:
    rules(place, 'realm = "doctor"')
    found = place.one("forwarder")
    assert (found.status, found.found.endswith("Nobody gets in by a share.")) == ("failed", True)


def test_each_socket_has_to_be_whose_it_is(place: Place) -> None:
    rules(place, 'realm = "doctor"')
    places = place.places
    for_nginx = (places.socket, places.forwarder_socket)
    alone = (places.engine_socket, places.pam_socket, places.forwarder_control)
    for path in (*for_nginx, *alone):
        with closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(str(path))
        owner = BEHIND if path == places.forwarder_socket else ACCOUNT
        shutil.chown(path, owner, "www-data" if path in for_nginx else "root")
        path.chmod(0o660 if path in for_nginx else 0o600)
    assert [one.found for one in place.look("ports") if "nginx has no site" not in one.found] == []
    places.engine_socket.chmod(0o666)
    shutil.chown(places.pam_socket, BEHIND)
    told = [one.found for one in place.look("ports")[1:]]
    assert told == [
        f"{places.engine_socket} is srw-rw-rw- {ACCOUNT}:root, not srw------- {ACCOUNT}.",
        f"{places.pam_socket} is srw------- {BEHIND}:root, not srw------- {ACCOUNT}.",
    ]


def test_one_origin_for_all_is_said_to_be_one(place: Place) -> None:
    place.keys = {"apps_port": 0}
    found = place.one("applications")
    assert (found.status, found.found.startswith("Applications share the portal's origin")) == (
        "ok",
        True,
    )
