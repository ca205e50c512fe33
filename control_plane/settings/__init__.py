"""Every setting, read once, typed; a bad one fails by its name, its value and what is allowed.

The file is `/etc/remoteapp/settings.toml` (`REMOTEAPP_SETTINGS` names another); each key is
overridden by `REMOTEAPP_<SECTION>__<KEY>`. Places follow systemd's variables.
"""

from control_plane.errors import SettingsError
from control_plane.settings.installation import Settings
from control_plane.settings.loading import DEFAULT_FILE, checked, load, read_secret, secret
from control_plane.settings.portal import PortalSettings
from control_plane.settings.sections import (
    AccountingStore,
    Auth,
    Demo,
    EngineSettings,
    Github,
    LimitSettings,
    Oidc,
    Store,
    VolumeSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "AccountingStore",
    "Auth",
    "Demo",
    "EngineSettings",
    "Github",
    "LimitSettings",
    "Oidc",
    "PortalSettings",
    "Settings",
    "SettingsError",
    "Store",
    "VolumeSettings",
    "checked",
    "load",
    "read_secret",
    "secret",
]
