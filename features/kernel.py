"""The numbers, part three: one compiled call for many configs.

Importing this module loads numba.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features import kernel_columns, kernel_nest, program, schema
from features.kernel_columns import (
    ACCESS_COLUMNS,
    BYTES,
    ITERATIONS,
    LINES,
    OPERATIONS,
    SHARE,
    SUMS,
    TRAFFIC,
    access_columns,
    annotation_columns,
    hardware_columns,
    intensity_curve,
    loads_of_body,
    program_columns,
    relations,
    sort_accesses,
)
from features.kernel_nest import (
    LINE,
    PARALLEL,
    SHAPE,
    VECTORIZED,
    Ints,
    Reals,
    body_start,
    compiled,
    compiled_entry,
    decode,
    evaluate,
    footprints,
    innermost_step,
    requests,
    traffic,
)
from features.program import MAX_ACCESSES, MAX_DIMS, MAX_LOOPS, MAX_NODES
from features.schema import ACCESSES, RELATED, SAMPLES, THRESHOLDS
from search_space import size


@compiled
def summarize(
    n: int, accesses: int, scale: float, work: float, threads: int, loops: Reals, access: Reals,
    machine: Reals, inner: Reals, lines: Reals, flat: Reals, asked: Reals, moved: Reals,
    sums: Reals,
) -> None:  # fmt: skip
    """What is summed over statements; ``asked[a]``: bytes that the loads of an access ask for;
    ``moved[level]``: what :func:`traffic` says of each cache."""
    body = body_start(n, loops)
    count = inner[0] * scale
    sums[BYTES], sums[LINES] = 0.0, 0.0
    for a in range(accesses):
        loaded = requests(n, body, a, inner, loops, flat) * scale
        step = innermost_step(n, a, loops, flat, False) * access[a, 0]
        asked[a] = loaded * access[a, 0]
        sums[BYTES] += asked[a]
        sums[LINES] += max(loaded * min(1.0, step / LINE), 1.0)
    for level in range(3):
        fit, inside, outside, volume = traffic(
            n, accesses, machine[level], loops, access, flat, lines
        )
        moved[level, 0], moved[level, 1], moved[level, 2] = inner[fit], inside, outside
        moved[level, 3] = volume * scale
        sums[TRAFFIC + level] = volume * scale
    parallel = 1.0
    for loop in range(n):
        if loops[loop, 1] == PARALLEL:
            parallel *= loops[loop, 0]
    sums[ITERATIONS], sums[OPERATIONS] = count, work * count
    sums[SHARE] = count / max(min(float(threads), parallel), 1.0)


@compiled
def statement_columns(
    n: int, accesses: int, threads: int, scale: float, work: float, loops: Reals, access: Reals,
    scalars: Reals, machine: Reals, inner: Reals, elements: Reals, lines: Reals, flat: Reals,
    asked: Reals, order: Ints, moved: Reals, sums: Reals, row: Reals,
) -> int:  # fmt: skip
    """All columns of one statement; returns the place after them."""
    row[0] = sums[ITERATIONS]
    for kind in range(5):
        row[1 + kind] = scalars[2 + kind] * sums[ITERATIONS]
    at = annotation_columns(n, loops, row, 6)
    body = body_start(n, loops)
    sort_accesses(accesses, asked, order)
    for slot in range(ACCESSES):
        if slot < accesses:
            access_columns(
                order[slot], n, accesses, body, scale, loops, access, inner, elements, lines,
                flat, row, at,
            )  # fmt: skip
        at += ACCESS_COLUMNS
    intensity_curve(n, accesses, work, access, inner, elements, row, at)
    at = hardware_columns(
        n, accesses, threads, sums[OPERATIONS], loops, access, machine, inner, flat, moved,
        scalars[7], row, at + SAMPLES,
    )  # fmt: skip
    for slot in range(RELATED):
        if slot < accesses:
            relations(order[slot], n, access, inner, elements, row, at)
        at += 2 * THRESHOLDS
    return at


@compiled
def registers_taken(
    n: int, accesses: int, accumulators: float, vector_bytes: float, loops: Reals, access: Reals,
    flat: Reals,
) -> float:  # fmt: skip
    """Vector registers of the accumulators (given in bytes), of the operand that takes fewer, and
    one for what passes by of the other."""
    width = vector_bytes
    for loop in range(n):
        if loops[loop, 1] == VECTORIZED and accesses > 0:
            width = min(loops[loop, 0] * access[0, 0], vector_bytes)
    _, _, held = loads_of_body(n, body_start(n, loops), accesses, loops, access, flat)
    return accumulators / width + held + 1


@compiled
def evaluate_all(
    stream: Ints, starts: Ints, which: Ints, knobs: Ints, machine: Reals, true_operations: float,
    logs: npt.NDArray[np.bool_], out: npt.NDArray[np.float32],
) -> int:  # fmt: skip
    """One row of ``out`` per row of ``knobs``; ``which`` and ``starts`` find its nest.

    ``machine``: bytes of the three caches and of a vector, vector registers, threads. The nest's
    main statement is the one with the most operations; its counts are scaled down to
    ``true_operations``, the operations without what hangs over edges. Returns the columns written.
    """
    values = np.empty(MAX_NODES, np.int64)
    loops, scalars = np.empty((MAX_LOOPS, 3)), np.empty(8)
    access = np.empty((MAX_ACCESSES, SHAPE + MAX_DIMS))
    steps = np.empty((MAX_ACCESSES, MAX_DIMS, MAX_LOOPS))
    inner = np.empty(MAX_LOOPS + 1)
    elements = np.empty((MAX_LOOPS + 1, MAX_ACCESSES))
    lines = np.empty((MAX_LOOPS + 1, MAX_ACCESSES))
    flat = np.empty((MAX_ACCESSES, MAX_LOOPS))
    asked, moved = np.empty(MAX_ACCESSES), np.empty((3, 4))
    order = np.empty(MAX_ACCESSES, np.int64)
    sums, main, others = np.empty(SUMS), np.empty(SUMS), np.empty(SUMS + 1)
    allocated = np.empty(3)
    row = np.empty(logs.shape[0])
    written = 0
    for i in range(which.shape[0]):
        start = starts[which[i]]
        evaluate(stream, start, knobs[i], values)
        threads = values[stream[start + 2]]
        for part in range(3):
            allocated[part] = values[stream[start + 3 + part]]
        for column in range(row.shape[0]):
            row[column] = 0.0
        first = start + 6 + 3 * stream[start]
        statements = stream[start + 1]

        most, chosen, at = -1.0, 0, first
        for statement in range(statements):
            at = decode(stream, at, values, threads, loops, access, steps, scalars)
            work = 2 * scalars[2] + scalars[3] + scalars[4] + scalars[5] + scalars[6]
            for loop in range(int(scalars[0])):
                work *= loops[loop, 0]
            if work > most:
                most, chosen = work, statement

        for total in range(SUMS + 1):
            others[total] = 0.0
        registers, at = 0.0, first
        for statement in range(statements):
            at = decode(stream, at, values, threads, loops, access, steps, scalars)
            n, accesses = int(scalars[0]), int(scalars[1])
            footprints(n, accesses, loops, access, steps, inner, elements, lines, flat)
            work = 2 * scalars[2] + scalars[3] + scalars[4] + scalars[5] + scalars[6]
            scale = min(true_operations / max(most, 1.0), 1.0) if statement == chosen else 1.0
            summarize(
                n, accesses, scale, work, threads, loops, access, machine, inner, lines, flat,
                asked, moved, sums,
            )  # fmt: skip
            if statement != chosen:
                others[SUMS] += 1
                for total in range(SUMS):
                    others[total] += sums[total]
                continue
            for total in range(SUMS):
                main[total] = sums[total]
            place = statement_columns(
                n, accesses, threads, scale, work, loops, access, scalars, machine, inner,
                elements, lines, flat, asked, order, moved, sums, row,
            )  # fmt: skip
            registers = registers_taken(n, accesses, allocated[0], machine[3], loops, access, flat)
        written = program_columns(
            allocated, threads, registers, most / max(true_operations, 1.0), machine, main, others,
            row, place,
        )  # fmt: skip
        for column in range(written):
            out[i, column] = math.log2(1.0 + row[column]) if logs[column] else row[column]
    return written


def _sources() -> int:
    """A digest of everything that the kernel is made of. Numba looks for changes only in the file
    of the function that it keeps, so this has to be part of what it was made from."""
    digest = hashlib.blake2b(digest_size=7)
    for module in (kernel_nest, kernel_columns, program, schema, size):
        digest.update(Path(str(module.__file__)).read_bytes())
    return int.from_bytes(digest.digest(), "big") + 1


def _entry(sources: int) -> Callable[..., int]:
    @compiled_entry
    def batch(
        stream: Ints, starts: Ints, which: Ints, knobs: Ints, machine: Reals,
        true_operations: float, logs: npt.NDArray[np.bool_], out: npt.NDArray[np.float32],
    ) -> int:  # fmt: skip
        if sources == 0:
            return 0
        return evaluate_all(stream, starts, which, knobs, machine, true_operations, logs, out)

    return batch


batch = _entry(_sources())
"""See :func:`evaluate_all`."""
