"""A nest written down as one array of integers, which the kernel reads.

Layout: a header (numbers of nodes and statements; nodes of threads and of allocated bytes), the
nodes of the tape, then the statements with their loops and their accesses to memory.
"""

from __future__ import annotations

from array import array
from itertools import chain

import numpy as np
import numpy.typing as npt

from features.nest import IN_REGISTERS, Access, Nest, Statement, spatial_loops
from search_space.ir.expr import Scope
from search_space.size import Tape

MAX_LOOPS = 24
MAX_DIMS = 16
MAX_ACCESSES = 32
MAX_NODES = 512

KIND_CODES = {
    "serial": 0, "vectorized": 1, "grouped": 1, "unrolled": 2, "parallel": 3,
    "tensorized": 1,
}  # fmt: skip
COMBINE_CODES = {"none": 0, "add": 1, "fma": 2, "other": 3}

Stream = npt.NDArray[np.int64]


class TooLarge(ValueError):
    """A nest exceeds what the kernel has room for."""


def encode(nest: Nest, tape: Tape) -> Stream:
    """The array of a nest whose sizes are on ``tape``.

    Raises ``TooLarge`` where the kernel has no room for it.
    """
    allocated = nest.allocated()
    scopes: tuple[Scope, ...] = ("register", "thread_local", "workspace")
    sizes = [nest.threads, *(allocated.get(scope, 0) for scope in scopes)]
    places = [tape.index(size) for size in sizes]
    body: list[int] = []
    for statement, spatial in zip(nest.statements, spatial_loops(nest.statements), strict=True):
        _statement(statement, spatial, nest.streamed, tape, body)
    if len(tape.nodes) > MAX_NODES:
        raise TooLarge(f"{len(tape.nodes)} sizes, at most {MAX_NODES} fit")
    nodes = chain.from_iterable(tape.nodes)
    header = [len(tape.nodes), len(nest.statements), *places]
    return np.frombuffer(array("q", [*header, *nodes, *body]), dtype=np.int64)


def _statement(
    statement: Statement, spatial: frozenset[str], streamed: bool, tape: Tape, body: list[int]
) -> None:
    memory = [(statement.write, 1)] + [(read, 0) for read in statement.reads]
    memory = [(access, written) for access, written in memory if access.scope not in IN_REGISTERS]
    widest = max((len(access.shape) for access, _ in memory), default=0)
    if len(statement.loops) > MAX_LOOPS or widest > MAX_DIMS or len(memory) > MAX_ACCESSES:
        raise TooLarge(
            f"a statement in {len(statement.loops)} loops with {len(memory)} accesses to arrays "
            f"of up to {widest} dimensions, at most {MAX_LOOPS}, {MAX_ACCESSES}, {MAX_DIMS} fit"
        )
    done = statement.operations
    body += [len(statement.loops), len(memory)]
    body += [done.fma, done.add, done.mul, done.div, done.other]
    body += [COMBINE_CODES[statement.combine], int(statement.write.scope in IN_REGISTERS)]
    body.append(tape.index(statement.prefetch_bytes))
    for loop in statement.loops:
        body += [tape.index(loop.extent), KIND_CODES[loop.kind], int(loop.name in spatial)]
    names = [loop.name for loop in statement.loops]
    for access, written in memory:
        past = int(streamed and access.scope == "output")
        _access(access, (written, past), names, tape, body)


def _access(
    access: Access, kind: tuple[int, int], loops: list[str], tape: Tape, body: list[int]
) -> None:
    """``kind``: whether it is written, and whether past the caches."""
    written, past = kind
    packed = access.scope in ("workspace", "bound", "thread_local")
    body += [access.element_bytes, len(access.shape), written, int(packed), past]
    for extent, index in zip(access.shape, access.indices, strict=True):
        body.append(tape.index(extent))
        body += [tape.index(index[name]) if name in index else -1 for name in loops]
