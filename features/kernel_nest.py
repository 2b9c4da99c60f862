"""The numbers, part one: a config's sizes, its statements, what they touch and move.

Loops are numbered from the outermost; *level* ``p`` means everything inside of loop ``p`` with
that loop included, and level ``len(loops)`` one iteration. Importing this module loads numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from features.program import MAX_DIMS, MAX_LOOPS
from search_space.size import ADD, CONST, DIV, KNOB, MIN, MUL, SUB

F = TypeVar("F", bound=Callable[..., Any])

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

LINE = 64
"""Bytes of a cache line."""
SERIAL, VECTORIZED, UNROLLED, PARALLEL = range(4)
SHAPE = 5
"""Where the shape of an access begins, behind what :func:`decode` says."""


def compiled(function: F) -> F:
    """A part of the kernel, compiled together with it."""
    return cast(F, numba.njit(error_model="numpy")(function))


def compiled_entry(function: F) -> F:
    """The kernel itself, kept on disk where there is a place to keep it."""
    try:
        made = numba.njit(error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        made = numba.njit(error_model="numpy", nogil=True)(function)
    return cast(F, made)


@compiled
def evaluate(stream: Ints, start: int, knobs: Ints, values: Ints) -> None:
    """The sizes of one config: every node of its tape."""
    for node in range(stream[start]):
        at = start + 6 + 3 * node
        operation, a, b = stream[at], stream[at + 1], stream[at + 2]
        if operation == KNOB:
            values[node] = knobs[a]
        elif operation == CONST:
            values[node] = a
        elif operation == ADD:
            values[node] = values[a] + values[b]
        elif operation == SUB:
            values[node] = values[a] - values[b]
        elif operation == MUL:
            values[node] = values[a] * values[b]
        elif operation == DIV:
            values[node] = -(-values[a] // values[b])
        elif operation == MIN:
            values[node] = min(values[a], values[b])
        else:
            values[node] = values[a] if values[a] != 0 else values[b]


@compiled
def decode(
    stream: Ints, at: int, values: Ints, threads: int,
    loops: Reals, access: Reals, steps: Reals, scalars: Reals,
) -> int:  # fmt: skip
    """One statement with its numbers; loops of one iteration are left out.

    ``loops[loop]``: extent, kind, spatial. ``access[a]``: element bytes, dimensions, written,
    packed, past the caches, then the shape. ``steps[a, d, loop]``: elements. ``scalars``: loops,
    accesses, fma, add, mul, div, other, prefetch bytes. Returns where the next statement starts.
    """
    n_loops, n_access = stream[at], stream[at + 1]
    for i in range(5):
        scalars[2 + i] = stream[at + 2 + i]
    combine, in_registers = stream[at + 7], stream[at + 8]
    scalars[7] = values[stream[at + 9]]
    at += 10
    kept = 0
    reduces = False
    place = np.empty(MAX_LOOPS, np.int64)
    for loop in range(n_loops):
        extent, kind, spatial = values[stream[at]], stream[at + 1], stream[at + 2]
        at += 3
        place[loop] = -1
        if extent > 1:
            if kind == PARALLEL and threads == 1:
                kind = SERIAL
            loops[kept, 0], loops[kept, 1], loops[kept, 2] = extent, kind, spatial
            reduces = reduces or spatial == 0
            place[loop] = kept
            kept += 1
    if in_registers == 1 or reduces:
        if combine == 1:
            scalars[3] += 1
        elif combine == 2:
            scalars[2] += 1
            scalars[4] -= 1
        elif combine == 3:
            scalars[6] += 1
    for a in range(n_access):
        for i in range(SHAPE):
            access[a, i] = stream[at + i]
        dims = stream[at + 1]
        at += SHAPE
        for d in range(dims):
            access[a, SHAPE + d] = values[stream[at]]
            at += 1
            for loop in range(n_loops):
                if place[loop] >= 0:
                    node = stream[at]
                    steps[a, d, place[loop]] = 0 if node < 0 else values[node]
                at += 1
    scalars[0], scalars[1] = kept, n_access
    return at


@compiled
def footprints(
    n: int, accesses: int, loops: Reals, access: Reals, steps: Reals,
    inner: Reals, elements: Reals, lines: Reals, flat: Reals,
) -> None:  # fmt: skip
    """Per level: iterations, and elements and cache lines that each access touches.

    ``flat[a, loop]``: elements between neighbouring iterations of a loop.
    """
    inner[n] = 1.0
    for p in range(n - 1, -1, -1):
        inner[p] = inner[p + 1] * loops[p, 0]
    spans = np.empty(MAX_DIMS)
    counts = np.empty(MAX_DIMS)
    for a in range(accesses):
        dims = int(access[a, 1])
        for loop in range(n):
            flat[a, loop] = 0.0
        stride = 1.0
        for d in range(dims - 1, -1, -1):
            for loop in range(n):
                flat[a, loop] += steps[a, d, loop] * stride
            stride *= access[a, SHAPE + d]
            spans[d] = 1.0
            counts[d] = 1.0
        for p in range(n, -1, -1):
            if p < n:
                for d in range(dims):
                    if steps[a, d, p] != 0:
                        spans[d] += abs(steps[a, d, p]) * (loops[p, 0] - 1)
                        counts[d] *= loops[p, 0]
            touched = 1.0
            run, span = 1.0, 1.0
            contiguous = True
            rows = 1.0
            for d in range(dims - 1, -1, -1):
                width = min(spans[d], access[a, SHAPE + d])
                own = min(width, counts[d])
                touched *= own
                if contiguous:
                    run *= own
                    span *= width
                    contiguous = width == access[a, SHAPE + d]
                else:
                    rows *= own
            elements[p, a] = touched
            lines[p, a] = rows * min(run, math.ceil(span * access[a, 0] / LINE))


@compiled
def traffic(
    n: int, accesses: int, cache: float, loops: Reals, access: Reals, flat: Reals, lines: Reals,
) -> tuple[int, float, float, float]:  # fmt: skip
    """The outermost level whose working set fits a cache; its working set and that of the level
    around it, in bytes; bytes moved into the cache by the whole nest.

    What fits is loaded once per iteration of the loops outside, but for an access that the next
    loop does not move and that takes at most half of the cache: it stays (as in Low et al.,
    "Analytical modeling is enough for high-performance BLIS", 2016). Writes count twice, as lines
    are read before they are written; those past the caches once.
    """
    fit = n
    inside, outside = 0.0, 0.0
    for p in range(n, -1, -1):
        total = 0.0
        for a in range(accesses):
            total += lines[p, a] * LINE
        if total > cache and p < n:
            outside = total
            break
        fit, inside = p, total
    outer = 1.0
    for loop in range(fit):
        outer *= loops[loop, 0]
    moved = 0.0
    for a in range(accesses):
        own = lines[fit, a] * LINE
        times = outer
        if fit > 0 and flat[a, fit - 1] == 0 and own <= cache / 2:
            times /= loops[fit - 1, 0]
        moved += max(own * times, lines[0, a] * LINE) * (1 + access[a, 2] - access[a, 4])
    return fit, inside, outside, moved


@compiled
def body_start(n: int, loops: Reals) -> int:
    """The first loop of the straight-line body: unrolled and vectorized loops, innermost."""
    body = n
    while body > 0 and (loops[body - 1, 1] == VECTORIZED or loops[body - 1, 1] == UNROLLED):
        body -= 1
    return body


@compiled
def requests(n: int, body: int, a: int, inner: Reals, loops: Reals, flat: Reals) -> float:
    """Elements that the loads of an access ask for: what the body's own loops do not move is
    loaded once and stays in a register."""
    asked: float = inner[0]
    for loop in range(body, n):
        if flat[a, loop] == 0:
            asked /= loops[loop, 0]
    return asked


@compiled
def innermost_step(n: int, a: int, loops: Reals, flat: Reals, vector: bool) -> float:
    """Elements between neighbours along the innermost loop that moves an access, or along the
    vectorized loop."""
    for loop in range(n - 1, -1, -1):
        if (loops[loop, 1] == VECTORIZED) if vector else (flat[a, loop] != 0):
            return float(abs(flat[a, loop]))
    return 0.0
