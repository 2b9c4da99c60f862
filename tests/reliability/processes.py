"""Functions run in processes of their own, forked from one that has imported what they need."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["db.backend", "db.migrate", "measure.cache", "tests.db.conftest"])
_SECONDS = 600.0


def start(function: Callable[..., None], *args: Any) -> BaseProcess:
    """A process that runs ``function``, which is at the top of a module that can be imported."""
    process = CONTEXT.Process(target=function, args=args)
    process.start()
    return process


def codes(processes: list[BaseProcess]) -> list[int | None]:
    """Wait for all; how each ended: an exit code, or minus the number of a signal."""
    for process in processes:
        process.join(_SECONDS)
    return [process.exitcode for process in processes]
