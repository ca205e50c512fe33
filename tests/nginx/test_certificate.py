"""`control-plane certificate renew` beside a real nginx: what stands in place is what it shows."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result
from cryptography import x509
from nginx.conftest import Stack, free_port

from control_plane.adapters import certificates
from control_plane.cli.control_plane import main

NAME = "remote.example.org"


@dataclass
class Kept:
    """A certificate's directory and settings, and the nginx that shows it."""

    stack: Stack
    directory: Path
    port: int
    patience: int = 30

    def write(self, mode: str = "self-signed", files: Mapping[str, Path] | None = None) -> None:
        section = [f'{key} = "{value}"' for key, value in (files or {}).items()]
        self.settings.write_text(
            "\n".join(
                [
                    f'mode = "{mode}"',
                    f'names = ["{NAME}"]',
                    f'directory = "{self.directory}"',
                    "[nginx]",
                    f"port = {self.port}",
                    f"patience = {self.patience}",
                    f'pid = "{self.stack.site.pid}"',
                    f'config = "{self.stack.places.config}"',
                    *(["[files]", *section] if section else []),
                ]
            )
        )

    @property
    def settings(self) -> Path:
        return self.directory.parent / "certificate.toml"

    def renew(self, *words: str) -> Result:
        return CliRunner().invoke(
            main, ["certificate", "renew", "--settings", str(self.settings), *words]
        )

    def done(self, *words: str) -> list[str]:
        result = self.renew(*words)
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    @property
    def placed(self) -> x509.Certificate:
        pair = certificates.read(self.directory)
        assert pair is not None
        return certificates.leaf(pair)

    @property
    def shown(self) -> x509.Certificate:
        words = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", NAME]
        done = subprocess.run(words, input=b"", capture_output=True, check=True)
        return x509.load_pem_x509_certificate(done.stdout)


@pytest.fixture
def kept(resting: Stack, place: Path) -> Kept:
    """An nginx that runs with another certificate than it shall show."""
    directory = place / "tls"
    directory.mkdir()
    for name in ("server.pem", "server.key"):
        shutil.copy(place / "server.pem", directory / name)
    resting.site = replace(
        resting.site,
        certificate=directory / "server.pem",
        certificate_key=directory / "server.key",
        server_names=(NAME,),
    )
    resting.start()
    made = Kept(resting, directory, resting.client.port)
    made.write()
    return made


@contextmanager
def broken(stack: Stack) -> Iterator[None]:
    """Somebody leaves nonsense in nginx's configuration."""
    nonsense = stack.site.directory / "snippets" / "http-operator.conf"
    nonsense.write_text("nonsense;\n")
    yield
    nonsense.unlink()


def provided(directory: Path, name: str) -> dict[str, Path]:
    """Lay a certificate and its key down as an operator does."""
    directory.mkdir()
    made = trustme.CA().issue_cert(name)
    (directory / "chain.pem").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    made.private_key_pem.write_to_path(directory / "key.pem")
    return {"chain": directory / "chain.pem", "key": directory / "key.pem"}


def let_it_end_soon(directory: Path) -> None:
    """Sign the key once more, for twenty days."""
    asked = ["openssl", "req", "-new", "-key", "server.key", "-subj", "/CN=x", "-out", "x.csr"]
    subprocess.run([*asked, "-addext", f"subjectAltName=DNS:{NAME}"], cwd=directory, check=True)
    signed = ["openssl", "x509", "-req", "-days", "20", "-in", "x.csr", "-copy_extensions", "copy"]
    by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem"]
    subprocess.run([*signed, *by], cwd=directory, check=True, capture_output=True)


def test_a_first_certificate_is_issued_and_shown(kept: Kept) -> None:
    first, second, third = kept.done()
    assert first == f"A new authority, {kept.directory}/ca.pem: visitors have to trust it first."
    assert second.startswith(f"A new certificate for {NAME}, until ")
    assert third == "nginx reloaded: it shows the certificate."
    assert kept.shown == kept.placed


