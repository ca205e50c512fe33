"""The settings: what they give, and what one line says of a bad one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.errors import SettingsError
from control_plane.settings import read_secret

URL = 'public_url = "https://remote.example.org"\n'
LOCAL = 'public_url = "https://localhost:8443"\n'
OIDC = '[auth.oidc]\nissuer = "https://login.test"\nclient_id = "us"\nclient_secret_file = "/x"\n'
Said = Callable[..., str]

SHOW = "from control_plane import settings; found = settings.load(); print(eval(sys.argv[1]))"


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """Load a settings file in a process of its own; return what an expression or the error says."""

    def run(content: str, expression: str = "'loaded'", **environment: str) -> str:
        path = tmp_path / "settings.toml"
        path.write_text(content)
        program = f"import sys\ntry:\n    {SHOW}\nexcept settings.SettingsError as e:\n    print(e)"
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", program, expression],
            env={**kept, "REMOTEAPP_SETTINGS": str(path), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        (line,) = done.stdout.splitlines()
        return line

    return run


def test_what_is_not_said_is_safe(said: Said) -> None:
    shown = said(URL, "found.auth.methods, found.auth.auto_create_users, found.volumes.roots")
    assert shown == "(('pam', 'virtual'), False, ())"
    assert said(URL, "found.limits.network, found.limits.max_lifetime") == "('internet', 0)"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "public_url: missing"),
        (f"{URL}colour = 1", "colour = 1: no such setting"),
        (
            URL.replace("public_url", "publc_url"),
            "publc_url = 'https://remote.example.org': no such setting",
        ),
        (f"{URL}[auth]\ncolour = 1", "auth.colour = 1: no such setting"),
        (
            f"{URL}[auth.oidc]\nissuer = 'https://x.test'\nclient_secret_file = '/x'",
            "auth.oidc.client_id: missing",
        ),
        (f"{URL}{OIDC}colour = 1", "auth.oidc.colour = 1: no such setting"),
        (f"{URL}[demo]\ncolour = 1", "demo.colour = 1: no such setting"),
    ],
)
def test_an_unknown_or_missing_key_is_named(said: Said, content: str, line: str) -> None:
    assert said(content) == line


@pytest.mark.parametrize(
    ("content", "begin", "allowed"),
    [
        ("apps_domain = '*.x.test'", "apps_domain = '*.x.test'", "such as apps.example.org"),
        ("apps_domain = 'x.test:8443'", "apps_domain = 'x.test:8443'", "without a port"),
        ("apps_domain = 'X.test'", "apps_domain = 'X.test'", "in lower case"),
        ("apps_port = 65536", "apps_port = 65536", "less than or equal to 65535"),
        ("apps_port = 443", "apps_port = 443", "another port than public_url's, or 0"),
        ("[auth]\nmethods = ['ldap']", "auth.methods.0 = 'ldap'", "'pam', 'virtual', 'oidc'"),
        ("[auth]\nauto_create_users = 'perhaps'", "auth.auto_create_users", "boolean"),
        ("[auth]\nallow_list_file = 'names'", "auth.allow_list_file = 'names'", "absolute path"),
        (OIDC.replace("https", "http"), "auth.oidc.issuer = 'http://login.test'", "https address"),
        (
            "[auth.github]\nclient_id = ''\nclient_secret_file = '/x'",
            "auth.github.client_id = ''",
            "at least 1",
        ),
        ("[accounting]\nclass = 'no dots'", "accounting.class = 'no dots'", "pattern"),
        (
            "[records]\nurl = 'postgresql://me:hush@db/x'",
            "records.url = 'postgresql://me:…@db/x'",
            "password_file",
        ),
        ("[volumes]\nroots = ['srv']", "volumes.roots.0 = 'srv'", "absolute path"),
        (
            "[volumes]\nroots = ['/no/such']",
            "volumes.roots.0 = '/no/such'",
            "directory that exists",
        ),
        ("[auth]\nmethods = []", "auth.methods = []", "at least 1 item"),
        ("[auth]\nvirtual_uids = [0, 99]", "auth.virtual_uids = [0, 99]: the first", "1000 to"),
        ("[auth]\nvirtual_uids = [80000, 70000]", "auth.virtual_uids = [80000, 70000]", "1000 to"),
        ("[accounting]\nurl = 'oracle://db/x'", "accounting.url = 'oracle://db/x'", "mariadb://"),
        ("[records]\nurl = 'csv:///srv/x.csv'", "records.url = 'csv:///srv/x.csv'", "mariadb://"),
        ("[volumes]\nroots = '/srv'", "volumes.roots = '/srv'", "a list"),
        ("[engine]\nsession_range = 'lan'", "engine.session_range = 'lan'", "IPv4 network"),
        ("[engine]\nsession_range = '10.0.0.0/8'", "engine.session_range = '10.0.0.0/8'", "/20"),
        (
            "[engine]\nsession_range = '8.8.0.0/20'",
            "engine.session_range = '8.8.0.0/20'",
            "private",
        ),
        ("[limits]\ncpus = inf", "limits.cpus = inf", "finite number"),
        ("[limits]\nnetwork = 'lan'", "limits.network = 'lan'", "'internet' or 'none'"),
        ("[limits]\nmax_lifetime = -1", "limits.max_lifetime = -1", "greater than or equal to 0"),
        ("[demo]\napplications = 1", "demo.applications = 1", "dictionary"),
        ("[demo.applications]\n'a/b' = 1", "demo.applications.a/b = 1", "dictionary"),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_what_is_allowed(
    said: Said, content: str, begin: str, allowed: str
) -> None:
    line = said(URL + content)
    assert line.startswith(begin)
    assert allowed in line
    assert "hush" not in line


def test_a_method_needs_its_section(said: Said) -> None:
    line = said(f"{URL}[auth]\nmethods = ['oidc']\n")
    assert line == "auth.oidc: missing; auth.methods = ['oidc'] needs [auth.oidc]"
    assert said(f"{URL}[auth]\nmethods = ['oidc']\n{OIDC}") == "loaded"
    assert said(f"{URL}[auth]\nmethods = ['github']\n").startswith("auth.github: missing")


@pytest.mark.parametrize("host", ["localhost", "x.localhost:8443", "127.0.0.9", "[::1]:8443"])
def test_world_is_for_loopback(said: Said, host: str) -> None:
    world = "[auth]\nmethods = ['world']\n"
    assert said(f"public_url = 'https://{host}'\n{world}") == "loaded"


@pytest.mark.parametrize(
    "host",
    ["remote.example.org", "localhost.example.org", "192.0.2.1", "10.0.0.1", "0.0.0.0"],  # noqa: S104 - compared, not listened on
)
def test_world_never_starts_on_a_public_address(said: Said, host: str) -> None:
    line = said(f"public_url = 'https://{host}'\n[auth]\nmethods = ['pam', 'world']\n")
    assert line.startswith("auth.methods = ['pam', 'world']: world lets anyone in")
    assert line.endswith(f"not https://{host}")


def test_the_environment_wins_also_in_a_section_of_a_section(said: Said) -> None:
    methods = f"{URL}[auth]\nmethods = ['oidc']\n{OIDC}"
    changed = {"REMOTEAPP_AUTH__OIDC__ISSUER": "https://other.test"}
    assert said(methods, "found.auth.oidc.issuer", **changed) == "https://other.test"
    by_class = {"REMOTEAPP_ACCOUNTING__CLASS": "lab.accounts.Ours"}
    assert said(URL, "found.accounting.class_", **by_class) == "lab.accounts.Ours"


@pytest.mark.parametrize(
    "name",
    ["REMOTEAPP_AUTH__OIDC__COLOUR", "REMOTEAPP_AUTH__OIDC", "REMOTEAPP_ACCOUNTING__CLASS_",
     "REMOTEAPP_AUTH__METHODS__0", "REMOTEAPP_AUTH"],
)  # fmt: skip
def test_an_unknown_variable_is_named(said: Said, name: str) -> None:
    assert said(URL, **{name: "1"}) == f"{name}: no such setting"


def test_a_clients_token_in_the_environment_is_no_setting(said: Said) -> None:
    assert said(URL, "found.realm", REMOTEAPP_TOKEN="rapp_some") == "remoteapp"


def test_a_list_in_a_variable_is_json(said: Said) -> None:
    admins = {"REMOTEAPP_AUTH__ADMINS": '["alice", "bob"]'}
    assert said(URL, "found.auth.admins", **admins) == "('alice', 'bob')"
    line = said(URL, REMOTEAPP_AUTH__ADMINS="alice")
    assert line == "REMOTEAPP_AUTH__ADMINS = 'alice': must be JSON, such as '[\"alice\"]'"


def test_demo_applications_are_tables_of_fields(said: Said) -> None:
    content = f"{URL}[demo.applications.'lab/app:1']\nallow_home = true\n"
    assert said(content, "found.demo.applications") == "{'lab/app:1': {'allow_home': True}}"


@pytest.mark.parametrize(
    ("accounting", "where"),
    [
        ("", "/state/remoteapp.db"),
        ("url = 'postgresql://db/remoteapp'", "postgresql://db/remoteapp"),
        ("url = '/srv/lab.csv'", "/state/remoteapp.db"),
        ("class = 'lab.accounts.Ours'", "/state/remoteapp.db"),
    ],
)
def test_records_lie_beside_accounting_where_that_is_a_database(
    said: Said, accounting: str, where: str
) -> None:
    content = f"{URL}[accounting]\n{accounting}\n"
    assert said(content, "found.records_url", STATE_DIRECTORY="/state") == where
    own = f"{content}[records]\nurl = '/srv/records.db'\n"
    assert said(own, "found.records_url", STATE_DIRECTORY="/state") == "/srv/records.db"


def test_a_secret_is_the_one_line_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hush\n")
    assert read_secret("auth.oidc.client_secret_file", path) == "hush"


@pytest.mark.parametrize("content", ["", "\n", "one\ntwo\n", "\xff"])
def test_a_file_that_holds_no_secret_is_named_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"auth\.oidc\.client_secret_file = ") as caught:
        read_secret("auth.oidc.client_secret_file", path)
    assert "two" not in str(caught.value)


def test_a_secret_file_that_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_secret("auth.oidc.client_secret_file", tmp_path / "none")


@pytest.mark.parametrize("content", ["", "remoteapp", "change me change me change me"])
def test_the_portal_does_not_begin_with_a_secret_that_could_be_guessed(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "secret").write_text(content)
    words = [sys.executable, "-c", "from control_plane import settings; settings.secret()"]
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "too short; it holds at least 32 random bytes" in done.stderr
