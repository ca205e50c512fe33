"""Routes as text: what is handed over, what is let in, what nginx is given."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain import routes
from control_plane.domain.routes import Route

NETWORK = IPv4Network("10.213.0.0/20")
DESKTOP = Route("a" * 32, "10.213.0.2", 8888)
NOTEBOOK = Route("0" * 31 + "1", "10.213.15.254", 65535)


def test_a_set_is_handed_over_as_sorted_lines() -> None:
    text = f"{'0' * 31}1 10.213.15.254:65535\n{'a' * 32} 10.213.0.2:8888\n"
    assert routes.candidate([DESKTOP, NOTEBOOK]) == text
    assert routes.candidate([NOTEBOOK, DESKTOP]) == text
    assert routes.candidate([]) == ""


def test_nginx_is_given_an_upstream_and_a_line_of_the_map_for_each() -> None:
    assert routes.nginx_text([DESKTOP, NOTEBOOK]) == (
        "# Generated from the running sessions; may be deleted at any moment, it is made again.\n"
        "upstream s_00000000000000000000000000000001"
        " { server 10.213.15.254:65535; keepalive 32; }\n"
        "upstream s_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        " { server 10.213.0.2:8888; keepalive 32; }\n"
        'map "$session_id|$authorized_target" $session_target {\n'
        "    default $admitted_target;\n"
        '    "00000000000000000000000000000001|10.213.15.254:65535"'
        " s_00000000000000000000000000000001;\n"
        '    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|10.213.0.2:8888"'
        " s_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;\n"
        "}\n"
    )


def test_no_routes_at_all_still_define_the_map() -> None:
    assert routes.nginx_text([]) == (
        "# Generated from the running sessions; may be deleted at any moment, it is made again.\n"
        'map "$session_id|$authorized_target" $session_target {\n'
        "    default $admitted_target;\n"
        "}\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        f"{'a' * 32} 10.213.0.2:8888 ",
        f" {'a' * 32} 10.213.0.2:8888",
        f"{'a' * 32}  10.213.0.2:8888",
        f"{'a' * 32}\t10.213.0.2:8888",
        f"{'a' * 32} 10.213.0.2:8888\r",
        f"{'a' * 32} 10.213.0.2:8888\n",
        f"{'A' * 32} 10.213.0.2:8888",
        f"{'a' * 31} 10.213.0.2:8888",
        f"{'a' * 33} 10.213.0.2:8888",
        f"{'g' * 32} 10.213.0.2:8888",
        f"{'a' * 32} 10.213.0.2",
        f"{'a' * 32} 10.213.0.2:",
        f"{'a' * 32} 10.213.0.2:0",
        f"{'a' * 32} 10.213.0.2:08888",
        f"{'a' * 32} 10.213.0.2:65536",
        f"{'a' * 32} 10.213.0.2:٨٨",
        f"{'a' * 32} 10.213.0.02:8888",
        f"{'a' * 32} 10.213.0.256:8888",
        f"{'a' * 32} 10.213.2:8888",
        f"{'a' * 32} localhost:8888",
        f"{'a' * 32} 10.213.0.0:8888",
        f"{'a' * 32} 10.213.0.1:8888",
        f"{'a' * 32} 10.213.15.255:8888",
        f"{'a' * 32} 10.213.16.2:8888",
        f"{'a' * 32} 10.212.255.254:8888",
        f"{'a' * 32} 127.0.0.1:8888",
        f'{"a" * 32} 10.213.0.2:8888;" x',
    ],
)
def test_a_line_that_is_no_route_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        routes.parse(line, NETWORK)


def test_lines_that_are_refused_are_named_and_the_others_stand() -> None:
    text = f"{DESKTOP.line}\nnonsense\n{DESKTOP.session_id} 10.213.0.9:1\n{NOTEBOOK.line}\n"
    assert routes.read(text, NETWORK) == (
        [NOTEBOOK, DESKTOP],
        [
            "line 2 'nonsense': it is not <session id> <address>:<port>",
            f"line 3 '{DESKTOP.session_id} 10.213.0.9:1': the session has a line already",
        ],
    )


PUBLISHING = IPv4Network("192.0.2.20")


@pytest.mark.parametrize("port", [20000, 29999])
def test_where_ports_are_published_a_session_has_one_of_them(port: int) -> None:
    route = Route("a" * 32, "192.0.2.20", port)
    assert routes.parse(route.line, PUBLISHING) == route


@pytest.mark.parametrize(
    "target",
    [
        "192.0.2.20:19999",
        "192.0.2.20:30000",
        "192.0.2.20:22",
        "192.0.2.21:20000",
        "127.0.0.1:20000",
    ],
)
def test_where_ports_are_published_nothing_else_is_a_route(target: str) -> None:
    with pytest.raises(ValueError, match=r"the port is not from 20000 to 29999|no session's in"):
        routes.parse(f"{'a' * 32} {target}", PUBLISHING)


ADDRESSES = st.integers(2, NETWORK.num_addresses - 2).map(lambda place: str(NETWORK[place]))
IDS = st.integers(0, 2**128 - 1).map("{:032x}".format)
ROUTES = st.builds(Route, IDS, ADDRESSES, st.integers(1, 65535))


@given(st.lists(ROUTES, unique_by=lambda route: route.session_id))
def test_what_is_handed_over_is_read_back(wanted: list[Route]) -> None:
    assert routes.read(routes.candidate(wanted), NETWORK) == (sorted(wanted), [])


@given(st.text(max_size=200))
def test_no_text_whatever_puts_anything_else_into_nginx(text: str) -> None:
    found, _ = routes.read(text, NETWORK)
    for route in found:
        assert IPv4Address(route.address) in NETWORK
        assert int(route.session_id, 16) >= 0
    assert routes.nginx_text(found).count("server") == len(found)


@given(st.integers(8, 30), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_an_address_is_admitted_within_any_range_but_at_its_ends(
    length: int, base: int, address: int
) -> None:
    network = IPv4Network((base, length), strict=False)
    ends = {network[0], network[1], network[-1]}
    candidate = IPv4Address(address)
    assert routes.admits(network, str(candidate)) == (
        candidate in network and candidate not in ends
    )
    assert routes.admits(network, str(network[2]))
