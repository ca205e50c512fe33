"""Whether the portal of this container is ready, asked of nginx as a browser would."""

import sys

from control_plane.adapters.portal_probe import Nginx
from control_plane.errors import ControlPlaneError
from control_plane.trial.contained import places, site


def main() -> int:
    """Print what it says of its parts; return 0 when all are well."""
    try:
        found = site.load()
        where = site.address(found)
        nginx = Nginx(f"https://{where.names[0]}:{where.port}", places.TLS / "server.pem")
        answer = nginx.ask("GET", "/readyz")
    except (ControlPlaneError, OSError) as error:
        print(error)  # noqa: T201 - the engine keeps it
        return 1
    print(answer.text)  # noqa: T201 - it prints
    return 0 if answer.is_success else 1


if __name__ == "__main__":
    sys.exit(main())
