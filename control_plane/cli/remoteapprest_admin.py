"""The group `remoteapprest admin …`: what an administrator does from anywhere.

Invariant: each verb is a request of the API with the caller's token; nothing is decided here.
"""

import click

from control_plane.cli import (
    remoteapprest_admin_apps,
    remoteapprest_admin_grants,
    remoteapprest_admin_images,
    remoteapprest_admin_people,
    remoteapprest_admin_reports,
    remoteapprest_admin_sessions,
)


@click.group()
def admin() -> None:
    """Users, groups, applications, grants, images, and what runs.

    The token needs the scopes admin:read and admin:write: remoteapprest login URL --admin.
    """


admin.add_command(remoteapprest_admin_people.user)
admin.add_command(remoteapprest_admin_people.group)
admin.add_command(remoteapprest_admin_apps.app)
admin.add_command(remoteapprest_admin_grants.grant)
admin.add_command(remoteapprest_admin_images.image)
admin.add_command(remoteapprest_admin_sessions.session)
admin.add_command(remoteapprest_admin_reports.usage)
admin.add_command(remoteapprest_admin_reports.audit)
admin.add_command(remoteapprest_admin_reports.stats)
admin.add_command(remoteapprest_admin_reports.announce)
