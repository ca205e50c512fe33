"""How long a start takes, against the same container by the engine's SDK alone."""

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import httpx
import portal as portals
from bench.figures import Figure, p95, ratio
from portal import HELLO, RunningPortal

from control_plane.domain.labels import RUN

POLL = 0.01
MANY = 20
SLOW = 60
ASKED = 60


@dataclass
class Bench:
    """A portal, a grant of alice's on an application as it shall behave, and the SDK beside it."""

    live: RunningPortal
    api: Any
    client: httpx.Client
    grant: str
    template: dict[str, Any]
    addresses: Iterator[str]

    def ours(self) -> tuple[float, str]:
        """Start through the portal: ready by its event stream, then one GET through nginx."""
        begun = time.perf_counter()
        made = self.client.post("/api/v1/sessions", json={"grant_id": self.grant}).json()
        _follow(self.client, made["id"])
        if self.client.get(made["url"]).status_code != httpx.codes.OK:
            raise RuntimeError("The session does not answer.")
        return time.perf_counter() - begun, str(made["id"])

    def theirs(self) -> tuple[float, str]:
        """Create, start and poll the same container by the SDK."""
        host, config = self.template["HostConfig"], self.template["Config"]
        address, network = next(self.addresses), host["NetworkMode"]
        path = f"{config['Labels'][RUN + 'urlpath']}/"
        begun = time.perf_counter()
        container = self.api.create_container(
            config["Image"],
            user=config["User"],
            environment=config["Env"],
            working_dir=config["WorkingDir"],
            host_config=_same(self.api, host),
            networking_config=self.api.create_networking_config(
                {network: self.api.create_endpoint_config(ipv4_address=address)}
            ),
        )["Id"]
        self.api.start(container)
        while not _answers(address, path):
            time.sleep(POLL)
        return time.perf_counter() - begun, str(container)

    def stop(self, session_id: str) -> None:
        """Stop a session of ours."""
        self.client.delete(f"/api/v1/sessions/{session_id}").raise_for_status()

    def pairs(self, runs: int) -> tuple[list[float], list[float]]:
        """Return both times, taken in turn; the first of each warms up."""
        ours, theirs = [], []
        for _ in range(runs + 1):
            mine, session = self.ours()
            other, container = self.theirs()
            self.stop(session)
            self.api.remove_container(container, force=True)
            ours.append(mine)
            theirs.append(other)
        return ours[1:], theirs[1:]


def alone(runs: int) -> Sequence[Figure]:
    """Start `hello`."""
    with _bench() as bench:
        return [ratio("start of `hello`, against the SDK", "≤ 1.10", *bench.pairs(runs))]


def of_a_slow_application(runs: int) -> Sequence[Figure]:
    """Start an application that needs two seconds to answer."""
    with _bench("HELLO_DELAY=2") as bench:
        found = bench.pairs(runs)
    return [ratio("the same when the application needs 2 s", "≤ 1.03", *found)]


def beside_a_hanging_stop(runs: int) -> Sequence[Figure]:
    """Start while another container's stop hangs for ten seconds."""
    with _bench("HELLO_IGNORE_TERM=1") as deaf, _bench() as bench:
        lonely, beside = [], []
        for _ in range(runs):
            lonely.append(_once(bench))
            _, session = deaf.ours()
            stopping = threading.Thread(target=deaf.stop, args=(session,))
            stopping.start()
            time.sleep(0.5)
            beside.append(_once(bench))
            stopping.join()
    return [ratio("a start beside a stop that hangs 10 s", "≤ 1.2", beside, lonely)]


