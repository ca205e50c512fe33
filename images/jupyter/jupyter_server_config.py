"""JupyterLab behind the portal, which has authorised every request that arrives here.

No request is refused for want of a token, and none from a page of another origin is let in.
"""

import os
import tempfile
from pathlib import Path

from jupyter_server.auth import IdentityProvider, User


class Portal(IdentityProvider):
    """Everyone is the user whom the portal names; nginx overwrites these headers."""

    def get_user(self, handler):
        """Return the user, and make the browser's name for this server the one that origins are held against."""
        headers = handler.request.headers
        if "X-Forwarded-Host" in headers:
            headers["Host"] = headers["X-Forwarded-Host"]
        return User(username=headers.get("X-Remote-User") or os.environ.get("JPY_USER", "user"))

    def should_check_origin(self, handler):
        return True


def home():
    """Return /workspace where the policy gives it, else the home."""
    workspace = Path("/workspace")
    return workspace if workspace.is_dir() and os.access(workspace, os.W_OK) else Path.home()


c = get_config()  # noqa: F821 (Jupyter gives it)
c.ServerApp.ip = "0.0.0.0"  # noqa: S104 (the container's own network)
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.base_url = f"{os.environ.get('JPY_BASE_USER_URL', '')}/containers/{os.environ.get('URL_ID', '')}/"
c.ServerApp.root_dir = str(home())
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True
c.ServerApp.identity_provider_class = Portal
c.ServerApp.runtime_dir = tempfile.mkdtemp(prefix="runtime-")
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
