"""What lacks at a start is made: directories, the secret, the databases, an administrator.

Invariant: what is there is kept, and no secret is printed.
"""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.settings import Settings
from control_plane.trial import programs
from control_plane.trial.account import Account
from control_plane.trial.contained import places
from control_plane.trial.demo import write_private
from control_plane.trial.places import command
from control_plane.trial.progress import say

_ADMINISTRATOR = "admin"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_BOOTS = "boot-"


def directories(found: Settings, account: Account) -> Path:
    """Make what lacks; return the directory of this boot of the host, of which there is one."""
    state = found.state_directory
    _own(state, account, 0o750)
    if (owner := state.stat().st_uid) != account.uid:
        raise ControlPlaneError(
            f"{state} belongs to the uid {owner}, so another portal uses it.",
            "Give this one a directory of its own: STATE_DIRECTORY.",
        )
    for path in (found.spool.parent, found.spool, places.CREDENTIALS):
        _own(path, account, 0o700)
    for path in (places.SOCKET.parent, places.ROUTES_STATUS.parent, places.NGINX):
        path.mkdir(mode=0o755, exist_ok=True)
    boot = state / f"{_BOOTS}{_BOOT.read_text().strip()}"
    for old in {*state.glob(f"{_BOOTS}*")} - {boot}:
        shutil.rmtree(old)
    _own(boot, account, 0o700)
    return boot


def secret(account: Account) -> None:
    """Make the secret that signs cookies, root's; give the control plane a copy."""
    if not places.SECRET.exists():
        write_private(places.SECRET, secrets.token_hex(32))
    copy = places.CREDENTIALS / places.SECRET.name
    write_private(copy, places.SECRET.read_text())
    os.chown(copy, account.uid, account.gid)


def databases(environment: Mapping[str, str]) -> None:
    """Make the databases, or bring them up to date."""
    programs.must([command("remoteappdb"), "init"], environment=environment)


def administrator(found: Settings, environment: Mapping[str, str]) -> None:
    """Make the first administrator where there is nobody at all, and say where the password is."""
    is_ours = not (found.accounting.class_ or found.accounting_file)
    if not is_ours or "virtual" not in found.auth.methods:
        return
    user = (command("remoteappdb"), "user")
    if json.loads(programs.must([*user, "list", "--json"], environment=environment)):
        return
    if not places.PASSWORD.exists():
        write_private(places.PASSWORD, secrets.token_urlsafe(15) + "\n")
    password = places.PASSWORD.read_text().strip()
    programs.must([*user, "create", _ADMINISTRATOR, "--admin"], environment=environment)
    words = [*user, "password", _ADMINISTRATOR, "--stdin"]
    programs.must(words, line=password, environment=environment)
    say(f"The first administrator is {_ADMINISTRATOR}; the password stands in {places.PASSWORD}.")


def _own(path: Path, account: Account, mode: int) -> None:
    """Make a directory of the account's; one that is somebody else's stays so."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    if path.stat().st_uid == 0:
        path.chmod(mode)
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
