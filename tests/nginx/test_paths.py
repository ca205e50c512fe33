"""Below which path an application is: what it sees of it, and where its addresses lead back to."""

import json
import socket

import pytest
from nginx.clients import ALICE, DESKTOP, NOTEBOOK, Answer, Browser, path_of, signed_in
from nginx.conftest import Stack
from nginx.stubs import ANSWER_WITH, Application, application, websocket_echo

# The same application under two sessions: one knows its path, from the other it is taken off.
KNOWN, STRIPPED = DESKTOP, NOTEBOOK
OURS = "__Host-remoteapp"
SPELLINGS = [
    "",
    "?a=b",
    "a%2Fb",
    "a%2fb/%2e%2e/c",
    "a/../b",
    "a//b///c",
    "/a",
    "%E2%82%AC?q=%2F&r=a+b",
    "\u20ac",
    "x?next=/user/bob/containers/",
    "x?y=http://localhost/",
    "x#y",
    "a;b=c,d:e@f!$&'()*",
    "a|b^c`d{e}",
    "%25%32%66",
    "\\..\\x",
]


@pytest.fixture
def both(stack: Stack, desktop: Application) -> Stack:
    """The portal, where the desktop is both."""
    for session in (KNOWN, STRIPPED):
        stack.plane.allow(ALICE, session, desktop.target)
    stack.plane.stripped.add(STRIPPED)
    return stack


def base_of(session: str) -> str:
    return path_of(session).rstrip("/")


def load(stack: Stack, target: str) -> None:
    """Have the routes in nginx."""
    lines = [f"{session} {target}\n" for session in (KNOWN, STRIPPED)]
    (stack.places.spool / "candidate").write_text("".join(lines))
    stack.install()


def answered(stack: Stack, session: str, *headers: tuple[str, str]) -> Answer:
    """Return an answer that the application gave these headers."""
    asked = [*signed_in(ALICE), (ANSWER_WITH, json.dumps(headers))]
    answer = stack.client.ask(path_of(session, "x"), asked)
    assert answer.status == 200
    return answer


def raw(stack: Stack, target: bytes) -> bytes:
    """Send a request line that no client lets through; return the whole answer."""
    head = b"GET %s HTTP/1.1\r\nHost: localhost:%d\r\nCookie: %s\r\nConnection: close\r\n\r\n"
    with (
        socket.create_connection(("localhost", stack.client.port), timeout=15) as plain,
        stack.client.context.wrap_socket(plain, server_hostname="localhost") as one,
    ):
        one.sendall(head % (target, stack.client.port, signed_in(ALICE)[0][1].encode()))
        return b"".join(iter(lambda: one.recv(65536), b""))


@pytest.mark.parametrize("loaded", [False, True], ids=["fresh", "loaded"])
def test_it_sees_what_follows_its_path_byte_for_byte(
    both: Stack, desktop: Application, *, loaded: bool
) -> None:
    if loaded:
        load(both, desktop.target)
    for rest in SPELLINGS:
        target = path_of(STRIPPED, rest).encode()
        told = json.loads(raw(both, target).partition(b"\r\n\r\n")[2])
        assert told["path"].encode("latin-1") == target.removeprefix(base_of(STRIPPED).encode())
        assert ["X-Script-Name", base_of(STRIPPED)] in told["headers"]


def test_another_session_beside_it_sees_its_path_whole(both: Stack) -> None:
    seen = [
        both.client.ask(path_of(session, "a%2Fb?c"), signed_in(ALICE)).told["path"]
        for session in (STRIPPED, KNOWN, STRIPPED)
    ]
    assert seen == ["/a%2Fb?c", path_of(KNOWN, "a%2Fb?c"), "/a%2Fb?c"]


def test_a_request_line_with_a_whole_address_counts_by_its_path(both: Stack) -> None:
    whole = f"http://localhost{path_of(STRIPPED, 'x%2Fy')}".encode()
    assert json.loads(raw(both, whole).partition(b"\r\n\r\n")[2])["path"] == "/x%2Fy"


def test_connections_are_kept_where_the_path_is_taken_off(
    both: Stack, desktop: Application
) -> None:
    load(both, desktop.target)
    for _ in range(20):  # old and new workers both answer for a moment
        before = len(desktop.connections)
        for _ in range(20):
            answer = both.client.ask(path_of(STRIPPED), signed_in(ALICE))
            assert answer.told["path"] == "/"
        if len(desktop.connections) - before <= 4:
            return
    pytest.fail("every request opens a connection")


