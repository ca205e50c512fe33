"""The host's user database, as far as it can be odd."""

import pwd
from pathlib import Path

from control_plane.adapters.pam_host import PamHost


def any_case(name: str) -> pwd.struct_passwd:
    """Look a name up as directories do that do not tell letters apart."""
    return pwd.getpwnam(name.lower())


def test_a_user_has_one_name_where_the_host_knows_many(tmp_path: Path) -> None:
    everyone = tmp_path / "login.defs"
    everyone.write_text("UID_MIN 0\n")
    host = PamHost("login", everyone, any_case)
    assert host.person("root") is not None
    assert host.person("ROOT") is None
    assert host.knows_name("ROOT")