def twenty_at_once(runs: int) -> Sequence[Figure]:
    """Start twenty at once, against the SDK with four threads."""
    ours, theirs = [], []
    with _bench() as bench:
        for _ in range(max(3, runs // 5)):
            ours.append(_twenty_of_ours(bench))
            theirs.append(_twenty_of_theirs(bench))
    return [
        ratio(f"{MANY} started at once, against the SDK with 4 threads", "≤ 1.20", ours, theirs)
    ]


def login_while_starting(runs: int) -> Sequence[Figure]:
    """Ask for /login while sixty slow images start."""
    del runs
    with _bench("HELLO_DELAY=40") as bench:
        idle = _asked(bench)
        made = [
            bench.client.post("/api/v1/sessions", json={"grant_id": bench.grant}).json()["id"]
            for _ in range(SLOW)
        ]
        busy = _asked(bench)
        for session in made:
            bench.stop(session)
    name = f"p95 of `/login` while {SLOW} slow images start, against idle"
    source = f"{1000 * p95(busy):.0f} ms : {1000 * p95(idle):.0f} ms"
    return [Figure(name, "≤ 2", f"{p95(busy) / p95(idle):.1f}", source)]


@contextmanager
def _bench(variable: str = "") -> Iterator[Bench]:
    settings = {
        "limits": {"sessions_per_user": 100, "memory": 64 * 1024**2, "cpus": 1.0},
        "engine": {"start_timeout": 120},
    }
    image = "remoteapp-bench/hello:latest"
    with portals.running(settings=settings) as live, closing(docker.APIClient()) as api:
        api.tag(HELLO, "remoteapp-bench/hello", "latest")
        words = ("--env", variable) if variable else ()
        live.remoteappdb("app", "create", image, *words)
        grant = live.remoteappdb(
            "app", "grant", image, "alice", "--allow-home", "--max-sessions", "100"
        )
        client = live.client("alice")
        client.event_hooks = {}  # the judge of the tests takes its time
        bench = Bench(live, api, client, grant, {}, iter(()))
        _, session = bench.ours()
        bench.template = api.inspect_container(f"remoteapp-{live.realm}-{session}")
        bench.addresses = _far_addresses(bench.template)
        bench.stop(session)
        yield bench


def _far_addresses(template: dict[str, Any]) -> Iterator[str]:
    (network,) = template["NetworkSettings"]["Networks"].values()
    first, second, third, _ = network["IPAddress"].split(".")
    # The portal takes them from the low end of the same range.
    return (
        f"{first}.{second}.{int(third) + 8}.{last}" for _ in range(99) for last in range(1, 255)
    )


def _same(api: Any, host: dict[str, Any]) -> Any:
    return api.create_host_config(
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        init=True,
        mem_limit=host["Memory"],
        memswap_limit=host["Memory"],
        nano_cpus=host["NanoCpus"],
        pids_limit=host["PidsLimit"],
        mounts=host["Mounts"],
        network_mode=host["NetworkMode"],
        log_config=host["LogConfig"],
    )


def _answers(address: str, path: str) -> bool:
    try:
        with closing(http.client.HTTPConnection(address, 8888, timeout=2)) as one:
            one.request("GET", path)
            return one.getresponse().status == httpx.codes.OK
    except OSError:
        return False


def _follow(client: httpx.Client, session_id: str) -> None:
    with client.stream("GET", f"/api/v1/sessions/{session_id}/events", timeout=120) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                state = json.loads(line[5:])["state"]
                if state == "ready":
                    return
                if state == "failed":
                    raise RuntimeError(line)


def _once(bench: Bench) -> float:
    seconds, session = bench.ours()
    bench.stop(session)
    return seconds


def _twenty_of_ours(bench: Bench) -> float:
    with ThreadPoolExecutor(MANY) as threads:
        begun = time.perf_counter()
        made = list(threads.map(lambda _: bench.ours()[1], range(MANY)))
        seconds = time.perf_counter() - begun
        list(threads.map(bench.stop, made))
    return seconds


def _twenty_of_theirs(bench: Bench) -> float:
    with ThreadPoolExecutor(4) as threads:
        begun = time.perf_counter()
        made = list(threads.map(lambda _: bench.theirs()[1], range(MANY)))
        seconds = time.perf_counter() - begun
        list(threads.map(lambda one: bench.api.remove_container(one, force=True), made))
    return seconds


def _asked(bench: Bench) -> list[float]:
    guest, found = bench.live.guest(), []
    for _ in range(ASKED):
        begun = time.perf_counter()
        guest.get("/login").raise_for_status()
        found.append(time.perf_counter() - begun)
        time.sleep(0.1)
    return found
