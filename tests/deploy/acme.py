"""A real ACME server on a host of the tests: pebble, with a name server for DNS-01 beside it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import trustme
from deploy.hosts import Host, until

DIRECTORY_URL = "https://127.0.0.1:14000/dir"
PLACE = "/srv/acme"
CA_BUNDLE = f"{PLACE}/ca.pem"
ROOTS = "https://127.0.0.1:15000/roots/0"
_CONFIG = {
    "pebble": {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": f"{PLACE}/server.pem",
        "privateKey": f"{PLACE}/server.key",
        "httpPort": 80,
        "tlsPort": 443,
    }
}
# What an operator's hook for a provider of names looks like; this one's provider is challtestsrv.
_HOOK = """\
#!/bin/sh
exec curl --silent --show-error --fail --data @- http://127.0.0.1:8055/{verb} <<END
{{"host": "_acme-challenge.$CERTBOT_DOMAIN.", "value": "$CERTBOT_VALIDATION"}}
END
"""
_NAMES = "pebble-challtestsrv -http01 '' -https01 '' -tlsalpn01 '' -defaultIPv6 '' -defaultIPv4"


@contextmanager
def authority(host: Host) -> Iterator[None]:
    """Run it on the host until the end; it finds every name at the host itself."""
    host.run("apt-get update -qq && apt-get install -qq --no-install-recommends pebble")
    host.run(f"mkdir -p {PLACE}")
    own = trustme.CA()
    made = own.issue_cert("127.0.0.1")
    host.put(CA_BUNDLE, own.cert_pem.bytes().decode())
    host.put(f"{PLACE}/server.pem", made.cert_chain_pems[0].bytes().decode())
    host.put(f"{PLACE}/server.key", made.private_key_pem.bytes().decode(), "0600")
    host.put(f"{PLACE}/pebble.json", json.dumps(_CONFIG))
    host.put(f"{PLACE}/set-record", _HOOK.format(verb="set-txt"), "0755")
    host.put(f"{PLACE}/clear-record", _HOOK.format(verb="clear-txt"), "0755")
    host.run(f"systemd-run --unit=acme-names {_NAMES} 127.0.0.1")
    # By itself it refuses every twentieth nonce; certbot asks once more, and then gives up.
    host.run(
        "systemd-run --unit=acme-server --setenv=PEBBLE_VA_NOSLEEP=1"
        " --setenv=PEBBLE_WFE_NONCEREJECT=0"
        f" pebble -config {PLACE}/pebble.json -dnsserver 127.0.0.1:8053"
    )
    try:
        until(lambda: _answers(host), why="pebble does not answer")
        yield
    finally:
        host.run("systemctl stop acme-server acme-names")
        host.run(f"apt-get purge -qq pebble && rm -r {PLACE}")


def roots(host: Host) -> str:
    """Return the authority that clients trust; it is another at every start."""
    return host.out(f"curl --silent --show-error --fail --cacert {CA_BUNDLE} {ROOTS}")


def _answers(host: Host) -> bool:
    asked = f"curl --silent --fail --cacert {CA_BUNDLE}"
    directory = host.run(f"{asked} {DIRECTORY_URL}", check=False)
    names = host.run("ss -Hltn sport = :8055", check=False)
    return directory.returncode == 0 and names.stdout != ""
