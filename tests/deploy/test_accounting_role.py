"""The role accounting on a host: accounting is what the inventory says, secrets are unseen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.hosts import Play
from deploy.people import Site
from ruamel.yaml import YAML

# The verbs that it uses are tried without a host, too; its plays take minutes.
pytestmark = [pytest.mark.variant, pytest.mark.timeout(1200)]

CONFIG = "/etc/remoteapp"
FILES = f"{CONFIG}/accounting.yml {CONFIG}/accounting.csv {CONFIG}/accounting-password"
LICENCE, WORDS, DATABASE = "KEY-1234-5678", "the-first-word-of-ines", "the-word-of-the-database"
CSV = "user.name,application.image\n"


@pytest.fixture
def site(bookworm: Site) -> Iterator[Site]:
    """A portal whose accounting is as it was afterwards."""
    before = bookworm.host.out("remoteappdb export")
    yield bookworm
    bookworm.host.run("remoteappdb apply -", given=f"{before}\n")
    bookworm.host.run(f"rm -f {FILES}")


def document(site: Site) -> dict[str, list[Any]]:
    """Return all of accounting, as an inventory would have it."""
    found: dict[str, list[Any]] = YAML(typ="safe").load(site.host.out("remoteappdb export"))
    return found


def played(site: Site, *words: str, check: bool = True, **variables: Any) -> Play:
    """Run the role alone."""
    words = ("--tags", "accounting", "--diff", "-vvv", *words)
    return site.host.playbook("site.yml", *words, check=check, **variables)


def mode(site: Site, name: str) -> str:
    """Return owner, group and mode of a file of the configuration."""
    return site.host.out(f"stat --format '%U:%G %a' {CONFIG}/{name}")


def test_accounting_becomes_what_the_inventory_says_and_stays_so(
    site: Site, tmp_path: Path
) -> None:
    wanted, before = document(site), site.host.out("remoteappdb export")
    policy = {"memory": "2g", "app_license": LICENCE}
    wanted["groups"].append("walkers")
    wanted["users"].append({"name": "ines", "groups": ["walkers"]})
    wanted["applications"].append({"image": "lab/walk:1"})
    wanted["grants"].append({"group": "walkers", "image": "lab/walk:1", "policy": policy})
    (tmp_path / "lab.csv").write_text(CSV)
    section = {
        "url": f"csv://{CONFIG}/accounting.csv",
        "password_file": f"{CONFIG}/accounting-password",
    }
    given: dict[str, Any] = {
        "remoteapp_accounting": wanted,
        "remoteapp_accounting_passwords": {"ines": WORDS},
        "remoteapp_accounting_csv": str(tmp_path / "lab.csv"),
        "remoteapp_accounting_password": DATABASE,
        "remoteapp_settings": {"accounting": section},
    }
    would = played(site, "--check", **given)
    for line in ("+ user ines", "+ grant of lab/walk:1 to group walkers", "4 would change"):
        assert line in would.output
    assert site.host.out("remoteappdb export") == before
    first, again = played(site, **given), played(site, **given)
    # The two files and accounting's own, accounting, the password, and the service's restart.
    assert (first.changed, again.changed) == (6, 0)
    for play in (would, first, again):
        assert [one for one in (LICENCE, WORDS, DATABASE) if one in play.output] == []
    journal = site.host.out("journalctl --no-pager")
    assert [one for one in (LICENCE, WORDS, DATABASE) if one in journal] == []
    assert mode(site, "accounting.yml") == "root:root 600"
    assert mode(site, "accounting.csv") == "root:remoteapp 640"
    assert mode(site, "accounting-password") == "root:remoteapp 640"
    assert site.host.out(f"cat {CONFIG}/accounting-password {CONFIG}/accounting.csv") == (
        f"{DATABASE}\n{CSV}".rstrip("\n")
    )
    assert {"name": "ines", "kind": "virtual", "groups": ["walkers"]} in document(site)["users"]
    site.wait_until_ready()
    with site.host.client() as client:
        answer = client.post("/api/v1/tokens", json={"name": "t"}, auth=("ines", WORDS))
    assert answer.status_code == 201


def test_a_fault_in_the_inventory_is_named_and_changes_nothing(site: Site) -> None:
    wanted, before = document(site), site.host.out("remoteappdb export")
    wanted["grants"].append({"user": "nobody-here", "image": "lab/none", "policy": {"memory": 1}})
    play = played(site, check=False, remoteapp_accounting=wanted)
    assert play.status != 0
    for fault in (
        "user: no user nobody-here stands in this file",
        "image: no image lab/none stands in this file",
        "policy.memory: must lie between 16m and 16t",
    ):
        assert fault in play.output
    assert site.host.out("remoteappdb export") == before


def test_an_inventory_without_an_administrator_is_refused_by_name(site: Site) -> None:
    wanted = document(site)
    wanted["users"] = [one for one in wanted["users"] if not one.get("admin")]
    play = played(site, check=False, remoteapp_accounting=wanted)
    assert play.status != 0
    assert "remoteapp_accounting names no administrator" in play.output
    lone = played(site, check=False, remoteapp_accounting_password=DATABASE)
    assert lone.status != 0
    assert "[accounting] password_file is not set" in lone.output
    assert DATABASE not in lone.output
