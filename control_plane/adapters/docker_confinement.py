"""What a container is kept from, whatever it holds: rights, the host's namespaces, other's share.

Invariant: nothing is left to what an engine's own settings have as their default, but seccomp's
profile, which the engine alone knows (`engine_facts` says where there is none).
"""

from collections.abc import Mapping
from typing import Any

from docker.types import Ulimit

from control_plane.domain.containers import ROOT_CAPABILITIES, ContainerSpec

# Nobody has this address (RFC 5737). Engines before 26.0 ask a resolver on the host's loopback in
# the name of containers that have no way out (CVE-2024-29018).
_NO_RESOLVER = "192.0.2.1"


def of(spec: ContainerSpec) -> Mapping[str, Any]:
    """Return the keywords of `create_host_config` that shut a container in."""
    return {
        "cap_drop": ["ALL"],
        "cap_add": list(ROOT_CAPABILITIES) if spec.as_root else None,
        "security_opt": ["no-new-privileges"],
        "group_add": [] if spec.as_root else [str(gid) for gid in spec.gids],
        "ipc_mode": "private",
        "cgroupns": "private",
        "mem_limit": spec.memory,
        "memswap_limit": spec.memory,  # the same number: no swap
        "pids_limit": spec.pids,
        "ulimits": [Ulimit(name="nofile", soft=spec.open_files, hard=spec.open_files)],
        "dns": [_NO_RESOLVER] if spec.network == "none" else None,
        "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
    }
