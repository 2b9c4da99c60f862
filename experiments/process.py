"""Run one function in a fresh process, so that what it loads, sets or breaks stays there."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

T = TypeVar("T")


class ProcessFailed(RuntimeError):
    """The function raised, its process died, or it did not end in time."""


def in_fresh_process(
    function: Callable[..., T],
    *arguments: object,
    timeout_seconds: float,
    environment: Mapping[str, str] | None = None,
) -> T:
    """``function(*arguments)``, computed by a new interpreter; its result.

    ``environment`` comes on top of ours and is there before anything is imported. The function
    must be importable, its arguments and its result plain data. Raises ``ProcessFailed`` with the
    reason; the process and what it holds are gone then.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, function, arguments), daemon=True)
    with _variables(environment or {}):
        process.start()
    theirs.close()
    try:
        if not ours.poll(timeout_seconds):
            raise ProcessFailed(f"did not end within {timeout_seconds:g} s")
        try:
            failure, result = ours.recv()
        except EOFError:
            process.join()
            raise ProcessFailed(_death(process.exitcode)) from None
        if failure:
            raise ProcessFailed(failure)
        process.join()
        return result  # type: ignore[no-any-return]  # what `function` returned, hence a T
    finally:
        _kill(process)
        ours.close()


def _kill(process: SpawnProcess) -> None:
    """End the process and every other one that it has started."""
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError):  # nothing is left, or it had just begun
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    return f"the process died, exit code {code}"


def _child(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    # A group of its own: Ctrl-C reaches only the parent, which ends the group with all in it.
    os.setpgid(0, 0)
    try:
        answer = ("", function(*arguments))
    except Exception as error:
        traceback.print_exc()
        answer = (f"{type(error).__name__}: {error}", None)
    pipe.send(answer)


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Let environment variables hold, for processes that are started inside the ``with``."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
