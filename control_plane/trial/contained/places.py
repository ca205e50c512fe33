"""Where things lie in the portal's container: where a provisioned host has them.

Invariant: what is kept lies in the state or the configuration, which are directories of the host.
"""

from pathlib import Path

from control_plane.adapters import forwarder_client, operator_client

CONFIGURATION = Path("/etc/remoteapp")
SECRET = CONFIGURATION / "secret"
TLS = CONFIGURATION / "tls"
PASSWORD = CONFIGURATION / "admin-password"

TEMPLATES = Path("/opt/remoteapp/nginx")

# In memory, new with each start of the container.
RUN = Path("/run")
SOCKET = operator_client.SOCKET
FORWARDER = SOCKET.with_name("forwarder.sock")
FORWARDER_CONTROL = forwarder_client.SOCKET
CREDENTIALS = RUN / "remoteapp-credentials"
ROUTES_STATUS = RUN / "remoteapp-routes" / "status.json"
NGINX = RUN / "remoteapp-nginx"
NGINX_PID = RUN / "nginx.pid"
DECISIONS = RUN / "remoteapp-decisions"

# The container's own output, which the engine keeps.
OUTPUT = Path("/dev/stdout")
ERRORS = Path("/dev/stderr")
