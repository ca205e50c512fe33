"""What a container has mounted: a home, volumes of the host, a directory of its own in memory.

Invariant: the engine makes no source of the host, and gives no home to anybody but its owner.
"""

from collections.abc import Mapping

from docker.types import Mount

from control_plane.domain.containers import VOLATILE, WORKSPACE, ContainerSpec, HomeMount
from control_plane.domain.entities import Volume


def home(mounted: HomeMount, place: str = WORKSPACE) -> Mount:
    """Return the mount of a home: an engine volume, or a directory of the host."""
    if mounted.is_volume:
        # Without no_copy the image's own /workspace overwrites owner and mode of an empty volume.
        return Mount(place, mounted.source, type="volume", no_copy=True)
    return _bound(mounted.source, place, read_only=False)


def home_to_read(mounted: HomeMount) -> Mount:
    """Return the mount of a home that nothing may be written to."""
    if mounted.is_volume:
        return Mount(WORKSPACE, mounted.source, type="volume", no_copy=True, read_only=True)
    return _bound(mounted.source, WORKSPACE, read_only=True)


def volume(wanted: Volume) -> Mount:
    """Return the mount of a volume of the policy."""
    return _bound(wanted.source, wanted.target, read_only=wanted.mode == "ro")


def in_memory(spec: ContainerSpec, *, read_only: bool) -> Mapping[str, str]:
    """Return the directories that are memory, with their options.

    One stands for a home where there is none; `read_only`: those of VOLATILE, too.
    """
    return {**_own_directory(spec), **(_volatile(spec) if read_only else {})}


def _own_directory(spec: ContainerSpec) -> Mapping[str, str]:
    if spec.home or spec.as_root:
        return {}
    mine = f"uid={spec.uid},gid={spec.gid},mode=0700,nosuid,nodev,exec"
    return {spec.home_directory: mine}


def _volatile(spec: ContainerSpec) -> Mapping[str, str]:
    # Whoever fills one is told that it is full, before the kernel ends a process for the memory.
    # Where an image has the directory, its mode stays: /run is nobody's to write but its owner's.
    whose = f"uid={spec.uid},gid={spec.gid},mode=1777"
    return dict.fromkeys(VOLATILE, f"{whose},nosuid,nodev,exec,size={spec.memory // 2}")


def _bound(source: str, place: str, *, read_only: bool) -> Mount:
    """Mount what is there: the engine makes no source, and nothing mounted inside comes out."""
    mount = Mount(place, source, type="bind", read_only=read_only, propagation="rprivate")
    if read_only:  # engines before 25.0 would let what is mounted below the source be written
        mount["BindOptions"]["NonRecursive"] = True
    return mount
