"""System users of a real host: who gets in, as whom, and why somebody does not."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from deploy.people import HELLO, Site

from control_plane.web.gate import REFUSAL_SECONDS

PASSWORD = "dora-has-a-long-password"


@pytest.fixture
def dora(bookworm: Site) -> Iterator[Site]:
    """A portal whose host has a user dora, of a group of the host, with one grant."""
    host = bookworm.host
    host.run("groupadd --gid 4321 painters")
    host.run("useradd --create-home --groups painters --shell /bin/bash dora")
    host.run("chpasswd", given=f"dora:{PASSWORD}\n")
    bookworm.remoteappdb("user create dora --kind system")
    bookworm.grants["dora", HELLO] = bookworm.remoteappdb(f"app grant {HELLO} dora --allow-home")
    yield bookworm
    bookworm.tokens.pop("dora", None)
    bookworm.remoteappdb("user remove dora")
    host.run("userdel --remove dora; groupdel painters", check=False)


def attempt(site: Site, password: str = PASSWORD) -> tuple[httpx.Response, float]:
    """Sign in by the form; return the answer, and the seconds it took."""
    begun = time.monotonic()
    with site.host.client(Origin=site.host.url) as client:
        answer = client.post("/login", data={"name": "dora", "password": password})
    return answer, time.monotonic() - begun


def reasons(site: Site) -> list[str]:
    """Return why PAM refused dora so far."""
    journal = site.host.out("journalctl -u remoteapp-pam.service --output=cat")
    return re.findall(r"pam refused name=dora why=(.*)", journal)


def test_a_system_user_works_in_the_own_home_as_oneself(dora: Site) -> None:
    assert attempt(dora)[0].status_code == httpx.codes.SEE_OTHER
    session = dora.start("dora")
    host = dora.host
    container = host.out(
        "docker ps --quiet --filter label=eu.simphony-project.docker.runinfo.user=dora"
    )
    host.run(f"docker exec {container} sh -c 'id >/workspace/me; echo note >/workspace/note'")
    inside = host.out("cat /home/dora/me")
    uid, gid = host.out("id -u dora"), host.out("id -g dora")
    assert re.match(rf"uid={uid}\S* gid={gid}\S* ", inside)
    assert set(re.findall(r"(\d+)", inside.split("groups=")[1])) == {gid, "4321"}
    assert host.out("stat --format=%U:%G /home/dora/note") == "dora:dora"
    dora.stop("dora", session["id"])


def test_the_journal_tells_refusals_apart_and_the_visitor_does_not(dora: Site) -> None:
    host, before = dora.host, len(reasons(dora))
    answers = []
    for change, undo, password in (
        ("true", "true", "wrong"),
        ("usermod --lock dora", "usermod --unlock dora", PASSWORD),
        ("usermod --expiredate 1 dora", "usermod --expiredate '' dora", PASSWORD),
        ("chage --lastday 0 dora", "chage --lastday -1 dora", PASSWORD),
    ):
        host.run(change)
        answers.append(attempt(dora, password))
        host.run(undo)
    assert reasons(dora)[before:] == [
        "wrong password",
        "account locked",
        "account expired",
        "password expired",
    ]
    assert {answer.status_code for answer, _ in answers} == {httpx.codes.UNAUTHORIZED}
    assert len({answer.text for answer, _ in answers}) == 1
    assert min(seconds for _, seconds in answers) >= REFUSAL_SECONDS
    assert PASSWORD not in host.out("journalctl --output=cat")
    assert attempt(dora)[0].status_code == httpx.codes.SEE_OTHER
