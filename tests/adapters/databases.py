"""Real databases for the tests: SQLite files, and servers of PostgreSQL and MariaDB.

The servers come from Debian's packages, lie in a directory of their own under /var/tmp, listen on
a socket in it only and keep nothing safe: whoever ends them throws the directory away.
"""

import os
import pwd
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from control_plane.adapters.migrations import migrate

START_SECONDS = 60
Rows = list[tuple[Any, ...]]


class Databases(ABC):
    """Where databases of one dialect come from, and what may be done to them beside us."""

    @abstractmethod
    def fresh(self) -> str:
        """Return the URL of a migrated database without rows."""

    @abstractmethod
    def empty(self) -> str:
        """Return the URL of a new database without tables."""

    @abstractmethod
    def run(self, sql: str, url: str) -> Rows:
        """Run one statement by the dialect's own driver, as one who may do anything."""

    @abstractmethod
    def load(self, dump: Path, url: str) -> None:
        """Restore a dump."""

    @abstractmethod
    def dump(self, url: str) -> str:
        """Return a dump that `load` takes."""

    @abstractmethod
    def schema(self, url: str) -> list[str]:
        """Return what the database is made of, the same for two that are made alike."""


class Files(Databases):
    """SQLite files in one directory."""

    def __init__(self, directory: Path, migrated: Path) -> None:
        """Keep where they shall lie; `migrated` is copied for `fresh`."""
        self._directory = directory
        self._migrated = migrated
        self._numbers = count()

    def fresh(self) -> str:
        return str(shutil.copy(self._migrated, self.empty()))

    def empty(self) -> str:
        return str(self._directory / f"test{next(self._numbers)}.db")

    def run(self, sql: str, url: str) -> Rows:
        with closing(sqlite3.connect(url)) as connection, connection:
            return connection.execute(sql).fetchall()

    def load(self, dump: Path, url: str) -> None:
        with closing(sqlite3.connect(url)) as connection:
            connection.executescript(dump.read_text())

    def dump(self, url: str) -> str:
        with closing(sqlite3.connect(url)) as connection:
            return "\n".join(connection.iterdump()) + "\n"

    def schema(self, url: str) -> list[str]:
        rows = self.run("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL", url)
        return sorted(sql for (sql,) in rows)


