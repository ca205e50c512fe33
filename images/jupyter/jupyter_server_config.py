"""JupyterLab behind the portal, which has authorised every request that arrives here.

No request is refused for want of a token, and none from a page of another origin is let in.
"""
# ruff: noqa: INP001 (Jupyter reads it by its name)

import os
from pathlib import Path

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler


class Portal(IdentityProvider):
    """Everyone is the user whom the portal names; nginx overwrites these headers."""

    def get_user(self, handler: JupyterHandler) -> User:
        """Return the user, and hold the request's origin against the name that the browser uses."""
        headers = handler.request.headers
        if "X-Forwarded-Host" in headers:
            headers["Host"] = headers["X-Forwarded-Host"]
        return User(username=headers.get("X-Remote-User") or os.environ.get("JPY_USER", "user"))


c = get_config()  # noqa: F821 (Jupyter gives it)
c.ServerApp.ip = "0.0.0.0"  # noqa: S104 (the container's own network)
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.base_url = os.environ["BASE_PATH"] + "/"
c.ServerApp.root_dir = str(Path.cwd())  # the home, even one that is full
c.ServerApp.open_browser = False
c.ServerApp.allow_remote_access = True
c.ServerApp.identity_provider_class = Portal
c.Portal.token = ""
c.KernelManager.transport = "ipc"  # sockets in the runtime directory, not ports
c.ServerApp.log_level = "WARN"  # the session's log is the user's, not one line for each request
c.LabApp.extension_manager = "readonly"
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
