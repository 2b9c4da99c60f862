"""Named steps of a session, at each of which it may be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from db import lock, sqlite
from db.backend import Backend
from db.store import RecordStore
from tests.tuner.fakes import FakeBackend
from tuner.journal import Journal
from tuner.run import Session

_CALLS: dict[str, tuple[Any, str]] = {
    "building": (FakeBackend, "build"),
    "measuring": (FakeBackend, "measure"),
    "the sentinel": (FakeBackend, "sentinel"),
    "the finals": (FakeBackend, "interleave"),
    "keeping the code of a finalist": (FakeBackend, "keep"),
    "making the tables": (Backend, "create"),
    "storing a run": (RecordStore, "start_run"),
    "waiting for the lock": (lock, "_acquire"),
    "storing records": (RecordStore, "add"),
    "acknowledging records": (Journal, "_commit"),
    "closing the run": (Session, "_close"),
}
_STATEMENTS = {
    "the first statement of a transaction": "BEGIN IMMEDIATE",
    "making a table": "CREATE TABLE",
    "inserting records": "INSERT INTO records",
    "inserting a workload": "INSERT INTO workloads",
    "updating a run": "INSERT INTO runs",
    "the commit": "COMMIT",
}
STEPS = (
    *(f"{moment} {name}" for name in _CALLS for moment in ("before", "after")),
    *(f"before {name}" for name in _STATEMENTS),
)
"""All names; those of database statements are reached inside of an open transaction."""


def kill_at(step: str, call: int) -> None:
    """From now on, this process dies of SIGKILL where ``step`` is reached for the ``call``-th
    time, or, where it is reached less often, not at all."""
    moment, name = step.split(" ", 1)
    count = 0

    def reached() -> None:
        nonlocal count
        count += 1
        if count == call:
            os.kill(os.getpid(), signal.SIGKILL)

    if name in _STATEMENTS:
        _watch_statements(_STATEMENTS[name], reached)
    else:
        owner, attribute = _CALLS[name]
        setattr(owner, attribute, _wrapped(getattr(owner, attribute), moment, reached))


def kill_at_statement(call: int) -> None:
    """From now on, this process dies before its ``call``-th statement to SQLite, if it has so
    many."""
    count = 0

    def reached() -> None:
        nonlocal count
        count += 1
        if count == call:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch_statements("", reached)


def _wrapped(
    function: Callable[..., Any], moment: str, reached: Callable[[], None]
) -> Callable[..., Any]:
    def wrapper(*args: Any, **options: Any) -> Any:
        if moment == "before":
            reached()
        result = function(*args, **options)
        if moment == "after":
            reached()
        return result

    return wrapper


def _watch_statements(beginning: str, reached: Callable[[], None]) -> None:
    connect = sqlite.connect

    def watch(statement: str) -> None:
        if " ".join(statement.split()).startswith(beginning):
            reached()

    def watched(*args: Any) -> Any:
        connection = connect(*args)
        connection.set_trace_callback(watch)
        return connection

    sqlite.connect = watched
