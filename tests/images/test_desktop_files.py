"""Files through the desktop's Downloads: whole or not at all, and no way out of the folder."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest
from images.conftest import BASE, UID, Running, Start, until

FOLDER = "/workspace/Downloads"
MIB = 2**20
TMPFILE = 0o20200000  # O_TMPFILE of openat
# As if the home were on a file system where a file must have a name, such as NFS.
WITHOUT_TMPFILE = "seccomp=" + json.dumps(
    {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {
                "names": ["openat"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 95,
                "args": [
                    {
                        "index": 2,
                        "value": TMPFILE,
                        "valueTwo": TMPFILE,
                        "op": "SCMP_CMP_MASKED_EQ",
                    }
                ],
            }
        ],
    }
)
HOMES = pytest.mark.parametrize("security", [(), (WITHOUT_TMPFILE,)], ids=["plain", "named"])


@pytest.fixture(scope="module")
def shared(start_shared: Start) -> Running:
    return start_shared("terminal")


def send(desktop: Running, name: str, content: bytes | Iterator[bytes]) -> httpx.Response:
    """Upload a file, its name percent-encoded here."""
    return desktop.ask("PUT", f"{BASE}/files/{quote(name, safe='')}", content=content)


def fetch(desktop: Running, name: str, **options: dict[str, str]) -> httpx.Response:
    return desktop.get(f"/files/{quote(name, safe='')}", **options)


def listed(desktop: Running) -> list[str]:
    """Return the names of the files that can be fetched, sorted."""
    return sorted(item["name"] for item in desktop.get("/files").json()["items"])


def there(desktop: Running) -> list[str]:
    """Return the names of all that is in the folder, hidden or not, sorted."""
    return sorted(desktop.run("ls", "-A", FOLDER).splitlines())


def kept(desktop: Running) -> str:
    """Return the names of all files in the home and where a name could lead out of it."""
    return desktop.run("find", "/workspace", "/tmp", "-path", "*/.cache", "-prune", "-o", "-print")


def blocks(count: int) -> Iterator[bytes]:
    """Send so many MiB whose number is not told before."""
    return (b"\1" * MIB for _ in range(count))


def used(desktop: Running) -> int:
    """Return the bytes that the home holds."""
    return int(desktop.run("df", "--output=used", "--block-size=1", "/workspace").split()[1])


@HOMES
def test_a_file_comes_back_as_it_was_sent(start: Start, security: tuple[str, ...]) -> None:
    desktop = start("terminal", security=security)
    assert desktop.get("/files").json() == {"items": []}
    assert fetch(desktop, "data.csv").status_code == 404
    assert "Downloads" not in desktop.run("ls", "/workspace")
    answer = send(desktop, "data.csv", b"a,b\n1,2\n")
    assert (answer.status_code, answer.json()) == (201, {"name": "data.csv"})
    (item,) = desktop.get("/files").json()["items"]
    assert (item["name"], item["size"]) == ("data.csv", 8)
    assert item["modified"].endswith("Z")
    answer = fetch(desktop, "data.csv")
    assert (answer.status_code, answer.content) == (200, b"a,b\n1,2\n")
    assert answer.headers["Content-Disposition"] == "attachment; filename=data.csv"
    facts = desktop.run("stat", "-c", "%u %a", f"{FOLDER}/data.csv")
    assert facts == f"{UID} 644\n"
    assert there(desktop) == ["data.csv"]


@pytest.mark.parametrize("name", ["Grüße 雪 ☃.txt", "100% ?#&+;=.txt", 'quote".txt', "-rf", "a..b"])
def test_a_name_is_kept_whatever_it_is(shared: Running, name: str) -> None:
    assert send(shared, name, b"x").json() == {"name": name}
    assert name in listed(shared)
    assert fetch(shared, name).content == b"x"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".hidden",
        "%2E%2E",
        "..x",
        "%2E%2E%2Fout",
        "a%2Fb",
        "a/b",
        "a%00b",
        "a%0Ab",
        "%FF",
        "x" * 241,
    ],
)
def test_a_name_that_no_file_can_have_is_refused(shared: Running, path: str) -> None:
    before = kept(shared)
    answer = shared.ask("PUT", f"{BASE}/files/{path}", content=b"x")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert sorted(answer.json()) == ["detail", "status", "title"]
    assert kept(shared) == before


@HOMES
def test_nothing_is_overwritten_not_even_by_many_at_once(
    start: Start, security: tuple[str, ...]
) -> None:
    desktop = start("terminal", security=security)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: send(desktop, "plot.png", b"%d" % n), range(8)))
    names = [answer.json()["name"] for answer in answers]
    assert sorted(names) == ["plot (2).png", *[f"plot ({n}).png" for n in range(3, 9)], "plot.png"]
    assert [fetch(desktop, name).content for name in names] == [b"%d" % n for n in range(8)]
    assert there(desktop) == sorted(names)


@pytest.fixture
def odd(start: Start) -> Running:
    """A desktop whose Downloads holds what is not a plain file."""
    desktop = start("terminal")
    script = (
        f"mkdir -p {FOLDER}/folder && cd {FOLDER} && mkfifo fifo && ln -s /etc/passwd link "
        "&& ln -s /workspace/outside dangling && echo secret > .hidden && echo plain > plain "
        "&& ln -s . here && echo deep > folder/deep && echo bytes > \"$(printf 'b\\377')\""
    )
    desktop.run("sh", "-c", script)
    return desktop


def test_only_plain_files_are_there(odd: Running) -> None:
    assert listed(odd) == ["plain"]
    for name in (
        "fifo",
        "link",
        "dangling",
        "folder",
        "here",
        ".hidden",
        "folder/deep",
        "here/plain",
    ):
        assert fetch(odd, name).status_code == 404
    assert odd.get("/files/%2E%2E%2F%2E%2E%2Fetc%2Fpasswd").status_code == 404
    assert fetch(odd, "plain").content == b"plain\n"


def test_a_link_is_never_written_through(odd: Running) -> None:
    assert send(odd, "dangling", b"x").json() == {"name": "dangling (2)"}
    assert send(odd, "fifo", b"x").json() == {"name": "fifo (2)"}
    assert "outside" not in odd.run("ls", "-A", "/workspace")


def test_a_folder_that_is_a_link_is_refused(start: Start) -> None:
    desktop = start("terminal")
    desktop.run("sh", "-c", f"mkdir /tmp/elsewhere && ln -s /tmp/elsewhere {FOLDER}")
    answers = [send(desktop, "x", b"x"), desktop.get("/files"), fetch(desktop, "x")]
    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert desktop.run("ls", "-A", "/tmp/elsewhere") == ""


@HOMES
def test_what_does_not_fit_leaves_nothing(start: Start, security: tuple[str, ...]) -> None:
    desktop = start("terminal", home="size=3m", security=security)
    answer = send(desktop, "known", b"\1" * 4 * MIB)
    assert answer.status_code == 507
    assert answer.json()["detail"] == "Your home is full: delete files, or take a smaller one."
    assert send(desktop, "streamed", blocks(4)).status_code == 507
    assert there(desktop) == []
    assert used(desktop) < MIB
    assert send(desktop, "small", b"x").status_code == 201


def begin_upload(desktop: Running) -> socket.socket:
    """Send half of a file and return the connection."""
    connection = socket.create_connection((desktop.address, 8888))
    head = f"PUT {BASE}/files/half HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * MIB}\r\n\r\n"
    connection.sendall(head.encode() + b"\1" * 2 * MIB)
    until(lambda: used(desktop) >= MIB, why="nothing of it arrived")
    return connection


@HOMES
def test_an_upload_that_breaks_off_leaves_nothing(start: Start, security: tuple[str, ...]) -> None:
    desktop = start("terminal", security=security)
    connection = begin_upload(desktop)
    assert listed(desktop) == []
    connection.close()
    until(lambda: used(desktop) < MIB, why="the half file is kept")
    assert there(desktop) == []


def test_an_upload_that_the_end_cuts_off_leaves_nothing(start: Start) -> None:
    """The home outlives the session: it is kept by a process that ends last."""
    desktop = start("terminal", security=(WITHOUT_TMPFILE,))
    with begin_upload(desktop):
        assert [name[:8] for name in there(desktop)] == [".upload-"]
        command = f'kill -TERM $(pgrep -x desktop); while [ -n "$(ls -A {FOLDER})" ]; do :; done'
        words = ["timeout", "5", "sh", "-c", command]
        assert desktop.container.exec_run(words)[0] == 0


def test_a_large_file_passes_without_being_held(shared: Running) -> None:
    assert send(shared, "large", blocks(64)).status_code == 201
    answer = fetch(shared, "large")
    assert len(answer.content) == 64 * MIB
    peak = shared.run("sh", "-c", "grep VmHWM /proc/$(pgrep -x desktop)/status").split()[1]
    assert int(peak) < 24 * 1024
    shared.run("rm", f"{FOLDER}/large")


def test_a_part_of_a_file_can_be_asked_for(shared: Running) -> None:
    name = send(shared, "digits", b"0123456789").json()["name"]
    answer = fetch(shared, name, headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.content) == (206, b"234")


def test_who_may_only_look_gets_no_files_and_starts_nothing(shared: Running) -> None:
    view = {"X-Session-Access": "view"}
    asked = [
        ("GET", "/files"),
        ("GET", "/files/digits"),
        ("HEAD", "/files/digits"),
        ("PUT", "/files/x"),
        ("POST", "/application"),
    ]
    answers = [shared.ask(method, BASE + path, headers=view) for method, path in asked]
    assert [answer.status_code for answer in answers] == [403] * len(asked)
    control = {"X-Session-Access": "control"}
    assert shared.get("/files", headers=control).status_code == 200


def test_other_verbs_are_refused(shared: Running) -> None:
    answer = shared.ask("DELETE", f"{BASE}/files/x")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, PUT")
    assert shared.get("/application").status_code == 405


def test_the_newest_thousand_are_listed(start: Start) -> None:
    desktop = start("terminal")
    script = (
        f"mkdir -p {FOLDER} && cd {FOLDER} && seq 1200 | xargs touch -d 2020-01-01 && touch new"
    )
    desktop.run("sh", "-c", script)
    names = [item["name"] for item in desktop.get("/files").json()["items"]]
    assert (len(names), names[0]) == (1000, "new")
