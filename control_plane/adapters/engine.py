"""The Docker engine through its SDK: a closed set of verbs on one realm's containers.

Invariant: nothing without this realm's label is ever touched, and `run` leaves either a started
container or nothing.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, NotFound, create_api_error_from_http_exception
from docker.types import EndpointConfig, Mount, NetworkingConfig

from control_plane.adapters import (
    docker_confinement,
    docker_mounts,
    docker_networks,
    docker_place,
    docker_reach,
    docker_storage,
    docker_usage,
    identity,
)
from control_plane.adapters.docker_api import (
    HOLDER,
    REALM,
    Connection,
    gone_is_fine,
    image_of,
    nowhere,
    refused,
    translated,
)
from control_plane.adapters.docker_place import Where
from control_plane.domain.containers import ContainerSpec, HomeMount
from control_plane.domain.entities import Image, Network, Sample
from control_plane.domain.labels import RUN
from control_plane.domain.ports import Container
from control_plane.errors import EngineUnavailableError, ImageMissingError, StartError

IDENTITIES = Path("/var/lib/remoteapp/identities")
_OWNER = RUN + "user"
# An engine lists its images by walking all layers that it has: a tenth of a second with some
# hundreds. One image takes it one or two milliseconds.
_FEW = 32


class DockerEngine:
    """The engine at `where` (None: DOCKER_HOST, else the local socket) as one realm sees it."""

    def __init__(  # noqa: PLR0913 - what one installation says of it
        self,
        realm: str,
        where: Where = None,
        *,
        directory: Path = IDENTITIES,
        session_range: IPv4Network | None = None,
        timeout: float = 60,
        cgroups: Path = docker_usage.CGROUPS,
    ) -> None:
        """Connect at the first use, so that an engine that is away is no obstacle now.

        `directory` is ours to keep small files in that containers mount; `session_range` is the one
        that the networks get (None: the first of sixteen that is free); `cgroups` is where the
        kernel counts what they use, if the engine is this machine's.
        """
        self.realm = realm
        self._place = docker_place.at(where)
        self._connection = Connection(self._place, timeout)
        self._directory = directory
        self._cgroups = cgroups
        self._networks = docker_networks.names(realm)
        self._only = session_range
        self._range: IPv4Network | None = None
        self._homes: set[tuple[str, str]] = set()
        self._identities: dict[str, identity.Accounts] = {}
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise EngineUnavailableError when the engine does not answer."""
        with translated():
            self._api.ping()

    def session_range(self) -> str:
        """Return what holds every session's address; the networks are made if they lack."""
        whole = self._whole_range()
        return self._place.published_on or str(whole)

    def range_of(self, network: Network) -> str:
        """Return the half of the session range that the sessions on this network get.

        Where ports are published it is the one address that they are published on.
        """
        half = docker_networks.halves(self._whole_range())[network]
        return self._place.published_on or str(half)

    def image(self, name: str) -> Image:
        """Return what the engine knows of an image; ImageMissingError."""
        with translated(image=name):
            found = self._api.inspect_image(name)
        return Image(found["Id"], name, found["Config"].get("Labels") or {})

    def images(self) -> Mapping[str, Image]:
        """Return every image by each of its names, and by those without `:latest`."""
        with translated():
            found = self._api.images()
        return {
            name: image_of(one, name)
            for one in found
            for tag in one.get("RepoTags") or ()
            for name in {tag, tag.removesuffix(":latest")}
        }

    def images_named(self, names: Collection[str]) -> Mapping[str, Image]:
        """Return those of these images that there are, by name."""
        if len(names) > _FEW:
            every = self.images()
            return {name: every[name] for name in names if name in every}
        found: dict[str, Image] = {}
        for name in names:
            with suppress(ImageMissingError):
                found[name] = self.image(name)
        return found

    def run(self, spec: ContainerSpec) -> str:
        """Create and start a container; on an error nothing of it is left."""
        with translated(image=spec.image):
            self._prepare_home(spec)
            container = self._create(spec)
            try:
                self._start(container, spec)
            except BaseException:
                self._range = None  # perhaps the network is what is gone
                self._api.remove_container(container, force=True, v=True)
                raise
        return container

    def containers(self) -> Sequence[Container]:
        """Return this realm's containers, running or not."""
        with translated():
            found = self._api.containers(all=True, filters={"label": f"{REALM}={self.realm}"})
        return [self._container(one) for one in found if not one["Labels"].get(HOLDER)]

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal; one that is gone or has ended is no error."""
        with translated(), gone_is_fine():
            self._api.kill(container_id, name)

    def remove(self, container_id: str) -> None:
        """Kill and remove, with the anonymous volumes; one that is gone is no error."""
        with translated(), gone_is_fine():
            self._api.remove_container(container_id, force=True, v=True)

    def limit(self, container_id: str, memory: int, cpus: float, pids: int) -> None:
        """Put other limits on a container; one that is gone is no error.

        StartError when the kernel refuses, as it does where more memory is in use already.
        """
        limits = {
            "Memory": memory,
            "MemorySwap": memory,  # the same number: no swap
            "NanoCpus": self._nano_cpus(cpus),
            "PidsLimit": pids,
        }
        with translated(), suppress(NotFound):
            try:
                self._update(container_id, limits)
            except APIError as error:
                if error.is_server_error():
                    raise refused(error) from error
                raise

    def detach(self, container_id: str) -> None:
        """Cut a container off its session network; cut off already or gone is no error."""
        with translated(), gone_is_fine():
            found = self._api.inspect_container(container_id)["NetworkSettings"]["Networks"]
            for name in set(self._networks.values()) & set(found):
                self._api.disconnect_container_from_network(container_id, name)

    def attach(self, container_id: str, network: Network, address: str) -> None:
        """Connect a container at a new address, whether it was cut off before or not.

        One whose port is published gets the same port again, and any address of the network.
        """
        self.session_range()
        self.detach(container_id)
        with translated():
            try:
                self._api.connect_container_to_network(
                    container_id,
                    self._networks[network],
                    ipv4_address=docker_reach.own_address(self._place, address),
                )
            except APIError:
                self._range = None  # perhaps the network is what is gone
                raise

    def sample(self, container_id: str) -> Sample | None:
        """Return what a container has used; None when it has ended or is gone."""
        with translated(), suppress(NotFound):
            state = self._api.inspect_container(container_id)["State"]
            if state["Running"]:
                return docker_usage.from_files(
                    container_id, state["Pid"], self._cgroups
                ) or docker_usage.from_statistics(self._api.stats(container_id, stream=False))
        return None

    def log(self, container_id: str, tail: int) -> str:
        """Return the last lines of the output; empty when the container is gone."""
        with translated(), gone_is_fine():
            output: bytes = self._api.logs(container_id, tail=tail)
            return output.decode(errors="replace")
        return ""

    def exit_status(self, container_id: str) -> int:
        """Return the status a container ended with; 0 when it is gone."""
        with translated(), suppress(NotFound):
            return int(self._api.inspect_container(container_id)["State"]["ExitCode"])
        return 0

    def ends(self, since: datetime, until: datetime | None = None) -> Iterator[str]:
        """Yield the id of each container of this realm that ends, from `since` on.

        It is over at `until`; without one it goes on for ever.
        """
        filters = {"type": "container", "event": "die", "label": f"{REALM}={self.realm}"}
        with translated(), closing(self._connection.patient()) as client:
            events = client.events(since=since, until=until, filters=filters, decode=True)
            for event in events:
                yield event["Actor"]["ID"]
        if until is None or datetime.now(UTC) < until:
            raise EngineUnavailableError("The engine closed its stream of events.")

    def close(self) -> None:
        """Close the connections to the engine."""
        self._connection.close()

    @property
    def _api(self) -> Any:
        return self._connection.api

    @cached_property
    def _info(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._api.info()
        return found

    def _nano_cpus(self, cpus: float) -> int:
        """Ask for no more than the engine's host has, which would be refused."""
        return int(min(cpus, self._info["NCPU"]) * 1e9)

    def _storage(self, spec: ContainerSpec) -> Mapping[str, str] | None:
        is_bounded = spec.disk and docker_storage.can_bound(self._place, self._info)
        return {"size": str(spec.disk)} if is_bounded else None

    def _is_read_only(self, spec: ContainerSpec) -> bool:
        # Elsewhere the user's entries are put into the container, which has to be writable for it.
        return spec.read_only and not self._place.elsewhere

    def _whole_range(self) -> IPv4Network:
        known = self._range
        if known is None:
            with translated(), self._lock:
                provided = docker_networks.provided(self._api, self.realm, self._only)
                known = self._range = provided
        return known

    def _update(self, container_id: str, limits: Mapping[str, int]) -> None:
        """Ask what the SDK's own verb leaves out: it knows neither `NanoCpus` nor `PidsLimit`."""
        url = f"{self._api.base_url}/v{self._api.api_version}/containers/{container_id}/update"
        answer = self._api.post(url, json=limits, timeout=self._api.timeout)
        try:
            answer.raise_for_status()
        except requests.HTTPError as error:
            create_api_error_from_http_exception(error)  # it raises

    def _start(self, container: str, spec: ContainerSpec) -> None:
        if self._place.elsewhere and not spec.as_root:
            files = identity.archive(self._accounts(spec), spec)
            self._api.put_archive(container, "/", files)
        try:
            self._api.start(container)
        except APIError as error:
            # A port that something else has is no fault of the engine, which says so by a 500.
            if self._place.published_on:
                raise refused(error) from error
            raise

    def _create(self, spec: ContainerSpec) -> str:
        container: str = self._api.create_container(
            spec.image,
            command=list(spec.command) or None,
            name=spec.name,
            user="0:0" if spec.as_root else f"{spec.uid}:{spec.gid}",
            environment=dict(spec.environment),
            labels={**spec.labels, HOLDER: ""},  # an image's own label would hide the container
            ports=[spec.port] if self._place.published_on else None,
            host_config=self._host_config(spec),
            networking_config=self._networking(spec),
            working_dir=None if spec.own_directory else spec.home_directory,
        )["Id"]
        return container

    def _host_config(self, spec: ContainerSpec) -> Any:
        return self._api.create_host_config(
            **docker_confinement.of(spec),
            init=True,
            read_only=self._is_read_only(spec),
            nano_cpus=self._nano_cpus(spec.cpus),
            storage_opt=self._storage(spec),
            mounts=[
                *self._identity(spec),
                *([docker_mounts.home(spec.home)] if spec.home else []),
                *map(docker_mounts.volume, spec.volumes),
            ],
            tmpfs=docker_mounts.in_memory(spec, read_only=self._is_read_only(spec)),
            network_mode=self._networks[spec.network],
            port_bindings=dict(docker_reach.published(self._place, spec)),
        )

    def _networking(self, spec: ContainerSpec) -> Any:
        own = docker_reach.own_address(self._place, spec.address)
        endpoint = EndpointConfig("1.41", ipv4_address=own)
        return NetworkingConfig({self._networks[spec.network]: endpoint})

    def _identity(self, spec: ContainerSpec) -> Sequence[Mount]:
        # As root it makes the user itself; elsewhere no file of this machine can be mounted.
        if spec.as_root or self._place.elsewhere:
            return ()
        return identity.mounts(self._accounts(spec), spec, self._directory)

    def _accounts(self, spec: ContainerSpec) -> identity.Accounts:
        if spec.image not in self._identities:
            with self._holder(spec) as holder:
                self._identities[spec.image] = identity.read(self._api, holder)
        return self._identities[spec.image]

    def _prepare_home(self, spec: ContainerSpec) -> None:
        if not (spec.home and spec.home.is_volume):
            return
        owner = spec.labels.get(_OWNER, "")
        with self._lock:
            if (spec.home.source, owner) not in self._homes:
                labels = {REALM: self.realm, _OWNER: owner}
                _check_owner(self._api.create_volume(spec.home.source, labels=labels), owner)
                self._own(spec, spec.home)
                self._homes.add((spec.home.source, owner))

    def _own(self, spec: ContainerSpec, home: HomeMount) -> None:
        place = nowhere()
        with self._holder(spec, docker_mounts.home(home, place)) as holder:
            self._api.put_archive(holder, "/", identity.owned_directory(place, spec))

    @contextmanager
    def _holder(self, spec: ContainerSpec, *mounts: Mount) -> Iterator[str]:
        """Give a created container that never starts: no process runs in it."""
        holder = self._api.create_container(
            spec.image,
            command=["true"],
            labels={REALM: self.realm, RUN + "url_id": spec.labels[RUN + "url_id"]},
            host_config=self._api.create_host_config(mounts=list(mounts), network_mode="none"),
        )["Id"]
        try:
            yield holder
        finally:
            self._api.remove_container(holder, force=True, v=True)  # those without a name

    def _container(self, found: Mapping[str, Any]) -> Container:
        address, port = docker_reach.found(self._place, self._networks.values(), found)
        return Container(
            id=found["Id"],
            running=found["State"] in ("running", "paused", "restarting"),
            started=found["State"] != "created",
            labels=found["Labels"],
            address=address,
            port=port,
        )


def _check_owner(volume: Mapping[str, Any], owner: str) -> None:
    """Raise StartError when a home was made for somebody else.

    A database that was begun anew gives uids that an earlier one gave; homes bear the uid's name.
    """
    found = (volume["Labels"] or {}).get(_OWNER, owner)
    if found != owner:
        raise StartError(
            "engine",
            f"The home {volume['Name']} is that of {found}, who had the same uid.",
            "Set [auth] virtual_uids to numbers that were never given, and make the user anew.",
        )
