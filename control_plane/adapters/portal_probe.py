"""The portal asked on its own machine: its socket, and nginx by the portal's name on loopback.

Invariant: nothing leaves the machine, and what is trusted is the certificate in nginx's file alone,
whoever signed it.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from control_plane.adapters.container_processes import listening
from control_plane.errors import UnavailableError

_SECONDS = 10.0
_TABLES = Path("/proc/self/net")
_HTTPS = 443


def place(port: int) -> str:
    """Return this machine's address that takes connections there; loopback where none does."""
    found = [one.address for one, _ in listening(_TABLES) if one.port == port]
    if not found or any(one.is_loopback or one.is_unspecified for one in found):
        four = [one for one in found if one.version == 4 or one.is_unspecified]  # noqa: PLR2004 - of IP
        return "::1" if found and not four else "127.0.0.1"
    return str(found[0])


def name_and_port(url: str) -> tuple[str, int]:
    """Return the host's name of an https address, and its port."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _HTTPS


class Nginx:
    """The portal as a browser reaches it, from this machine; close it in the end."""

    def __init__(self, url: str, trusted: Path, token: str = "") -> None:
        """Trust what stands in the file `trusted`; with a token everything is asked with it."""
        self._name, self._port = name_and_port(url)
        context = ssl.create_default_context(cafile=str(trusted))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        headers = {"Host": urlsplit(url).netloc}
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(verify=context),
            headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
            timeout=_SECONDS,
            trust_env=False,
        )

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> httpx.Response:
        """Return an answer, whatever its status; UnavailableError when there is none."""
        found = place(self._port)
        host = f"[{found}]" if ":" in found else found
        try:
            return self._client.request(
                method,
                f"https://{host}:{self._port}{path}",
                json=body,
                extensions={"sni_hostname": self._name},
            )
        except (httpx.HTTPError, OSError) as error:
            raise UnavailableError(f"nginx does not answer {method} {path}: {error}.") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def plain(port: int, url: str) -> tuple[int, str]:
    """Return with which status plain HTTP answers, and where it leads; UnavailableError."""
    name, _ = name_and_port(url)
    found = place(port)
    host = f"[{found}]" if ":" in found else found
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False) as client:
            answer = client.get(f"http://{host}:{port}/", headers={"Host": name})
    except httpx.HTTPError as error:
        raise UnavailableError(f"Port {port} does not answer plain HTTP: {error}.") from error
    return answer.status_code, answer.headers.get("Location", "")


def readiness(path: Path) -> Mapping[str, str]:
    """Return what the control plane says of its parts over its socket; UnavailableError."""
    transport = httpx.HTTPTransport(uds=str(path))
    try:
        with httpx.Client(transport=transport, timeout=_SECONDS, trust_env=False) as client:
            found = client.get("http://localhost/readyz").json()["checks"]
    except httpx.TimeoutException as error:
        raise UnavailableError(
            f"The control plane took a connection and said nothing for {_SECONDS:g} s."
        ) from error
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise UnavailableError(f"The control plane does not answer at {path}: {error}.") from error
    return {str(name): str(said) for name, said in found.items()}
