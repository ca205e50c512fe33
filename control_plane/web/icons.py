"""The picture of an application that brings none."""

from importlib.resources import files

GENERIC = files("control_plane.web").joinpath("static/application.png").read_bytes()
