"""The Docker engine through its SDK: a closed set of verbs on one realm's containers.

Invariant: nothing without this realm's label is ever touched, and `run` leaves either a started
container or nothing.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import EndpointConfig, IPAMConfig, IPAMPool, Mount, NetworkingConfig

from control_plane.adapters import identity
from control_plane.domain.containers import WORKSPACE, ContainerSpec, HomeMount
from control_plane.domain.entities import Image
from control_plane.domain.labels import RUN
from control_plane.domain.ports import Container
from control_plane.errors import EngineUnavailableError, ImageMissingError, StartError

log = logging.getLogger(__name__)

REALM = RUN + "realm"
IDENTITIES = Path("/var/lib/remoteapp/identities")
# Sixteen private ranges of 4 094 addresses; the first that the engine has free is taken.
RANGES = tuple(f"10.213.{16 * number}.0/20" for number in range(16))


class DockerEngine:
    """The engine at `host` (None: DOCKER_HOST, else the local socket) as one realm sees it."""

    def __init__(
        self,
        realm: str,
        host: str | None = None,
        *,
        directory: Path = IDENTITIES,
        timeout: float = 60,
    ) -> None:
        """Connect at the first use, so that an engine that is away is no obstacle now.

        `directory` is ours to keep small files in that containers mount.
        """
        self.realm = realm
        self._directory = directory
        self._host = host
        self._timeout = timeout
        self._network = f"remoteapp-{realm}"
        self._range = ""
        self._homes: set[tuple[str, int]] = set()
        self._identities: dict[str, identity.Accounts] = {}
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise EngineUnavailableError when the engine does not answer."""
        with _translated():
            self._api.ping()

    def session_range(self) -> str:
        """Return the range of the session network, which is made if it lacks."""
        if self._range:
            return self._range
        with _translated(), self._lock:
            self._range = self._found_range() or self._make_network()
        return self._range

    def image(self, name: str) -> Image:
        """Return what the engine knows of an image; ImageMissingError."""
        with _translated(image=name):
            found = self._api.inspect_image(name)
        return Image(found["Id"], name, found["Config"].get("Labels") or {})

    def images(self) -> Mapping[str, Image]:
        """Return every image by each of its names, and by those without `:latest`."""
        with _translated():
            found = self._api.images()
        return {
            name: Image(one["Id"], name, one.get("Labels") or {})
            for one in found
            for tag in one.get("RepoTags") or ()
            for name in {tag, tag.removesuffix(":latest")}
        }

    def run(self, spec: ContainerSpec) -> str:
        """Create and start a container; on an error nothing of it is left."""
        with _translated(image=spec.image):
            self._prepare_home(spec)
            container = self._create(spec)
            try:
                self._api.start(container)
            except BaseException:
                self._range = ""  # perhaps the network is what is gone
                self._api.remove_container(container, force=True, v=True)
                raise
        return container

    def containers(self) -> Sequence[Container]:
        """Return this realm's containers, running or not."""
        with _translated():
            found = self._api.containers(all=True, filters={"label": f"{REALM}={self.realm}"})
        return [self._container(one) for one in found]

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal; one that is gone or has ended is no error."""
        with _translated(), _gone_is_fine():
            self._api.kill(container_id, name)

    def remove(self, container_id: str) -> None:
        """Kill and remove, with the anonymous volumes; one that is gone is no error."""
        with _translated(), _gone_is_fine():
            self._api.remove_container(container_id, force=True, v=True)

    def log(self, container_id: str, tail: int) -> str:
        """Return the last lines of the output; empty when the container is gone."""
        with _translated(), _gone_is_fine():
            output: bytes = self._api.logs(container_id, tail=tail)
            return output.decode(errors="replace")
        return ""

    def exit_status(self, container_id: str) -> int:
        """Return the status a container ended with; 0 when it is gone."""
        with _translated(), suppress(NotFound):
            return int(self._api.inspect_container(container_id)["State"]["ExitCode"])
        return 0

    def ends(self, since: datetime) -> Iterator[str]:
        """Yield the id of each container of this realm that ends, from `since` on."""
        filters = {"type": "container", "event": "die", "label": f"{REALM}={self.realm}"}
        with _translated(), closing(self._client(None)) as client:
            for event in client.events(since=since, filters=filters, decode=True):
                yield event["Actor"]["ID"]
        raise EngineUnavailableError("The engine closed its stream of events.")

    def close(self) -> None:
        """Close the connections to the engine."""
        if "_api" in self.__dict__:
            self._api.close()

    @cached_property
    def _cpus(self) -> int:
        """What the engine's host has: it refuses a container that asks for more."""
        return int(self._api.info()["NCPU"])

    @cached_property
    def _api(self) -> Any:
        return self._client(self._timeout)

    def _client(self, timeout: float | None) -> Any:
        environment = docker.utils.kwargs_from_env()
        if self._host:
            environment["base_url"] = self._host
        return docker.APIClient(version="auto", timeout=timeout, **environment)

    def _found_range(self) -> str:
        found = self._api.networks(names=[self._network])
        exact = [one for one in found if one["Name"] == self._network]
        return str(exact[0]["IPAM"]["Config"][0]["Subnet"]) if exact else ""

    def _make_network(self) -> str:
        for subnet in RANGES:
            with suppress(APIError):  # it overlaps another network: the next one
                self._api.create_network(
                    self._network,
                    driver="bridge",
                    options={"com.docker.network.bridge.enable_icc": "false"},
                    ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]),
                    labels={REALM: self.realm},
                    check_duplicate=True,
                )
                log.info("network made name=%s range=%s", self._network, subnet)
                return subnet
        raise EngineUnavailableError(
            "No range is free for the session network.",
            f"Remove a network of the engine that overlaps {RANGES[0]} to {RANGES[-1]}.",
        )

    def _create(self, spec: ContainerSpec) -> str:
        container: str = self._api.create_container(
            spec.image,
            command=list(spec.command) or None,
            name=spec.name,
            user=f"{spec.uid}:{spec.gid}",
            environment=dict(spec.environment),
            labels=dict(spec.labels),
            host_config=self._host_config(spec),
            networking_config=self._networking(spec.address),
            working_dir=spec.home_directory,
        )["Id"]
        return container

    def _host_config(self, spec: ContainerSpec) -> Any:
        home = [_mount(spec.home)] if spec.home else []
        return self._api.create_host_config(
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            init=True,
            mem_limit=spec.memory,
            memswap_limit=spec.memory,  # the same number: no swap
            nano_cpus=int(min(spec.cpus, self._cpus) * 1e9),
            pids_limit=spec.pids,
            group_add=[str(gid) for gid in spec.gids],
            mounts=[*identity.mounts(self._accounts(spec), spec, self._directory), *home],
            tmpfs={} if spec.home else {spec.home_directory: _own_directory(spec)},
            network_mode=self._network,
            log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
        )

    def _networking(self, address: str) -> Any:
        return NetworkingConfig({self._network: EndpointConfig("1.41", ipv4_address=address)})

    def _accounts(self, spec: ContainerSpec) -> identity.Accounts:
        if spec.image not in self._identities:
            with self._holder(spec, None) as holder:
                self._identities[spec.image] = identity.read(self._api, holder)
        return self._identities[spec.image]

    def _prepare_home(self, spec: ContainerSpec) -> None:
        if not (spec.home and spec.home.is_volume):
            return
        with self._lock:
            if (spec.home.source, spec.uid) not in self._homes:
                self._api.create_volume(spec.home.source, labels={REALM: self.realm})
                self._own(spec, spec.home)
                self._homes.add((spec.home.source, spec.uid))

    def _own(self, spec: ContainerSpec, home: HomeMount) -> None:
        with self._holder(spec, home) as holder:
            self._api.put_archive(holder, "/", identity.owned_directory(WORKSPACE, spec))

    @contextmanager
    def _holder(self, spec: ContainerSpec, home: HomeMount | None) -> Iterator[str]:
        """Give a created container that never starts: no process runs in it."""
        holder = self._api.create_container(
            spec.image,
            command=["true"],
            labels={REALM: self.realm, RUN + "url_id": spec.labels[RUN + "url_id"]},
            host_config=self._api.create_host_config(
                mounts=[_mount(home)] if home else [], network_mode="none"
            ),
        )["Id"]
        try:
            yield holder
        finally:
            self._api.remove_container(holder, force=True, v=True)  # those without a name

    def _container(self, found: Mapping[str, Any]) -> Container:
        network = found["NetworkSettings"]["Networks"].get(self._network) or {}
        address = (network.get("IPAMConfig") or {}).get("IPv4Address") or network.get("IPAddress")
        return Container(
            id=found["Id"],
            running=found["State"] in ("running", "paused", "restarting"),
            started=found["State"] != "created",
            labels=found["Labels"],
            address=address or "",
        )


def _mount(home: HomeMount) -> Mount:
    if home.is_volume:
        # Without no_copy the image's own /workspace overwrites owner and mode of an empty volume.
        return Mount(WORKSPACE, home.source, type="volume", no_copy=True)
    return Mount(WORKSPACE, home.source, type="bind")


def _own_directory(spec: ContainerSpec) -> str:
    return f"uid={spec.uid},gid={spec.gid},mode=0700,nosuid,nodev,exec"


@contextmanager
def _translated(image: str = "") -> Iterator[None]:
    try:
        yield
    except ImageNotFound as error:
        raise ImageMissingError(image) from error
    except APIError as error:
        if error.is_client_error():
            raise StartError("engine", f"The engine refused: {error.explanation}") from error
        raise _away() from error
    except (DockerException, requests.RequestException) as error:
        raise _away() from error
    except OSError as error:
        raise StartError("engine", f"The container could not be prepared: {error}") from error


def _away() -> EngineUnavailableError:
    return EngineUnavailableError(
        "The container engine does not answer.", "It is tried again; see the engine's log."
    )


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except NotFound:
        return
    except APIError as error:
        # 409: it is not running, or its removal is under way.
        if error.status_code != requests.codes.conflict:
            raise
