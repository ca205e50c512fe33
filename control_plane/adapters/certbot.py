"""A certificate by ACME: certbot, with an account and a store of our own.

Invariant: certificates of the operator's own in /etc/letsencrypt, and the distribution's timer for
them, are left alone.
"""

import os
import subprocess
from collections.abc import Sequence

from control_plane.adapters.certificate_settings import Acme
from control_plane.adapters.certificates import Pair
from control_plane.errors import ControlPlaneError

# A hook may wait until every name server has its record.
_SECONDS = 1800
_SHOWN = 2000
_LINEAGE = "remoteapp"


def obtained(acme: Acme, names: Sequence[str], *, force: bool) -> Pair:
    """Return certbot's certificate, issued or renewed where it is time; its words when it fails."""
    acme.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if acme.challenge == "http-01":
        acme.webroot.mkdir(parents=True, exist_ok=True)
        acme.webroot.chmod(0o755)  # nginx reads the proofs, whatever our umask
    trusted = {"REQUESTS_CA_BUNDLE": str(acme.ca_bundle)} if acme.ca_bundle else {}
    _run(_words(acme, names, force=force), {**os.environ, **trusted})
    live = acme.state / "live" / _LINEAGE
    return Pair((live / "fullchain.pem").read_bytes(), (live / "privkey.pem").read_bytes())


def _words(acme: Acme, names: Sequence[str], *, force: bool) -> list[str]:
    return [
        *(acme.certbot, "certonly", "--non-interactive", "--agree-tos"),
        *("--cert-name", _LINEAGE, "--renew-with-new-domains", "--key-type", "ecdsa"),
        "--force-renewal" if force else "--keep-until-expiring",
        *("--server", acme.directory_url),
        *(("--email", acme.email) if acme.email else ("--register-unsafely-without-email",)),
        *("--config-dir", str(acme.state), "--work-dir", str(acme.state / "work")),
        *("--logs-dir", str(acme.state / "logs"), "--max-log-backups", "10"),
        *(("--config", str(acme.options)) if acme.options else ()),
        *_challenge(acme),
        *(word for name in names for word in ("--domain", name)),
    ]


def _challenge(acme: Acme) -> list[str]:
    if acme.challenge == "http-01":
        return ["--webroot", "--webroot-path", str(acme.webroot)]
    hooks = (("--manual-auth-hook", acme.auth_hook), ("--manual-cleanup-hook", acme.cleanup_hook))
    given = [word for flag, hook in hooks if hook for word in (flag, str(hook))]
    return ["--manual", "--preferred-challenges", "dns", *given]


def _run(words: Sequence[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603  words of the operator's own
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ControlPlaneError(f"certbot did not run: {error}.", "Install certbot.") from error
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()[-_SHOWN:]
        raise ControlPlaneError(
            f"certbot got no certificate (exit {done.returncode}): {said}",
            "The present certificate stays; mend what certbot names, then run "
            "control-plane certificate renew.",
        )
