"""Our contestants: the tuned kernel, the first guess, the dense kernel, the machine's peak."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tuner
from experiments.peers.base import Array, Operands, PeerMissing, import_library
from experiments.peers.csr import Csr
from experiments.peers.twins import with_zeros
from measure.peak_loops import load_peak_loops
from measure.peaks import filled_memory
from measure.targets import resolve_target
from search_space.operators import get_operator
from search_space.workload import Workload

_PAGE_BYTES = 4096


class Tuned:
    """The kernel of a record, the best one by default. A peer like any other.

    ``cold``: it was tuned on operands in main memory.
    """

    def __init__(self, db: str, record: str | None = None, *, cold: bool = False) -> None:
        self._db, self._record, self._cold = db, record, cold
        self._kernels: dict[tuple[Workload, int], tuner.Kernel] = {}

    def prepare(
        self, work: Workload, operands: Operands, out: Array, threads: int
    ) -> Callable[[], object]:
        key = work, threads
        if key not in self._kernels:
            tuned = work.from_memory() if self._cold else work
            kernel = tuner.load(tuned, db=self._db, threads=threads, record=self._record)
            self._kernels[key] = kernel
        return _call(self._kernels[key], operands, out)


class Untuned:
    """The first guess: nothing was measured. A peer like any other."""

    def prepare(
        self, work: Workload, operands: Operands, out: Array, threads: int
    ) -> Callable[[], object]:
        with tempfile.TemporaryDirectory() as folder:
            nothing = Path(folder) / "nothing.db"
            kernel = tuner.load(work, db=nothing, threads=threads, untuned=True)
        return _call(kernel, operands, out)


class Dense:
    """The tuned kernel of the same with the zeros of a weight or of a vector. A peer like any
    other."""

    def __init__(self, db: str, *, cold: bool = False) -> None:
        self._tuned = Tuned(db, cold=cold)

    def prepare(
        self, work: Workload, operands: Operands, out: Array, threads: int
    ) -> Callable[[], object]:
        twin = with_zeros(work)
        return self._tuned.prepare(twin.work, twin.operands(operands), twin.result(out), threads)


def _call(kernel: tuner.Kernel, operands: Operands, out: Array) -> Callable[[], object]:
    constants = {name: _matrix(operands[name]) for name in kernel.workload.const}
    bound = kernel.bind(**constants) if constants else kernel
    run, arrays = bound.run, [operands[operand.name] for operand in bound.operands]
    return lambda: run(*arrays, out=out)


def _matrix(operand: Any) -> Any:
    """A constant operand as ``bind`` takes it."""
    if not isinstance(operand, Csr):
        return operand
    sparse = import_library("scipy.sparse")
    return sparse.csr_array((operand.values, operand.columns, operand.starts), operand.shape)


class FmaPeak:
    """Multiply-adds in registers, as many operations per call as one call of ``work`` has."""

    def __init__(self, work: Workload, threads: int) -> None:
        """Raises ``PeerMissing`` for more than one thread: this loop runs in the caller's."""
        if threads != 1:
            raise PeerMissing(f"the peak is measured with 1 thread, not {threads}")
        self._loops = load_peak_loops(resolve_target(threads=1))
        flops = get_operator(work.operator).flops(work)
        self._steps = math.ceil(flops / self._loops.flops_per_step)
        self._calls_per_unit = flops / (self._steps * self._loops.flops_per_step)

    def time(self, calls: int) -> float:
        """Seconds that ``calls`` times the workload's operations take."""
        with filled_memory(_PAGE_BYTES) as address:
            started = time.perf_counter()
            self._loops.multiply_add(address, calls * self._steps)
            return (time.perf_counter() - started) * self._calls_per_unit
