"""What nginx says: of its configuration, and in a handshake of its certificate.

Invariant: it is only asked; nothing here changes what it does.
"""

import ssl
import subprocess
from pathlib import Path
from socket import create_connection

_TEST_SECONDS = 60
_HANDSHAKE_SECONDS = 10
_SHOWN = 2000


def refusal(nginx: str, config: Path) -> str:
    """Return what nginx says against its configuration; nothing when it takes it."""
    command = [nginx, "-t", "-q", "-e", "stderr", "-c", str(config)]
    try:
        done = subprocess.run(  # noqa: S603  fixed words and paths of the operator's
            command, capture_output=True, timeout=_TEST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nginx -t: {error}"
    said = done.stderr.decode("utf-8", "replace").strip()[-_SHOWN:]
    return (said or f"nginx -t: exit {done.returncode}") if done.returncode else ""


def certificate(address: str, port: int, name: str) -> bytes | None:
    """Return the certificate, in DER, that is shown to who asks for the name; None without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It is compared with a file, byte for byte: whether anybody trusts it is not the question.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            create_connection((address, port), _HANDSHAKE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name) as shown,
        ):
            return shown.getpeercert(binary_form=True)
    except OSError:
        return None