class Server(Databases):
    """One server of a test run."""

    account = ""
    end = signal.SIGTERM

    def __init__(self) -> None:
        """Make the directory; nothing runs yet."""
        self.directory = Path(tempfile.mkdtemp(prefix="remoteapp-db-", dir="/var/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        if os.geteuid() == 0:
            shutil.chown(self.directory, self.account)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @abstractmethod
    def install(self) -> None:
        """Make the server's files and what `fresh` needs, and leave it running."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return what runs in the foreground."""

    @abstractmethod
    def url(self, name: str, account: str = "") -> str:
        """Return the URL of a database, for an administrator or another `name:password`."""

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self._who())
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError((self.directory / "log").read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.end)
            self._process.wait(START_SECONDS)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    @abstractmethod
    def _answers(self) -> bool: ...

    def _prepare(self, command: Sequence[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._who())
        assert done.returncode == 0, done.stdout + done.stderr

    def _who(self) -> dict[str, Any]:
        # Both servers refuse to run as root.
        if os.geteuid() != 0:
            return {}
        return {"user": self.account, "group": pwd.getpwnam(self.account).pw_gid}


class Postgresql(Server):
    """PostgreSQL: a fresh database is a copy of a migrated one."""

    account = "postgres"
    end = signal.SIGINT  # SIGTERM would wait for the clients

    def install(self) -> None:
        words = ["--auth=trust", "--username=keeper", "--no-sync", "--encoding=UTF8"]
        self._prepare([_tool("initdb"), "-D", str(self.data), *words, "--locale=C.UTF-8"])
        rules = "local all keeper trust\nlocal all all scram-sha-256\n"
        (self.data / "pg_hba.conf").write_text(rules)
        self.start()
        self.run("CREATE DATABASE template", self.url("postgres"))
        migrate(self.url("template"))

    def command(self) -> list[str]:
        settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        settings += ["listen_addresses=", f"unix_socket_directories={self.directory}"]
        words = [word for one in settings for word in ("-c", one)]
        return [_tool("postgres"), "-D", str(self.data), *words]

    def url(self, name: str, account: str = "keeper") -> str:
        return f"postgresql://{account}@/{name}?host={self.directory}"

    def fresh(self) -> str:
        return self._made("TEMPLATE template STRATEGY file_copy")

    def empty(self) -> str:
        return self._made("")

    def run(self, sql: str, url: str) -> Rows:
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def load(self, dump: Path, url: str) -> None:
        words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={dump}"]
        subprocess.run([_tool("psql"), *words, url], check=True, stdout=subprocess.DEVNULL)

    def dump(self, url: str) -> str:
        return "\n".join(self._dumped(url, "--inserts")) + "\n"

    def schema(self, url: str) -> list[str]:
        return self._dumped(url, "--schema-only")

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1", self.url("postgres"))
        except psycopg.Error:
            return False
        return True

    def _dumped(self, url: str, word: str) -> list[str]:
        command = [_tool("pg_dump"), "--no-owner", word, url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        # Comments name the server's version; \restrict carries a random word.
        return [line for line in text.splitlines() if line[:1] not in {"-", "\\", ""}]

    def _made(self, how: str) -> str:
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} {how}", self.url("postgres"))
        return self.url(name)


class Mariadb(Server):
    """MariaDB: a fresh database is the one before, emptied, since making tables is slow."""

    account = "mysql"

    @property
    def socket(self) -> Path:
        return self.directory / "socket"

    def install(self) -> None:
        words = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]
        self._prepare(["mariadb-install-db", *words, f"--datadir={self.data}"])
        self.start()
        self.run("CREATE DATABASE fresh", self.url(""))
        migrate(self.url("fresh"))

    def command(self) -> list[str]:
        words = ["--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}"]
        words += ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"]
        words += [f"--pid-file={self.directory / 'pid'}", "--innodb-buffer-pool-size=64M"]
        # The worst that a server may be set to: names compared loosely, cut off without a word.
        words += ["--collation-server=latin1_swedish_ci", "--character-set-server=latin1"]
        return ["mariadbd", *words, "--sql-mode=", "--innodb-doublewrite=0"]

    def url(self, name: str, account: str = "root") -> str:
        return f"mariadb://{account}@localhost/{name}?unix_socket={self.socket}"

    def fresh(self) -> str:
        with self._connected("fresh") as connection, connection.cursor() as cursor:
            for table in self._filled(cursor):
                # The audit log refuses DELETE.
                how = "TRUNCATE TABLE" if table == "audit" else "DELETE FROM"
                cursor.execute(f"{how} `{table}`")
        return self.url("fresh")

    def empty(self) -> str:
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}", self.url(""))
        return self.url(name)

    def run(self, sql: str, url: str) -> Rows:
        with self._connected(_name(url)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def load(self, dump: Path, url: str) -> None:
        with dump.open("rb") as text:
            subprocess.run([*self._client("mariadb", url)], check=True, stdin=text)

    def dump(self, url: str) -> str:
        return "\n".join(self._dumped(url, "--skip-extended-insert")) + "\n"

    def schema(self, url: str) -> list[str]:
        lines = self._dumped(url, "--no-data")
        # A trigger is kept with the settings of the connection that made it.
        return [line for line in lines if not re.match(r"/\*!\d+ SET ", line)]

    def _answers(self) -> bool:
        try:
            self.run("SELECT 1", self.url(""))
        except pymysql.Error:
            return False
        return True

    def _dumped(self, url: str, word: str) -> list[str]:
        words = ["--skip-dump-date", "--skip-comments", "--skip-add-locks", word]
        command = [*self._client("mariadb-dump", url), *words]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        text = re.sub(r" AUTO_INCREMENT=\d+", "", text)
        # Some clients know no sandbox; a trigger's dump would set the collation of a database.
        unwanted = re.compile(r"$|ALTER DATABASE |.*sandbox mode")
        return [line for line in text.splitlines() if not unwanted.match(line)]

    def _client(self, tool: str, url: str) -> list[str]:
        return [tool, "--no-defaults", "--user=root", f"--socket={self.socket}", _name(url)]

    def _connected(self, name: str) -> Any:
        socket = str(self.socket)
        return pymysql.connect(user="root", unix_socket=socket, database=name, autocommit=True)

    def _filled(self, cursor: Any) -> list[str]:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("SHOW TABLES")
        kept = ("_migrations", "changes")
        tables = [name for (name,) in cursor.fetchall() if not name.endswith(kept)]
        asked = (f"(SELECT '{name}' FROM `{name}` LIMIT 1)" for name in tables)  # noqa: S608 - names of our own tables
        cursor.execute(" UNION ALL ".join(asked))
        return [name for (name,) in cursor.fetchall()]


def _tool(name: str) -> str:
    return str(max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
