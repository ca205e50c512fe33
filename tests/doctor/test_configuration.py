"""What an operator has written: settings, secret, PAM, volumes."""

import shutil
from pathlib import Path

import portal as portals
import pytest
from doctor.installations import ACCOUNT, SECRET, URL, Place

from control_plane.doctor.findings import Finding
from control_plane.domain.entities import Grantee, Policy, Volume

ROLE = "ansible-playbook -i inventory ansible/site.yml --tags control_plane"
PAM = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"


def test_settings_that_are_well_are_said_to_be(place: Place) -> None:
    path = place.places.settings
    assert place.one("settings") == Finding("ok", f"{path} is valid: {URL}, realm doctor.")


def test_settings_that_are_not_there_are_the_playbooks_to_make(place: Place) -> None:
    path = place.places.settings
    path.unlink()
    told = f"There are no settings: {path} is not there."
    assert place.one("settings") == Finding("failed", told, ROLE)


def test_a_bad_setting_is_named_and_nobody_else_tells_of_it_again(place: Place) -> None:
    path = place.places.settings
    path.write_text(f'public_url = "{URL}"\ncolour = 1\n')
    told, todo = "colour = 1: no such setting", f"Mend it in {path}, then: systemctl restart"
    assert place.one("settings") == Finding("failed", f"{told}.", f"{todo} remoteapp")
    behind = Finding("warning", f"Not looked at: {told}", "control-plane doctor --only settings")
    assert [place.one(name) for name in ("database", "engine", "people")] == [behind] * 3


def test_settings_that_everyone_may_read_are_told_of(place: Place) -> None:
    path = place.places.settings
    path.chmod(0o644)
    told = Finding("warning", f"{path} can be read by everyone.", f"chmod o= {path}")
    assert place.look("settings")[0] == told


def test_settings_that_the_service_may_not_read_are_told_of(place: Place) -> None:
    path = place.places.settings
    path.chmod(0o600)
    told = f"{path} cannot be read by daemon: its mode is -rw-------."
    assert place.look("settings")[0] == Finding("failed", told, f"chgrp daemon {path}")


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (None, 0o600, "There is no secret: {} is not there."),
        ("short", 0o600, "{} is too short: 5 of at least 32 bytes."),
        (SECRET, 0o640, "{} is not root's alone: -rw-r-----, uid 0."),
    ],
)
def test_a_secret_that_is_none_is_told_of_and_never_shown(
    place: Place, content: str | None, mode: int, told: str
) -> None:
    path = place.places.secret
    path.unlink()
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    found = [one for one in place.look("settings") if one.status != "ok"]
    assert [(one.status, one.found) for one in found] == [("failed", told.format(path))]
    assert str(path) in found[0].todo
    assert SECRET not in str(found)


def test_pam_is_well_where_the_service_may_compare_passwords(place: Place) -> None:
    _pam(place, PAM)
    path = place.places.pam / "remoteapp"
    told = f"{path} asks modules that are there, and daemon may read password hashes."
    assert place.one("pam") == Finding("ok", told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "The PAM service {} cannot be read: No such file or directory."),
        ("auth required pam_unix.so\n", "{} has no line for account: nobody signs in by it."),
        (PAM + "auth required pam_no.so\n", "{} names pam_no.so, which is not there."),
    ],
)
def test_a_pam_service_that_lets_nobody_in_is_told_of(
    place: Place, text: str | None, told: str
) -> None:
    _pam(place, text)
    assert told.format(place.places.pam / "remoteapp") in [one.found for one in place.look("pam")]


def test_hashes_that_the_service_cannot_read_make_every_password_wrong(place: Place) -> None:
    _pam(place, PAM)
    place.places.shadow.chmod(0o600)
    found = place.one("pam")
    assert found.status == "failed"
    assert f"daemon may not read {place.places.shadow}" in found.found
    assert found.todo.startswith("usermod --append --groups shadow daemon;")


def test_pam_is_beside_the_point_where_nobody_signs_in_by_it(place: Place) -> None:
    place.keys = {"auth": {"methods": ["virtual"]}}
    assert place.one("pam") == Finding("ok", "Does not apply: pam is not among auth.methods.")


def test_a_volume_that_is_gone_is_told_of_by_its_grant(place: Place) -> None:
    with portals.mountable() as root:
        source = root / "data"
        source.mkdir()
        place.keys = {"volumes": {"roots": [str(root)]}}
        place.remoteappdb("user create alice")
        place.remoteappdb("app create desk --no-verify")
        grant = _grant(place, source)
        assert place.one("volumes").status == "ok"
        shutil.rmtree(source)
        found = place.one("volumes")
    assert found.status == "failed"
    assert found.found.startswith(f"The volume {source}:/data:ro of grant {grant} cannot be")
    assert found.todo.startswith(f"ls -ld {source};")


def _grant(place: Place, source: Path) -> str:
    """Grant what `remoteappdb` would judge by the host's own settings."""
    with place.opened() as one:
        accounting = one.stores.accounting
        policy = Policy(volumes=(Volume(str(source), "/data", "ro"),))
        application = accounting.applications()[0].id
        return accounting.add_grant(Grantee("user", "alice"), application, policy).id


def _pam(place: Place, text: str | None) -> None:
    place.places.pam.mkdir()
    if text is not None:
        (place.places.pam / "remoteapp").write_text(text)
    place.places.shadow.write_text("")
    shutil.chown(place.places.shadow, group=ACCOUNT)
    place.places.shadow.chmod(0o640)