def test_a_websocket_opens_where_the_path_is_taken_off(both: Stack, browser: Browser) -> None:
    with websocket_echo("127.213.0.8") as echo:
        both.plane.allow(ALICE, STRIPPED, echo.target)
        assert browser.echo(browser.open(both.client, path_of(STRIPPED, "ws"), signed_in(ALICE)))
        browser.close()
        (seen,) = echo.handshakes
    assert dict(seen)["X-Script-Name"] == base_of(STRIPPED)


# {host}: as the browser names it; {own}: with the port that the application listens on.
@pytest.mark.parametrize(
    ("sent", "known", "stripped"),
    [
        ("http://{host}{base}/x?a=b#c", "https://{host}{base}/x?a=b#c", "https://{host}{base}/x?a=b#c"),
        ("https://{host}{base}/x", "https://{host}{base}/x", "https://{host}{base}/x"),
        ("http://{host}/%2F?a=http://b", "https://{host}/%2F?a=http://b", "https://{host}{base}/%2F?a=http://b"),
        ("https://{host}/x", "https://{host}/x", "https://{host}{base}/x"),
        ("http://{host}//x", "https://{host}//x", "https://{host}{base}//x"),
        ("http://{own}/x", "https://{host}/x", "https://{host}{base}/x"),
        ("http://{own}{base}/x", "https://{host}{base}/x", "https://{host}{base}/x"),
        ("{base}/x", "{base}/x", "{base}/x"),
        ("/x", "/x", "{base}/x"),
        ("/", "/", "{base}/"),
        ("//elsewhere.example.org/x", "//elsewhere.example.org/x", "//elsewhere.example.org/x"),
        ("x/../y?a", "x/../y?a", "x/../y?a"),
        ("?a", "?a", "?a"),
        ("https://elsewhere.example.org/x", "https://elsewhere.example.org/x", "https://elsewhere.example.org/x"),
        ("http://{host}.example.org/x", "http://{host}.example.org/x", "http://{host}.example.org/x"),
        ("http://localhost:1/x", "http://localhost:1/x", "http://localhost:1/x"),
        ("mailto:alice@localhost", "mailto:alice@localhost", "mailto:alice@localhost"),
    ],
)  # fmt: skip
def test_a_redirect_to_its_own_host_stays_below_its_path_and_any_other_passes(
    both: Stack, desktop: Application, sent: str, known: str, stripped: str
) -> None:
    host = f"localhost:{both.client.port}"
    own = f"localhost:{desktop.server_address[1]}"
    for session, expected in ((KNOWN, known), (STRIPPED, stripped)):
        values = {"base": base_of(session), "host": host, "own": own}
        answer = answered(both, session, ("Location", sent.format(**values)))
        assert answer.headers.get_all("Location") == [expected.format(**values)]


def test_a_refresh_leads_where_a_redirect_does(both: Stack) -> None:
    answer = answered(both, STRIPPED, ("Location", "/there"), ("Refresh", "3; url=/next"))
    assert answer.headers["Refresh"] == f"3; url={base_of(STRIPPED)}/next"


def test_a_redirect_that_leaves_port_80_out_leads_back_where_it_listens_there(
    stack: Stack,
) -> None:
    with application("127.213.0.7", 80) as served:
        stack.plane.allow(ALICE, STRIPPED, served.target)
        stack.plane.stripped.add(STRIPPED)
        answer = answered(stack, STRIPPED, ("Location", "http://localhost/x"))
    host = f"localhost:{stack.client.port}"
    assert answer.headers["Location"] == f"https://{host}{base_of(STRIPPED)}/x"


@pytest.mark.parametrize(
    ("sent", "known", "stripped"),
    [
        ("a=1", "a=1", "a=1"),
        ("a=1; Path=/", "a=1; Path={base}/", "a=1; Path={base}/"),
        ("a=1; Path=/x/y", "a=1; Path={base}/", "a=1; Path={base}/x/y"),
        ("a=1; Path={base}", "a=1; Path={base}", "a=1; Path={base}"),
        ("a=1; Path={base}/x", "a=1; Path={base}/x", "a=1; Path={base}/x"),
        ("a; path=/; PATH=/", "a; path=/; PATH=/", "a; path=/; PATH=/"),
        ("a=; path=/; PATH=/", "a=; path={base}/; PATH={base}/", "a=; path={base}/; PATH={base}/"),
        ("a=1; Path=", "a=1; Path={base}/", "a=1; Path={base}/"),
        ("a=1; Path=x", "a=1; Path={base}/", "a=1; Path={base}/"),
        ('a=1; Path="/"', "a=1; Path={base}/", "a=1; Path={base}/"),
        ("a=1; Domain=localhost", "a=1; Domain=", "a=1; Domain="),
        ("a=1; domain=.example.org", "a=1; domain=", "a=1; domain="),
        ('a="1; 2"; Path=/', 'a="1; 2"; Path={base}/', 'a="1; 2"; Path={base}/'),
    ],
)  # fmt: skip
def test_a_cookie_stays_on_this_host_below_its_path(
    both: Stack, sent: str, known: str, stripped: str
) -> None:
    for session, expected in ((KNOWN, known), (STRIPPED, stripped)):
        base = base_of(session)
        answer = answered(both, session, ("Set-Cookie", sent.format(base=base)))
        assert answer.headers.get_all("Set-Cookie") == [expected.format(base=base)]


