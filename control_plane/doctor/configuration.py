"""What an operator has written: settings, secret, PAM, what may be mounted.

Invariant: no secret is ever part of a finding.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from control_plane import installed
from control_plane.adapters.pam_host import PamHost
from control_plane.doctor.accounts import group_name, groups_of
from control_plane.doctor.findings import Finding, failed, ok, warning
from control_plane.doctor.installation import SERVICE, Installation
from control_plane.doctor.names import some
from control_plane.errors import InvalidError, SettingsError

_EXAMPLE = "ansible-playbook -i inventory ansible/site.yml --tags control_plane"
_MODULES = ("lib/*/security", "lib/security", "lib64/security", "usr/lib/*/security")
_LEAST_SECRET = 32


def settings(one: Installation) -> Iterator[Finding]:
    """See that settings and secret are there, hold what they must, and are nobody else's."""
    path = one.places.settings
    if not path.exists():
        yield failed(f"There are no settings: {path} is not there.", _EXAMPLE)
    else:
        yield from _settings_file(one, path)
    yield from _secret(one.places.secret)


def pam(one: Installation) -> Iterator[Finding]:
    """See that system users can prove who they are."""
    if "pam" not in one.settings.auth.methods:
        yield ok("Does not apply: pam is not among auth.methods.")
        return
    path = one.places.pam / one.settings.auth.pam_service
    account = one.places.pam_account if one.is_apart else one.places.account
    bad = [*_pam_service(path), *_shadow(one, account)]
    yield from bad
    if not bad:
        yield ok(f"{path} asks modules that are there, and {account} may read password hashes.")


def volumes(one: Installation) -> Iterator[Finding]:
    """See that what grants mount may still be mounted, and that homes are there."""
    grants = one.grants()
    folders = installed.folders(one.settings)
    bad = []
    for grant in grants:
        for volume in grant.policy.volumes:
            try:
                folders.resolved(volume)
            except InvalidError as error:
                why = error.errors[0].message if error.errors else error.message
                told = f"The volume {volume} of grant {grant.id} cannot be mounted: {why}."
                revoke = f"remoteapprest admin grant remove {grant.id}"
                bad.append(failed(told, f"ls -ld {volume.source}; or {revoke}"))
    bad += _homes(one)
    yield from bad
    if not bad:
        roots = ", ".join(str(root) for root in one.settings.volumes.roots) or "none"
        yield ok(f"Directories that grants may mount from: {roots}; all that they mount is there.")


def _settings_file(one: Installation, path: Path) -> Iterator[Finding]:
    try:
        found = one.settings
    except SettingsError as error:
        yield failed(f"{error.message}.", f"Mend it in {path}, then: systemctl restart {SERVICE}")
        return
    if path.stat().st_mode & stat.S_IROTH:
        yield warning(f"{path} can be read by everyone.", f"chmod o= {path}")
    account = one.places.account
    if why := unreadable(path, account):
        yield failed(f"{path} cannot be read by {account}: {why}.", f"chgrp {account} {path}")
    yield ok(f"{path} is valid: {found.public_url}, realm {found.realm}.")


def unreadable(path: Path, name: str) -> str:
    """Return why an account may not read a file of root's; nothing where it may."""
    with suppress(KeyError):
        account, found = pwd.getpwnam(name), path.stat()
        may = (
            found.st_mode & stat.S_IROTH
            or (found.st_uid == account.pw_uid and found.st_mode & stat.S_IRUSR)
            or (found.st_gid in groups_of(name) and found.st_mode & stat.S_IRGRP)
        )
        return "" if may else f"its mode is {stat.filemode(found.st_mode)}"
    return ""


def _secret(path: Path) -> Iterator[Finding]:
    make = f"(umask 077; head -c 32 /dev/urandom | base64 >{path})"
    try:
        found, length = path.stat(), len(path.read_bytes().strip())
    except FileNotFoundError:
        yield failed(f"There is no secret: {path} is not there.", make)
        return
    except PermissionError:
        yield warning(f"Not looked at: only root may read {path}.", "sudo control-plane doctor")
        return
    if length < _LEAST_SECRET:
        yield failed(f"{path} is too short: {length} of at least {_LEAST_SECRET} bytes.", make)
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or found.st_uid not in (0, os.geteuid()):
        told = f"{path} is not root's alone: {stat.filemode(found.st_mode)}, uid {found.st_uid}."
        yield failed(told, f"chown root:root {path}; chmod 600 {path}")


def _pam_service(path: Path) -> Iterator[Finding]:
    role = _EXAMPLE
    try:
        lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    except OSError as error:
        yield failed(f"The PAM service {path} cannot be read: {error.strerror}.", role)
        return
    rules = [words for words in lines if words]
    for kind in ("auth", "account"):
        if not any(words[0].lstrip("-") == kind or words[0] == "@include" for words in rules):
            yield failed(f"{path} has no line for {kind}: nobody signs in by it.", role)
    named = {word for words in rules for word in words if word.endswith(".so")}
    for module in sorted(named):
        if not [one for place in _MODULES for one in Path("/").glob(f"{place}/{module}")]:
            yield failed(f"{path} names {module}, which is not there.", f"apt-file search {module}")


def _shadow(one: Installation, account: str) -> Iterator[Finding]:
    """Judge whether pam_unix may compare a password where it is asked, and nobody else."""
    path, service = one.places.shadow, one.places.account
    unit = f"{SERVICE}-pam" if one.is_apart else SERVICE
    if why := unreadable(path, account):
        yield failed(
            f"{account} may not read {path}, so every password of a system user is wrong: {why}.",
            f"usermod --append --groups shadow {account}; systemctl restart {unit}",
        )
    if one.is_apart and path.stat().st_gid in groups_of(service):
        told = f"{service} may read {path}: who takes the control plane over has every hash."
        leave = f"gpasswd --delete {service} {group_name(path.stat().st_gid)}"
        yield failed(told, f"{leave}; systemctl restart {SERVICE}")


def _homes(one: Installation) -> Iterator[Finding]:
    host = PamHost(one.settings.auth.pam_service)
    users = [user for user in one.users() if user.kind == "system"]
    people = {user.name: host.person(user.name) for user in users if user.enabled}
    gone = [name for name, person in people.items() if person is None]
    if gone:
        todo = f"useradd --create-home {gone[0]}, or remoteappdb user remove {gone[0]}"
        yield warning(f"The host has no account for {some(gone)} who may sign in.", todo)
    without = [person for person in people.values() if person and not Path(person.home).is_dir()]
    if without:
        first = without[0]
        make = f"mkhomedir_helper {first.name}"
        names = some([person.name for person in without])
        yield warning(f"The home of {names} is not there ({first.home}).", make)
