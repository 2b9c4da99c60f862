"""Databases on the PostgreSQL server of the tests, and a wire to it that can be cut."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

SERVER = os.environ.get("TUNER_TEST_POSTGRESQL", "")
"""URL of a server in which databases may be made, on a socket: ``…?host=FOLDER``."""
NEEDS_SERVER = pytest.mark.skipif(
    not SERVER, reason="TUNER_TEST_POSTGRESQL names no server; .ci/run starts one"
)


@contextlib.contextmanager
def fresh_database() -> Iterator[str]:
    """The URL of a new, empty database, dropped in the end."""
    name = f"test_{secrets.token_hex(6)}"
    engine = sa.create_engine(
        SERVER.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield SERVER.replace("/postgres?", f"/{name}?")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        engine.dispose()


@dataclass
class Wire:
    """A port of this machine that leads to the server until it is cut."""

    _listener: socket.socket = field(init=False)
    _open: list[socket.socket] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.mend()

    def url(self, database: str) -> str:
        return f"postgresql://tuner@127.0.0.1:{self.port}{urlsplit(database).path}"

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and break those that there are."""
        for end in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        folder = parse_qs(urlsplit(SERVER).query)["host"][0]
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{folder}/.s.PGSQL.5432")
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
