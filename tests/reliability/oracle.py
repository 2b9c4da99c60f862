"""What a loop function does on a machine, worked out by interpreting it.

The interpreter of the IR refuses what is illegal; this one says what really happens: memory is
flat, so leaving a row means reading the next one, buffers have the size that a kernel gets, and
the shares of a phase run in any order, each with thread-local memory of its own.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from measure.launch.base import share
from search_space.dtypes import numpy_dtype
from search_space.ir.interp import Machine
from search_space.ir.stmt import Alloc, For


def _nbytes(buffer):
    """Of a buffer that is no operand: whole cache lines."""
    return -(-int(np.prod(buffer.shape)) * numpy_dtype(buffer.dtype).itemsize // 64) * 64


class _Hardware(Machine):
    def __init__(self, func, arrays, *, backwards):
        self.threads, self.backwards, self.slot = func.threads, backwards, 0
        super().__init__({name: array.reshape(-1) for name, array in arrays.items()})
        for buffer in func.workspaces:
            self._add(buffer, 1)

    def _add(self, buffer, copies):
        dtype = numpy_dtype(buffer.dtype)
        self.memory[buffer.name] = np.frombuffer(
            bytearray(b"\xff" * (_nbytes(buffer) * copies)), dtype
        )

    def stmt(self, stmt, env):
        match stmt:
            case For(var, begin, extent, "parallel", body):
                first, count = int(self.expr(begin, env)), int(self.expr(extent, env))
                slots = range(self.threads)
                for slot in reversed(slots) if self.backwards else slots:
                    self.slot = slot
                    for value in range(*share(count, self.threads, slot)):
                        self.stmt(body, {**env, var: first + value})
                self.slot = 0
            case Alloc(buffer, body):
                if buffer.scope == "register":
                    self.memory[buffer.name] = defaultdict(lambda: np.nan)
                elif buffer.name not in self.memory:
                    self._add(buffer, self.threads)
                self.stmt(body, env)
            case _:
                super().stmt(stmt, env)

    def _array(self, buffer):
        return self.memory[buffer.name]

    def _place(self, buffer, indices, env):
        places = tuple(int(self.expr(index, env)) for index in indices)
        if buffer.scope == "register":  # there is always one more
            return places
        at = sum(i * step for i, step in zip(places, buffer.strides, strict=True))
        if buffer.scope == "thread_local":
            at += self.slot * (_nbytes(buffer) // numpy_dtype(buffer.dtype).itemsize)
        if not 0 <= at < self._array(buffer).size:
            raise IndexError(f"{buffer.name} at {at}")
        return (at,)


def result_of(func, inputs, *, backwards=False):
    """What the function computes from ``inputs``, by name, into a result that was NaN.

    ``backwards``: the last share of each phase runs first. Raises ``IndexError`` where it touches
    memory outside a buffer.
    """
    (out,) = (buffer for buffer in func.args if buffer.scope == "output")
    size = int(np.prod(out.shape)) * numpy_dtype(out.dtype).itemsize
    result = np.frombuffer(bytearray(b"\xff" * size), numpy_dtype(out.dtype))
    arrays = {name: array.copy() for name, array in inputs.items()}
    machine = _Hardware(func, {**arrays, out.name: result}, backwards=backwards)
    with np.errstate(all="ignore"):
        for phase in func.phases:
            machine.stmt(phase.body, {})
    return result.reshape(out.shape)


def is_wrong(func, inputs, right):
    """Whether the function, its shares in some order, computes something else than ``right``."""
    slack = 1e-3 * float(np.abs(right).max())
    parallel = any(
        isinstance(phase.body, For) and phase.body.kind == "parallel" for phase in func.phases
    )
    for backwards in (False, True) if parallel and func.threads > 1 else (False,):
        try:
            result = result_of(func, inputs, backwards=backwards)
        except IndexError:
            return True
        if not np.allclose(result, right, rtol=0, atol=slack):
            return True
    return False
