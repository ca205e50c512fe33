"""Names: which a virtual user may have, how hostile ones are shown, what a container says."""

import pytest

from control_plane.domain.names import check_virtual_name, container_login, shown
from control_plane.errors import ConflictError, InvalidError


@pytest.mark.parametrize("name", ["alice", "_x", "a.b-c_d@example.org", "a1", "x" * 64])
def test_a_virtual_user_may_be_called(name: str) -> None:
    check_virtual_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "a b", "../../etc", "Alice", "1alice", "-a", "élise", "alice\n", "x" * 300, "x" * 65],
)
def test_a_virtual_user_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_virtual_name(name)
    assert [error.field for error in caught.value.errors] == ["name"]
    assert len(caught.value.message) < 110
    assert caught.value.message.isprintable()


def test_root_is_the_hosts() -> None:
    with pytest.raises(ConflictError, match="root"):
        check_virtual_name("root")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice", "alice"),
        ("élise", "élise"),
        ("", "''"),
        ("  ", "'  '"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202egnp", "\\u202egnp"),
        ("\udc80", "\\udc80"),
        ("x" * 60, "x" * 60),
        ("x" * 61, "x" * 60 + "…"),
        ("\n" * 300, "\\n" * 30 + "…"),
    ],
)
def test_a_hostile_name_is_shown_escaped_and_cut(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize("name", ["alice", "_x", "a-b_c1", "x" * 32])
def test_the_container_calls_people_by_their_name(name: str) -> None:
    assert container_login(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "root",
        "www-data",
        "_apt",
        "sshd",
        "systemd-network",
        "staff",
        "a.b",
        "a@b",
        "Alice",
        "x" * 33,
        "",
        "../x",
    ],
)
def test_the_container_says_user_where_useradd_would_refuse(name: str) -> None:
    assert container_login(name) == "user"
