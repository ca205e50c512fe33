"""Where the parts of an installation lie, from its settings and systemd's variables.

Invariant: backup and restore look in the same places as the service.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from control_plane.adapters.backup_places import SETTINGS, Places
from control_plane.adapters.database import database_file, shown_url
from control_plane.adapters.home_archives import HomeArchives
from control_plane.installed import CONFIGURATION, engine_reached
from control_plane.settings import Settings

_OUR_PAM = Path("/etc/pam.d/remoteapp")


def places_of(settings: Settings) -> Places:
    """Return the places of the installation that these settings describe."""
    configuration = Path(os.environ.get("CONFIGURATION_DIRECTORY", CONFIGURATION))
    credentials = os.environ.get("CREDENTIALS_DIRECTORY", configuration)
    urls = _databases(settings)
    files = {one: database_file(url) for one, url in urls.items()}
    named = list(dict.fromkeys(_files(settings)))
    inside = [one for one in named if one.is_relative_to(configuration)]
    return Places(
        configuration=configuration,
        settings=Path(os.environ.get("REMOTEAPP_SETTINGS", configuration / SETTINGS)),
        secret=Path(credentials) / "secret",
        pam=_OUR_PAM if settings.auth.pam_service == _OUR_PAM.name else None,
        state=settings.state_directory,
        databases={one: path for one, path in files.items() if path},
        named=tuple(inside),
        elsewhere=(
            *dict.fromkeys(shown_url(urls[one]) for one, path in files.items() if not path),
            *(str(one) for one in named if one not in inside),
        ),
    )


def homes_of(settings: Settings) -> HomeArchives:
    """Return the homes of the realm, in its engine."""
    return HomeArchives(settings.realm, engine_reached(settings))


def _databases(settings: Settings) -> dict[str, str]:
    """Return where each set of tables lies; accounting may be no database of ours."""
    is_ours = not (settings.accounting.class_ or settings.accounting_file)
    accounting = {"accounting": settings.accounting_url} if is_ours else {}
    return accounting | {"records": settings.records_url}


def _files(settings: Settings) -> Iterator[Path]:
    """Yield the files that the settings name, the accounting's too where it is one."""
    yield from _paths(settings)
    if settings.accounting_file:
        yield settings.accounting_file


def _paths(section: BaseModel) -> Iterator[Path]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _paths(value)
        elif isinstance(value, Path):
            yield value
