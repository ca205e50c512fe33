"""The accounts of our processes, which a trial and the tests of this machine may share."""

import fcntl
from pathlib import Path

import pytest

from control_plane.trial import host


def test_nobody_may_remove_the_accounts_while_a_trial_uses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "ACCOUNTS", tmp_path / "accounts")
    with host.ACCOUNTS.open("a+") as other:
        with host.accounts_in_use(), host.accounts_in_use(), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
