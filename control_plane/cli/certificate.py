"""`control-plane certificate`: what the timer runs, as root, to keep the host's certificate.

Invariant: it opens no database and no engine; without an error nginx shows what stands in place.
"""

from pathlib import Path

import click

from control_plane.adapters import certificate_renewal, certificate_settings, certificates
from control_plane.errors import ControlPlaneError

_FILE = click.Path(path_type=Path)


@click.group()
def certificate() -> None:
    """Keep the certificate that nginx shows."""


@certificate.command("renew")
@click.option(
    "--settings", "file", type=_FILE, default="/etc/remoteapp/certificate.toml", show_default=True
)
@click.option("--force", is_flag=True, help="Issue a new one although the present one lasts.")
def renew(file: Path, *, force: bool) -> None:
    """Issue or renew the certificate where it is due, and have nginx show it.

    What was done is printed, a line each.
    """
    settings = certificate_settings.load(file)
    try:
        acts = certificate_renewal.renew(settings, force=force)
    except OSError as error:
        raise ControlPlaneError(f"The certificate cannot be renewed: {error}.") from error
    present = certificates.read(settings.directory)
    if not acts and present is not None:
        ends = certificates.leaf(present).not_valid_after_utc
        acts = [f"Nothing to do: nginx shows the certificate, which holds until {ends:%d %B %Y}."]
    for line in acts:
        click.echo(line)
