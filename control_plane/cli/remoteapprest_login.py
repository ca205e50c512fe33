"""The verbs `remoteapprest login` and `logout`: a token for this machine, and its end.

Invariant: a password is sent once, over verified TLS, and stands nowhere afterwards.
"""

import os
import platform
import secrets
import sys
import webbrowser
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import click
import httpx

from control_plane.cli import profiles
from control_plane.cli.profiles import Profile
from control_plane.cli.remoteapprest_portal import (
    ADMINISTRATION,
    Json,
    as_json,
    ask,
    client,
    content,
    every,
    profile_name,
    profile_of,
    tell_json,
)
from control_plane.domain.names import shown
from control_plane.errors import (
    ControlPlaneError,
    ForbiddenError,
    NotFoundError,
    NotSignedInError,
)

_SCOPES = ("sessions:read", "sessions:write", "shares:write")
_ADMIN_SCOPES = ("admin:read", "admin:write")


def _origin(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    parts = urlsplit(value)
    odd = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username
    if parts.scheme != "https" or not parts.hostname or odd:
        raise click.BadParameter("must be an https address such as https://remote.example.org")
    return f"https://{parts.netloc}"


@click.command()
@click.argument("url", callback=_origin)
@click.option("--username", help="The sign-in name; asked for without it.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trust the certificates of this PEM file, and no others.",
)
@click.option("--token", "by_token", is_flag=True, help="Ask for a token instead of a password.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--browser", is_flag=True, help="Get the token from a page that the browser opens.")
@click.option("--admin", is_flag=True, help="The token is to administer too.")
@as_json
@click.pass_context
def login(  # noqa: PLR0913 - one parameter a flag
    ctx: click.Context,
    /,
    url: str,
    username: str | None,
    ca: Path | None,
    *,
    by_token: bool,
    password_stdin: bool,
    browser: bool,
    admin: bool,
    as_json: bool,
) -> None:
    """Sign in at the portal at URL, and keep a token for it.

    Where nobody signs in by a password, the browser is opened.
    """
    with_password = bool(username or password_stdin)
    _check_way(by_token, browser, with_password)
    name, before = profile_name(ctx), profiles.load(profile_name(ctx))
    trusted = str(ca.absolute()) if ca else None
    if by_token:
        made = _by_token(url, trusted, admin=admin)
    elif browser or not (with_password or _takes_passwords(url, trusted)):
        made = _by_browser(url, trusted, admin=admin)
    else:
        typed = _credentials(username, from_stdin=password_stdin)
        made = _by_password(url, trusted, *typed, admin=admin)
    profiles.save(name, made)
    if before:
        _revoke(before)
    if as_json:
        tell_json({"profile": name, "url": made.url, "user": made.user})
    else:
        click.echo(f"Signed in at {made.url} as {shown(made.user)}.")


@click.command()
@as_json
@click.pass_context
def logout(ctx: click.Context, /, *, as_json: bool) -> None:
    """Revoke the token and forget it."""
    name, found = profile_name(ctx), profile_of(ctx)
    revoked = _revoke(found)
    profiles.forget(name)
    if as_json:
        tell_json({"profile": name, "url": found.url, "revoked": revoked})
        return
    click.echo(f"Signed out of {found.url}.")
    if not revoked:
        click.echo("The token was forgotten, but not revoked: it holds until it expires.", err=True)


def _check_way(*named: bool) -> None:
    """Raise unless one way to sign in is named, or none where there is a terminal to ask on."""
    if sum(named) > 1:
        raise click.UsageError(
            "--token, --browser and --username with --password-stdin exclude one another."
        )
    if not any(named):
        _check_terminal()


def _check_terminal() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "Without a terminal: --username and --password-stdin, --token or --browser."
        )


def _credentials(username: str | None, *, from_stdin: bool) -> tuple[str, str]:
    if from_stdin:
        if not username:
            raise click.UsageError("--password-stdin needs --username.")
        return username, sys.stdin.readline().rstrip("\r\n")
    _check_terminal()
    name = username or click.prompt("Name", err=True)
    return name, click.prompt("Password", hide_input=True, err=True)


def _takes_passwords(url: str, ca: str | None) -> bool:
    with client(url, ca) as found:
        return content(ask(found, "GET", "/signin-methods")).get("password") is True


def _by_browser(url: str, ca: str | None, *, admin: bool) -> Profile:
    # A name of its own, by which the token is found again: only its value is pasted.
    name = f"{_own_name()} {secrets.token_hex(3)}"
    wanted = {"name": name} | ({"admin": "1"} if admin else {})
    address = f"{url}/login/token?{urlencode(wanted)}"
    click.echo(f"Open {address}\nand paste the token that it shows.", err=True)
    if _has_screen():
        webbrowser.open(address)
    made = _by_token(url, ca, admin=admin)
    with client(url, ca, made.token) as found:
        mine = [one["id"] for one in every(found, "/tokens") if one["name"] == name]
    return replace(made, token_id=mine[0] if len(mine) == 1 else "")


def _has_screen() -> bool:
    """Whether a browser of its own window can come up: one in this terminal would be in the way."""
    names = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in names)


def _own_name() -> str:
    return f"remoteapprest on {platform.node()}"[:90]


def _by_password(url: str, ca: str | None, name: str, password: str, *, admin: bool) -> Profile:
    scopes = _SCOPES + _ADMIN_SCOPES if admin else _SCOPES
    wanted = {"name": _own_name(), "scopes": scopes}
    with client(url, ca) as found:
        try:
            answer = ask(found, "POST", "/tokens", json=wanted, auth=_basic(name, password))
        except NotSignedInError as error:
            raise NotSignedInError(error.message) from error
        except ForbiddenError as error:
            if ADMINISTRATION not in error.message:
                raise
            message = f"{shown(name)} is no administrator of this portal."
            raise ForbiddenError(message, "Sign in without --admin.") from error
    issued = content(answer)
    return Profile(url, issued["token"], name, ca, issued["id"])


def _by_token(url: str, ca: str | None, *, admin: bool) -> Profile:
    if sys.stdin.isatty():
        token = click.prompt("Token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline().strip()
    if not (token.isascii() and token.isprintable() and token):
        raise click.UsageError("That is no token.")
    with client(url, ca, token) as found:
        try:
            me: Json = content(ask(found, "GET", "/me"))
        except NotSignedInError as error:
            raise NotSignedInError("The portal does not know this token.") from error
    if admin and not set(_ADMIN_SCOPES) <= set(me["scopes"]):
        raise ForbiddenError("This token may not administer.", "Sign in without --admin.")
    return Profile(url, token, me["name"], ca)


def _basic(name: str, password: str) -> httpx.BasicAuth:
    if ":" in name:
        raise click.UsageError("A name has no colon.")
    return httpx.BasicAuth(name, password)


def _revoke(profile: Profile) -> bool:
    """Return whether the token is void now; a portal that is away is no error."""
    if not profile.token_id:
        return False
    try:
        with client(profile.url, profile.ca, profile.token) as found:
            ask(found, "DELETE", f"/tokens/{profile.token_id}")
    except (NotFoundError, NotSignedInError):
        return True
    except ControlPlaneError:
        return False
    return True
