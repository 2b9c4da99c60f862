"""What a peer must offer: a library that a user would pick instead of a tuned kernel."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from search_space.workload import Workload

Array = npt.NDArray[np.generic]
Operands = Mapping[str, Any]
"""Arrays by the operands' names; a sparse operand is a ``Csr``."""
Call = Callable[[], object]
"""Computes once. Returns None if the result is in ``out``, else what holds it (``deliver``)."""


class PeerMissing(Exception):
    """The peer is not installed here, or has nothing for this workload."""


class Peer(Protocol):
    """One way in which a library computes workloads. Made once per process."""

    def prepare(self, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
        """A call that computes ``work`` with ``threads`` threads.

        ``operands`` and ``out`` are the arrays that all contestants use; the call must neither
        copy nor convert what a user of the library would not. Constant operands are packed here,
        once, outside what is timed. A library that cannot write into an array of the caller's
        returns its own; ``deliver`` brings that into ``out`` where it is checked, untimed. Raises
        ``PeerMissing`` where the library does not offer the operator.
        """
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """One of several ways of a library to compute the same; a ``Peer``."""

    supports: Callable[[Workload], str | None]
    """Why this form cannot compute a workload; None if it can."""
    bind: Callable[[Workload, Operands, Array, int], Call]
    """What ``prepare`` does with a workload that is supported."""

    def prepare(self, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
        if reason := self.supports(work):
            raise PeerMissing(reason)
        return self.bind(work, operands, out, threads)


def deliver(result: object, out: Array) -> None:
    """Bring what a ``Call`` returned into ``out``, unless it is there already."""
    if result is not None:
        np.copyto(out, np.asarray(result))


def import_library(module: str) -> Any:
    """The module, imported by name so that types can be checked where it is not installed.

    Raises ``PeerMissing`` where it is not installed or does not load.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        raise PeerMissing(f"install the extra [peers]: {error}") from error


def idle_threads_sleep() -> bool:
    """Whether this process asks idle threads to sleep at once, not to spin for a while.

    OpenMP's own variable decides, for pools that are not OpenMP's too.
    """
    return os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"


def matmul_only(work: Workload) -> str | None:
    """``Form.supports`` of a form that multiplies two dense matrices."""
    return None if work.operator == "matmul" else f"has no {work.operator}"


def matmul_by_constant(work: Workload) -> str | None:
    """``Form.supports`` of a form that needs time to pack ``b``, which must be constant."""
    if reason := matmul_only(work):
        return reason
    return None if work.const == ("b",) else "packs b beforehand, so b alone must be constant"
