"""Whatever people, programs and browsers say is judged, and never a fault."""

import re
from ipaddress import IPv4Network
from urllib.parse import quote

import pytest
from adapters.fakes_engine import hello
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from security.world import COOKIE, ORIGIN, World

from control_plane.domain import options, routes
from control_plane.domain.entities import Image, Policy
from control_plane.domain.labels import IMAGE, RESOLUTION, STARTUP_FILE
from control_plane.domain.origins import Origins
from control_plane.errors import InvalidError

NETWORK = IPv4Network("10.213.0.0/20")
ID = "0123456789abcdef" * 2
LINE_PIECES = [
    ID, "f" * 32, " ", "10.213.0.2", "10.213.15.254", "10.213.0.1", "127.0.0.1", ":", "8888", "0",
    "99999", "\n", "\r", "\t", "\0", ";", "{", "}", '"', "#", "$", "|", "include /etc/passwd;",
]  # fmt: skip
WORDS = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(LINE_PIECES)).map("".join))
# Lines that are routes but for what stands in one place, or are routes altogether.
ADDRESSES = st.one_of(st.sampled_from(["10.213.0.2", "10.213.15.254"]), st.ip_addresses(v=4))
MORE = st.just("") | WORDS
LINES = st.builds(f"{{}}{ID} {{}}:{{}}{{}}".format, MORE, ADDRESSES, st.integers(0, 70000), MORE)
CANDIDATES = st.one_of(WORDS, st.lists(LINES, max_size=4).map("\n".join))
# nginx's own text, word for word: what a session's id and address may stand in.
UPSTREAM = re.compile(
    r"upstream s_([0-9a-f]{32}) \{ server (10\.213\.[0-9.]+:[0-9]+); keepalive 32; \}"
)
MAPPED = re.compile(r'    "([0-9a-f]{32})\|(10\.213\.[0-9.]+:[0-9]+)" s_([0-9a-f]{32});')
VARIABLES = {"X11_WIDTH", "X11_HEIGHT", "X11_DEPTH", "STARTUPDATA"}
LABELS = dict.fromkeys((*RESOLUTION, STARTUP_FILE), "yes")
DESKTOP = Image("sha256:d", "d", {**hello().labels, **{IMAGE + k: v for k, v in LABELS.items()}})
WIDTHS, HEIGHTS = (st.integers(*most) for most in (options.WIDTH, options.HEIGHT))
SIZES = st.builds("{}x{}{}".format, WIDTHS, HEIGHTS, MORE)
VALUES = st.one_of(
    st.text(max_size=60),
    st.builds("/workspace/{}{}".format, st.just("a" * 1100) | st.just(""), WORDS),
    st.text("0123456789x-+ _٣", max_size=12),
    st.integers(),
    st.none(),
    st.lists(st.text(max_size=3), max_size=2),
)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=80)
ASKED = tuple(f"X-Remoteapp-{one}" for one in ("Host", "Owner", "Session", "Signin", "Token"))
ANOTHER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


@given(CANDIDATES)
def test_no_candidate_puts_anything_but_routes_into_nginx(text: str) -> None:
    taken, refused = routes.read(text, NETWORK)
    written = routes.nginx_text(taken).splitlines()
    ups = [found for line in written if (found := UPSTREAM.fullmatch(line))]
    maps = [found for line in written if (found := MAPPED.fullmatch(line))]
    assert [one.groups() for one in ups] == [(one.session_id, one.target) for one in taken]
    assert [one[1] for one in maps] == [one[3] for one in maps] == [one[1] for one in ups]
    assert len(written) == len(ups) + len(maps) + 4
    assert all(line.isprintable() for line in (*written, *refused))
    assert routes.read(routes.candidate(taken), NETWORK) == (taken, [])


@given(
    st.fixed_dictionaries({}, optional={"resolution": SIZES, "startup_file": VALUES})
    | st.dictionaries(st.one_of(st.sampled_from(["resolution", "startup_file"]), WORDS), VALUES)
)
def test_no_option_gets_anything_but_its_own_variables_into_a_container(
    asked: dict[str, object],
) -> None:
    try:
        kept = options.checked(asked, DESKTOP, Policy(allow_startup_data=True))
    except InvalidError:
        return
    told = options.environment(kept)
    assert set(told) <= VARIABLES
    assert all(value.isprintable() and len(value) <= 1024 for value in told.values())
    assert all(
        value.isascii() and value.isdecimal() for name, value in told.items() if "X11" in name
    )


@given(st.one_of(WORDS, st.sampled_from([f"{ID}.apps.test", f"{ID}.apps.test:8443"])), WORDS)
def test_a_host_is_the_home_of_no_session_but_its_own(host: str, session_id: str) -> None:
    origins = Origins("https://portal.test:8443", apps_domain="apps.test")
    assert origins.is_home(host, session_id) == (host == f"{session_id}.apps.test:8443")


@ANOTHER
@given(HEADER, HEADER, HEADER)
def test_nobody_is_let_in_by_made_up_words_and_no_word_is_a_fault(
    world: World, cookie: str, authorization: str, origin: str
) -> None:
    tried = (
        {"Cookie": cookie},
        {"Cookie": f"{COOKIE}={cookie}", "Origin": origin},
        {"Authorization": authorization},
        {"Authorization": f"Bearer rapp_{authorization}"},
        {"Authorization": f"Basic {authorization}", "Origin": origin},
    )
    for sent in tried:
        assert world.ask("GET", "/api/v1/me", sent).status == 401
        assert world.ask("GET", "/", sent).status == 303


@ANOTHER
@given(st.fixed_dictionaries(dict.fromkeys(ASKED, st.one_of(HEADER, WORDS.map(quote)))))
def test_the_authoriser_lets_nobody_through_by_made_up_headers(
    world: World, sent: dict[str, str]
) -> None:
    assert world.ask("GET", "/internal/authorise", sent).status in {401, 403}
    assert world.ask("GET", "/internal/away", sent).status in {401, 404}


@ANOTHER
@given(st.text(max_size=60))
def test_no_path_and_no_query_is_a_fault(world: World, text: str) -> None:
    sent = {**world.browser("alice")} if text.startswith("x") else {"Origin": ORIGIN}
    word = quote(text, safe="/%?&=#;")
    for address in (f"/{word}", f"/api/v1/{word}", f"/sessions/{word}", f"/login?next={word}"):
        assert world.ask("GET", address, sent).status < 500


@pytest.mark.parametrize("field", ["name", "password", "next"])
@ANOTHER
@given(text=st.binary(max_size=60))
def test_no_form_is_a_fault(world: World, field: str, text: bytes) -> None:
    sent = {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
    for address in ("/language", "/analytics", "/logout"):
        content = field.encode() + b"=" + text
        assert world.ask("POST", address, sent, content).status == 303