def test_nothing_is_done_where_nothing_is_due(kept: Kept) -> None:
    kept.done()
    before = kept.placed
    ends = f"{before.not_valid_after_utc:%d %B %Y}"
    assert kept.done() == [f"Nothing to do: nginx shows the certificate, which holds until {ends}."]
    assert kept.placed == before


def test_a_certificate_that_ends_within_thirty_days_is_issued_anew(kept: Kept) -> None:
    kept.done()
    authority = (kept.directory / "ca.pem").read_bytes()
    let_it_end_soon(kept.directory)
    before = kept.placed
    assert len(kept.done()) == 2
    assert kept.placed != before
    assert kept.shown == kept.placed
    assert (kept.directory / "ca.pem").read_bytes() == authority


def test_one_that_lasts_is_issued_anew_on_demand(kept: Kept) -> None:
    kept.done()
    before = kept.shown
    assert len(kept.done("--force")) == 2
    assert kept.shown == kept.placed != before


def test_nginx_is_reloaded_where_it_does_not_show_what_stands_in_place(kept: Kept) -> None:
    kept.done()
    signer = certificates.authority(kept.directory, [NAME], "")
    certificates.put(kept.directory, certificates.issued(signer, [NAME]))
    assert kept.done() == ["nginx reloaded: it shows the certificate."]
    assert kept.shown == kept.placed


def test_a_certificate_of_the_operators_is_taken_and_followed(kept: Kept, place: Path) -> None:
    files = provided(place / "theirs", NAME)
    kept.write("files", files)
    assert len(kept.done()) == 2
    assert kept.shown == kept.placed
    before = kept.placed
    shutil.rmtree(place / "theirs")
    provided(place / "theirs", NAME)
    assert len(kept.done()) == 2
    assert kept.shown == kept.placed != before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("key", "The key belongs to another certificate."),
        ("chain", "The key belongs to another certificate."),
        ("name", "The certificate does not hold for remote.example.org, only for other.example."),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(
    kept: Kept, place: Path, wrong: str, said: str
) -> None:
    kept.done()
    before = kept.placed
    files = provided(place / "theirs", NAME)
    other = provided(place / "others", "other.example" if wrong == "name" else NAME)
    kept.write("files", other if wrong == "name" else files | {wrong: other[wrong]})
    result = kept.renew()
    assert result.exit_code == 1
    assert said in result.output
    assert "The present certificate stays" in result.output
    assert kept.shown == kept.placed == before


def test_files_that_are_not_there_are_named(kept: Kept, place: Path) -> None:
    kept.write("files", {"chain": place / "none.pem", "key": place / "none.key"})
    result = kept.renew()
    assert result.exit_code == 1
    assert f"'{place}/none.pem'" in result.output


def test_the_previous_one_stays_while_nginx_refuses_its_configuration(kept: Kept) -> None:
    kept.done()
    before = kept.placed
    with broken(kept.stack):
        result = kept.renew("--force")
    assert result.exit_code == 1
    assert 'unknown directive "nonsense"' in result.output
    assert kept.shown == kept.placed == before


def test_it_says_so_where_nginx_does_not_run(kept: Kept) -> None:
    kept.stack.stop()
    result = kept.renew()
    assert result.exit_code == 1
    assert "nginx does not run. Run systemctl start nginx." in " ".join(result.output.split())


def test_it_says_so_where_something_else_answers(kept: Kept) -> None:
    kept.done()
    kept.port, kept.patience = free_port(), 1
    kept.write()
    result = kept.renew()
    assert result.exit_code == 1
    assert f"127.0.0.1:{kept.port} still does not show the certificate" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('mode = "none"\nnames = ["a.example"]', "mode: Input should be"),
        ('mode = "acme"\nnames = ["a.example"]', "mode = 'acme' needs a section [acme]"),
        ('mode = "self-signed"\nnames = []', "names: Tuple should have at least 1 item"),
        (
            'mode = "acme"\nnames = ["*.a.example"]\n[acme]\ndirectory_url = "https://a.example/"',
            "a wildcard needs dns-01",
        ),
    ],
)
def test_settings_that_cannot_be_are_named(kept: Kept, text: str, said: str) -> None:
    kept.settings.write_text(text)
    result = kept.renew()
    assert result.exit_code == 2
    assert said in result.output
