"""The homes of a realm into an archive and out of it again, in the real engine."""

import io
import secrets
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from adapters.fakes_engine import HELLO

from control_plane.adapters import backup, restore
from control_plane.adapters.backup import Wish
from control_plane.adapters.backup_archive import ArchiveReader, ArchiveWriter, reading
from control_plane.adapters.backup_manifest import Home, Manifest
from control_plane.adapters.backup_places import Places
from control_plane.adapters.docker_api import HOLDER, REALM
from control_plane.adapters.home_archives import HomeArchives
from control_plane.domain.labels import RUN
from control_plane.errors import ConflictError, ControlPlaneError, UnavailableError

ROOT = "0" * 32
UID = 70001
LARGE = 40 * 1024**2
PUT_BACK = restore.Wish(replace=False, settings=False)
# Owners, modes, times, links of both kinds, odd names: what a home has.
FILES = """
umask 022; cd /workspace; chown 70001:70001 .; chmod 0700 .
printf 'a line\\n' >notes; ln notes twin; ln -s notes link; ln -s /etc/passwd outside
mkdir -p .hidden/deep; printf x >".hidden/deep/n\\303\\266 \\377"; chmod 4751 .hidden/deep/*
mkfifo pipe; mkdir sticky; chmod 1777 sticky; touch -d 2001-02-03T04:05:06Z notes
long=$(printf 'n%.0s' $(seq 200)); mkdir -p $long/$long; printf y >$long/$long/z
head -c 41943040 /dev/zero >large; chown -Rh 70001:70001 .
"""
LISTING = """
cd /workspace; find . -exec stat -c '%n %a %u %g %F %s %h %N' {} + | sort
find . -type f ! -name large -exec md5sum {} + | sort; stat -c %Y notes
"""


@dataclass
class Engine:
    """A realm of the tests' own."""

    realm: str
    api: docker.DockerClient
    homes: HomeArchives
    image: str

    def make(self, name: str, owner: str = "alice", fill: str = FILES) -> None:
        """Make a home, with what a shell leaves in it."""
        labels = {REALM: self.realm, f"{RUN}user": owner}
        self.api.volumes.create(self.homes.volume(name), labels=labels)
        self.shell(name, fill)

    def shell(self, name: str, script: str) -> str:
        """Run it, as root, on a home; return what it prints."""
        mount = docker.types.Mount(
            "/workspace", self.homes.volume(name), type="volume", no_copy=True
        )
        ran: bytes = self.api.containers.run(
            self.image,
            ["-c", script],
            entrypoint="sh",
            user="0:0",
            mounts=[mount],
            network_mode="none",
            remove=True,
        )
        return ran.decode(errors="surrogateescape")

    def containers(self) -> Sequence[Any]:
        label = {"label": f"{REALM}={self.realm}"}
        found: Sequence[Any] = self.api.containers.list(
            all=True, filters=label, ignore_removed=True
        )
        return found

    def session(self, name: str) -> Any:
        """Make the container of a session on that home."""
        mount = docker.types.Mount("/workspace", self.homes.volume(name), type="volume")
        labels = {REALM: self.realm, HOLDER: ""}
        return self.api.containers.create(self.image, mounts=[mount], labels=labels)

    def clean(self) -> None:
        for container in self.containers():
            container.remove(force=True)
        for volume in self.api.volumes.list(filters={"label": f"{REALM}={self.realm}"}):
            volume.remove()


