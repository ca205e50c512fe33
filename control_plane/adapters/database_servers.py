"""PostgreSQL and MariaDB behind peewee: how a URL becomes a pool of connections.

Invariant: a connection that its server has closed is never lent out, and what is said of a URL
to people never holds its password.
"""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import peewee
import psycopg
import pymysql
from playhouse.pool import PooledMySQLDatabase, PooledPsycopg3Database
from psycopg.conninfo import conninfo_to_dict
from pymysql.constants import CLIENT

from control_plane.errors import NotSupportedError, StoreUnavailableError

SCHEMES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mariadb": "mariadb",
    "mysql": "mariadb",
}
CONNECT_SECONDS = 5
# A client that died inside a transaction would hold the writers' lock for as long as TCP lasts.
IDLE_SECONDS = 60
_CONNECTIONS = 32  # of one process; PostgreSQL serves 100 to all of them unless told otherwise
_STRICT = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT"
_MARIADB_OPTIONS = ("host", "unix_socket", "ssl_ca")
_SECRET = ("password", "sslpassword")


def pool(url: str, password_file: Path | None, patience: int) -> peewee.Database:
    """Return the pool for a server's URL; it connects at the first use.

    `patience` is how many seconds a statement waits for a lock. The password file wins over the
    URL's password; its last line end does not count.
    """
    password = {"password": _password(password_file)} if password_file else {}
    kind = SCHEMES[urlsplit(url).scheme]
    return (_postgresql if kind == "postgresql" else _mariadb)(url, password, patience)


def without_password(url: str) -> str:
    """Return a server's URL as it may be shown, even one that is none for what its password is."""
    scheme, _, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    parts = urlsplit(f"//{account.partition(':')[0]}{at}{place}")
    options = [(name, value) for name, value in parse_qsl(parts.query) if name not in _SECRET]
    query = "?" + urlencode(options, safe="/") if options else ""
    return f"{scheme}://{parts.netloc}{parts.path}{query}"


class _Postgresql(PooledPsycopg3Database):
    def _is_closed(self, conn: Any) -> bool:
        if super()._is_closed(conn):  # type: ignore[no-untyped-call]  # playhouse
            return True
        try:
            conn.execute("")  # the server may have ended since, which no state here tells of
        except psycopg.Error:
            conn.close()
            return True
        return False


class _Pymysql(peewee.MySQLDatabase):
    def _connect(self) -> Any:
        # peewee says `db`, which the driver calls deprecated.
        return pymysql.connect(database=self.database, autocommit=True, **self.connect_params)


class _Mariadb(PooledMySQLDatabase, _Pymysql):  # type: ignore[misc]  # playhouse has no types
    # TEXT ends at 64 KiB, which the end of a log may pass.
    field_types = peewee.MySQLDatabase.field_types | {"TEXT": "LONGTEXT"}


def _postgresql(url: str, password: dict[str, str], patience: int) -> peewee.Database:
    try:
        given = conninfo_to_dict(url) | password
    except psycopg.Error:  # its text may quote the password
        raise _malformed(url) from None
    options = {
        "lock_timeout": f"{patience}s",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    }
    words = [str(given.pop("options", "")), *(f"-c {name}={options[name]}" for name in options)]
    found: peewee.Database = _Postgresql(  # type: ignore[no-untyped-call]  # playhouse
        _name(given.pop("dbname", ""), url),
        max_connections=_CONNECTIONS,
        timeout=patience,
        prepare_threshold=None,  # a migration would leave prepared statements with stale plans
        **{"connect_timeout": CONNECT_SECONDS, "keepalives_idle": 10, "keepalives_interval": 5}
        | given
        | {"options": " ".join(words).strip(), "client_encoding": "utf8"},
    )
    return found


def _mariadb(url: str, password: dict[str, str], patience: int) -> peewee.Database:
    parts = urlsplit(url)
    given: dict[str, Any] = dict(parse_qsl(parts.query))
    if unknown := sorted(set(given) - {*_MARIADB_OPTIONS, "password"}):
        raise NotSupportedError(
            f"The option {unknown[0]} of {without_password(url)} is not known.",
            f"Allowed are {', '.join(_MARIADB_OPTIONS)}.",
        )
    if given.get("host", "").startswith("/"):
        given["unix_socket"] = given.pop("host")
    found: peewee.Database = _Mariadb(  # type: ignore[no-untyped-call]  # playhouse
        _name(unquote(parts.path[1:]), url),
        max_connections=_CONNECTIONS,
        timeout=patience,
        **_account(url) | given | password,
        charset="utf8mb4",
        sql_mode=_STRICT,
        client_flag=CLIENT.FOUND_ROWS,  # an UPDATE that changes nothing has found its row too
        connect_timeout=CONNECT_SECONDS,
        read_timeout=3 * patience,
        write_timeout=3 * patience,
        init_command=f"SET SESSION innodb_lock_wait_timeout={patience},"
        f" idle_transaction_timeout={IDLE_SECONDS}",
    )
    return found


def _account(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise _malformed(url) from None
    found = {
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    return {name: value for name, value in found.items() if value}


def _name(name: object, url: str) -> str:
    if not name:
        raise NotSupportedError(
            f"{without_password(url)} names no database.", "Put /NAME behind the host."
        )
    return str(name)


def _malformed(url: str) -> NotSupportedError:
    return NotSupportedError(
        f"{without_password(url)} is no URL of a database.",
        "Write it as postgresql://user@host/name; what is special in it as %XX.",
    )


def _password(path: Path) -> str:
    try:
        return path.read_text().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailableError(
            f"The password file {path} cannot be read: {error}.",
            "See that it is there and that this account may read it.",
        ) from error
