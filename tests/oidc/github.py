"""What GitHub's three addresses answer, as its documents describe them, on loopback."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "remoteapp-at-github"
CLIENT_SECRET = "the secret that GitHub knows"


@dataclass
class FakeGithub:
    """Whoever comes is signed in as `user`; a code is taken once, with its verifier."""

    user: dict[str, Any] = field(default_factory=lambda: {"id": 583231, "login": "Octocat"})
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/login/oauth/authorize", self._authorize),
                Route("/login/oauth/access_token", self._token, methods=["POST"]),
                Route("/api/v3/user", self._user),
            ]
        )

    def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        code = f"code-{len(self.codes)}"
        self.codes[code] = dict(asked)
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 302)

    async def _token(self, request: Request) -> Response:
        sent = {key: one[0] for key, one in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(sent["code"], {})
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        known = (sent["client_id"], sent["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        if not known or asked.get("code_challenge") != challenge:
            return JSONResponse({"error": "bad_verification_code"})
        return JSONResponse({"access_token": "gho_token", "token_type": "bearer", "scope": ""})

    def _user(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer gho_token":
            return JSONResponse({"message": "Bad credentials"}, 401)
        return JSONResponse(self.user)