def test_what_else_a_cookie_says_passes(both: Stack) -> None:
    said = (
        "Expires=Wed, 01 Jan 2031 00:00:00 GMT; Secure; HttpOnly; SameSite=None; Odd; Priority=High"
    )
    for session in (KNOWN, STRIPPED):
        answer = answered(both, session, ("Set-Cookie", f"a=b=c|d%3B;Path=/;Max-Age=0; {said}"))
        passed = f"a=b=c|d%3B; Path={base_of(session)}/; Max-Age=0; {said}"
        assert answer.headers.get_all("Set-Cookie") == [passed]


def test_every_cookie_of_an_answer_is_led_back(both: Stack) -> None:
    lines = [("Set-Cookie", f"c{number}={number}; Path=/") for number in range(40)]
    answer = answered(both, KNOWN, *lines)
    assert answer.headers.get_all("Set-Cookie") == [
        f"c{number}={number}; Path={base_of(KNOWN)}/" for number in range(40)
    ]


def test_a_cookie_of_the_portals_name_is_followed_by_the_visitors_own(both: Stack) -> None:
    for name in (OURS, f"\t{OURS}", OURS.lower(), f"{OURS}-asking"):
        answer = answered(both, KNOWN, ("Set-Cookie", f"{name}=evil;\tPath=/; Secure"))
        assert answer.headers.get_all("Set-Cookie", [])[1:] == [
            f"{OURS}={ALICE}; Path=/; Secure; HttpOnly; SameSite=Lax; Priority=High",
            f"{OURS}-asking=; Path=/; Secure; Max-Age=0",
        ]


def test_no_sign_in_is_made_up_for_who_comes_with_a_token(
    stack: Stack, desktop: Application
) -> None:
    stack.plane.allow("rapp_alicesToken-1", KNOWN, desktop.target)
    asked = [
        ("Authorization", "Bearer rapp_alicesToken-1"),
        (ANSWER_WITH, json.dumps([["Set-Cookie", f"{OURS}=evil; Path=/; Secure"]])),
    ]
    answer = stack.client.ask(path_of(KNOWN), asked)
    assert answer.headers.get_all("Set-Cookie") == [
        f"{OURS}=evil; Path={base_of(KNOWN)}/",
        f"{OURS}-asking=; Path=/; Secure; Max-Age=0",
    ]


HIDDEN = [
    ("Clear-Site-Data", '"*"'),
    ("Service-Worker-Allowed", "/"),
    ("Strict-Transport-Security", "max-age=0"),
    ("Public-Key-Pins", 'pin-sha256="x"; max-age=9'),
    ("Public-Key-Pins-Report-Only", 'pin-sha256="x"; max-age=9'),
    ("Expect-CT", "enforce, max-age=9"),
    ("Alt-Svc", 'h2="elsewhere.example.org:443"'),
    ("NEL", '{"report_to":"x","max_age":9}'),
    ("Report-To", '{"group":"x","max_age":9}'),
    ("Sec-Session-Registration", '(ES256);path="x"'),
    ("Secure-Session-Registration", '(ES256);path="x"'),
]


def test_nothing_of_it_holds_for_the_whole_origin(both: Stack) -> None:
    own = ("Permissions-Policy", "camera=()")
    answer = answered(both, KNOWN, *HIDDEN, own)
    assert [name for name, _ in HIDDEN if name in answer.headers] == []
    assert answer.headers[own[0]] == own[1]


def test_the_portals_own_transport_security_stands_in_its_place(
    limited: Stack, desktop: Application
) -> None:
    limited.plane.allow(ALICE, KNOWN, desktop.target)
    answer = answered(limited, KNOWN, ("Strict-Transport-Security", "max-age=0"))
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=600"]