@pytest.fixture
def engine(images: None) -> Iterator[Engine]:
    del images
    with ExitStack() as undo:
        api = undo.enter_context(closing(docker.from_env()))
        realm = f"test-{secrets.token_hex(4)}"
        homes = undo.enter_context(closing(HomeArchives(realm)))
        made = Engine(realm, api, homes, HELLO)
        undo.callback(made.clean)
        yield made


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A host without a database: the homes are what matters here."""
    settings, secret = tmp_path / "settings.toml", tmp_path / "secret"
    settings.touch()
    secret.write_text("s" * 32)
    return Places(tmp_path, settings, secret, None, tmp_path, {}, (), ())


def backed_up(engine: Engine, places: Places) -> Path:
    wish = Wish(places.state / "backups", 0, "1", engine.realm, tls=True)
    made = backup.make(wish, places, engine.homes)
    assert made.left_out == ()
    return made.path


def put_back(
    archive: ArchiveReader, engine: Engine, places: Places, wish: restore.Wish = PUT_BACK
) -> list[str]:
    odd = restore.check(archive, wish, places, engine.homes, {})
    restore.restore(archive, wish, places, engine.homes)
    return odd


def test_homes_come_back_with_owners_modes_times_and_links(engine: Engine, places: Places) -> None:
    engine.make("home-70001")
    engine.make("apart-70001", fill="echo apart >/workspace/file")
    before = engine.shell("home-70001", LISTING)
    path = backed_up(engine, places)
    for name in ("home-70001", "apart-70001"):
        engine.homes.remove(engine.homes.volume(name))
    with reading(path) as archive:
        assert put_back(archive, engine, places) == []
    assert engine.homes.names() == {"home-70001": "alice", "apart-70001": "alice"}
    assert engine.shell("home-70001", LISTING) == before
    assert engine.shell("apart-70001", "cat /workspace/file") == "apart\n"
    assert engine.containers() == []


def test_a_home_in_use_is_copied_and_not_replaced(engine: Engine, places: Places) -> None:
    engine.make("home-70001", fill="echo old >/workspace/file")
    session = engine.session("home-70001")
    path = backed_up(engine, places)
    with reading(path) as archive:
        with pytest.raises(ConflictError, match="Sessions of this realm have containers"):
            put_back(archive, engine, places, restore.Wish(replace=True, settings=False))
        session.remove(force=True)
        with pytest.raises(ConflictError, match="There are homes already: home-70001"):
            put_back(archive, engine, places)
        engine.shell("home-70001", "echo new >/workspace/file; echo more >/workspace/more")
        put_back(archive, engine, places, restore.Wish(replace=True, settings=False))
    assert engine.shell("home-70001", "cd /workspace; grep . *") == "old\n"
    assert not (places.state.with_name(f".{places.state.name}.restoring")).exists()


def test_a_restore_killed_while_it_filled_a_home_is_mended_by_the_same_again(
    engine: Engine, places: Places
) -> None:
    engine.make("home-70001", fill="echo archived >/workspace/file")
    path = backed_up(engine, places)
    engine.shell("home-70001", "echo replaced >/workspace/file")
    kept = places.state.with_name(f".{places.state.name}.restoring")
    engine.homes.archive(engine.homes.volume("home-70001"), kept / "home-70001.tar.gz")
    engine.shell("home-70001", "echo half >/workspace/file; touch /workspace/half")
    with reading(path) as archive:
        put_back(archive, engine, places)
    assert engine.shell("home-70001", "ls /workspace; cat /workspace/file") == "file\narchived\n"
    assert not kept.exists()


def test_other_realms_homes_are_neither_taken_nor_touched(engine: Engine, places: Places) -> None:
    prefix = engine.homes.volume("")
    other = engine.api.volumes.create(f"{prefix}home-70002", labels={REALM: "another"})
    try:
        with reading(backed_up(engine, places)) as archive:
            assert archive.manifest.homes == ()
    finally:
        other.remove()


def forged(places: Places, realm: str, tar: bytes) -> Path:
    """Write an archive with the tar of a home that no engine has made."""
    path = places.state / "forged.tar"
    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        home = Home(name="home-70001", owner="alice", root=ROOT, stored=writer.add("h", [tar]))
        none: Any = ()
        writer.finish(
            Manifest(
                release="1",
                made_at="2026-01-01T00:00:00Z",
                realm=realm,
                schema_versions={},
                elsewhere=none,
                left_out=none,
                files=none,
                databases=none,
                homes=(home,),
            )
        )
    return path


def tar_of(*entries: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for one in entries:
            tar.addfile(one, io.BytesIO(b"x" * one.size))
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.uid, made.gid = kind, link, UID, UID
    made.size = 1 if kind == tarfile.REGTYPE else 0
    return made


@pytest.mark.parametrize(
    "astray",
    [
        entry("elsewhere"),
        entry(f"{ROOT}/../elsewhere"),
        entry(f"/{ROOT}/file"),
        entry(f"{ROOT}/file", tarfile.LNKTYPE, "/etc/passwd"),
        entry(f"{ROOT}/file", tarfile.LNKTYPE, f"{ROOT}/../etc/passwd"),
    ],
    ids=["another root", "dots", "absolute", "hard link", "hard link with dots"],
)
def test_a_home_that_leads_out_of_itself_is_refused_before_anything(
    engine: Engine, places: Places, astray: tarfile.TarInfo
) -> None:
    root = entry(ROOT, tarfile.DIRTYPE)
    with (
        reading(forged(places, engine.realm, tar_of(root, astray))) as archive,
        pytest.raises(ControlPlaneError, match="This is no whole archive of a portal"),
    ):
        put_back(archive, engine, places)
    assert engine.homes.names() == {}


def test_a_device_is_left_out_and_named_and_a_link_is_not_followed(
    engine: Engine, places: Places
) -> None:
    outside = Path("/", f"remoteapp-test-{secrets.token_hex(4)}")
    tar = tar_of(
        entry(ROOT, tarfile.DIRTYPE),
        entry(f"{ROOT}/disk", tarfile.BLKTYPE),
        entry(f"{ROOT}/zero", tarfile.CHRTYPE),
        entry(f"{ROOT}/out", tarfile.SYMTYPE, "/"),
        entry(f"{ROOT}/out/{outside.name}"),
        entry(f"{ROOT}/kept"),
    )
    with reading(forged(places, engine.realm, tar)) as archive:
        odd = put_back(archive, engine, places)
    assert odd == [f"home-70001: {ROOT}/disk", f"home-70001: {ROOT}/zero"]
    assert engine.shell("home-70001", "cd /workspace; find . | sort") == ".\n./kept\n./out\n"
    assert not outside.exists()


def test_what_breaks_off_is_tried_again_and_then_left_out(engine: Engine, places: Places) -> None:
    class Spoilt(HomeArchives):
        """An engine that always breaks off in the middle of bob's home."""

        def read(self, name: str, root: str) -> Any:
            tar = super().read(name, root)
            if name != "home-70002":
                yield from tar
                return
            yield next(tar)[:700]
            raise UnavailableError("The engine broke off.")

    engine.make("home-70001", fill="echo alice >/workspace/file")
    engine.make("home-70002", owner="bob", fill="echo bob >/workspace/file")
    with closing(Spoilt(engine.realm)) as homes:
        wish = Wish(places.state / "backups", 0, "1", engine.realm, tls=True)
        made = backup.make(wish, places, homes)
    assert made.left_out == ("home-70002",)
    with reading(made.path) as archive:
        archive.check()
        assert [one.name for one in archive.manifest.homes] == ["home-70001"]
        assert archive.manifest.left_out == ("home-70002",)


def test_an_engine_that_is_away_ends_a_backup_with_nothing(places: Places) -> None:
    wish = Wish(places.state / "backups", 0, "1", "test", tls=True)
    with (
        closing(HomeArchives("test", "unix:///nowhere.sock")) as homes,
        pytest.raises(UnavailableError, match="engine does not answer"),
    ):
        backup.make(wish, places, homes)
    assert list((places.state / "backups").iterdir()) == []
