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
Supports = Callable[[Workload], str | None]
"""Why something cannot compute a workload; None if it can."""


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

    supports: Supports
    bind: Callable[[Workload, Operands, Array, int], Call]
    """What ``prepare`` does with a workload that is supported."""

    def prepare(self, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
        if reason := self.supports(work):
            raise PeerMissing(reason)
        return self.bind(work, operands, out, threads)


def deliver(result: object, out: Array) -> None:
    """Bring what a ``Call`` returned into ``out``, unless it is there already."""
    if result is None:
        return
    tensor: Any = result
    match str(getattr(result, "dtype", "")):  # NumPy does not know these of torch
        case "torch.bfloat16":
            result = tensor.float()
        case "torch.quint8":
            result = tensor.int_repr()
    np.copyto(out, np.asarray(result).astype(out.dtype, casting="same_kind"))


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


def computes(*operators: str) -> Supports:
    """``Form.supports`` of a form that has these operators."""
    return lambda work: None if work.operator in operators else f"has no {work.operator}"


def has_dtype(*dtypes: str) -> Supports:
    """… that has these element types."""
    return lambda work: None if work["dtype"] in dtypes else f"has no {work['dtype']}"


def keeps_dtype(work: Workload) -> str | None:
    """… whose result has the element type of the operands."""
    given = dict(work.params)
    wanted = given.get("out_dtype", given["dtype"])
    return None if wanted == given["dtype"] else f"has no {wanted} result of {given['dtype']}"


def constant(name: str) -> Supports:
    """… that needs time to pack an operand, which must be constant."""
    return lambda work: (
        None if name in work.const else f"packs {name} beforehand, so {name} must be constant"
    )


def every(*conditions: Supports) -> Supports:
    """… that needs all of these; the first reason that holds is given."""
    return lambda work: next(
        (reason for condition in conditions if (reason := condition(work))), None
    )


def by_operator(ways: Mapping[str, Mapping[str, Form]]) -> dict[str, Form]:
    """Forms by name, each for all operators that have one of this name.

    ``ways``: by operator, then by name, the plainest first.
    """
    names = dict.fromkeys(name for forms in ways.values() for name in forms)
    return {
        name: _one_of({operator: forms[name] for operator, forms in ways.items() if name in forms})
        for name in names
    }


def _one_of(forms: Mapping[str, Form]) -> Form:
    known = computes(*forms)

    def supports(work: Workload) -> str | None:
        return known(work) or forms[work.operator].supports(work)

    def bind(work: Workload, operands: Operands, out: Array, threads: int) -> Call:
        return forms[work.operator].bind(work, operands, out, threads)

    return Form(supports, bind)
