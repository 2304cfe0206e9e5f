"""One database of a label queue: SQLite in write-ahead mode, or PostgreSQL.

Writers take turns in both (a lock on a file beside it and ``BEGIN IMMEDIATE``; an advisory lock): what a
transaction read is still so when it writes. Readers never wait. An answer that was acknowledged is on the
disk.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from autoscope.labels import tables
from autoscope.labels.errors import QueueError

BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for its turn."""
_WRITING = "autoscope_writing"
_ADVISORY_LOCK = 0x61736C71  # "aslq"


class QueueDatabase:
    """Connections to one queue; safe to use from several threads and processes.

    Args:
        url: an SQLAlchemy URL.

    Raises:
        QueueError: the URL, the driver, the file or the server is wrong, or the queue is of a newer version.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self._engine = _engine(self._url)
        try:
            with self.writing() as connection:
                _create_or_check(connection, self.name)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The URL without its password."""
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the writers' lock from its start; commits at the end or changes nothing.

        Raises:
            QueueError: the database cannot be reached, or refuses.
        """
        with self._named_errors(), self._turn(), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITING: True})
            with connection.begin():
                if self._engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the queue and changes nothing.

        Raises:
            QueueError: the database cannot be reached, or refuses.
        """
        with self._named_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Waits for a writer's turn on an SQLite file, first come, first served.

        SQLite itself lets those who wait look again now and then: under load whoever writes would write on,
        and the others would give up. The kernel queues them, and forgets a process that is killed.
        """
        file = self._url.database
        if self._engine.dialect.name != "sqlite" or not file or file == ":memory:":
            yield
            return
        descriptor = os.open(f"{file}-turn", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Closes all connections; may be called twice."""
        self._engine.dispose()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise QueueError(
                f"the label queue {self.name} cannot be used: unable to open its file: {error.strerror}"
            ) from error
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise QueueError(f"the label queue {self.name} cannot be used: {cause}") from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise QueueError(
            f"{url!r} is no database URL: use sqlite:///FILE or postgresql://HOST/NAME"
        ) from error
    if backend not in {"sqlite", "postgresql"}:
        raise QueueError(f"{url!r}: a label queue lives in sqlite or postgresql, not in {backend}")
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            return create_engine(url, pool_pre_ping=True, hide_parameters=True)
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise QueueError(
            f"{url.render_as_string()}: its driver is not installed ({error}):"
            " pip install 'autoscope[postgresql]'"
        ) from error
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _create_or_check(connection: Connection, name: str) -> None:
    """Makes the tables of a new queue, or looks whether this autoscope can read the one that is there."""
    present = set(inspect(connection).get_table_names())
    if tables.about.name not in present:
        foreign = present & set(tables.metadata.tables)
        if foreign:
            raise QueueError(
                f"{name} has tables named {', '.join(sorted(foreign))} but is not a label queue:"
                " choose another database"
            )
        tables.metadata.create_all(connection)
        connection.execute(insert(tables.about).values(version=tables.SCHEMA_VERSION))
        return
    version = connection.execute(select(tables.about.c.version)).scalar_one()
    if version != tables.SCHEMA_VERSION:
        remedy = "update autoscope" if version > tables.SCHEMA_VERSION else "use a new queue"
        raise QueueError(
            f"the label queue {name} is of version {version}, this autoscope reads version"
            f" {tables.SCHEMA_VERSION}: {remedy}"
        )
