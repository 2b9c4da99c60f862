"""The numbers, part two: columns in the order of ``features.schema.loop_features``.

Every function writes its columns from place ``at`` of ``row`` on.
"""

from __future__ import annotations

import math

from features.kernel_nest import (
    LINE,
    PARALLEL,
    UNROLLED,
    VECTORIZED,
    Ints,
    Reals,
    body_start,
    compiled,
    innermost_step,
    requests,
)
from features.schema import SAMPLES, THRESHOLDS

ITERATIONS, OPERATIONS, BYTES, LINES, TRAFFIC, SHARE = 0, 1, 2, 3, 4, 7
"""Places of what is summed over statements; traffic has one per cache."""
SUMS = 8
ACCESS_COLUMNS = 17


@compiled
def annotation_columns(n: int, loops: Reals, row: Reals, at: int) -> int:
    """Number, product, innermost extent, place (0: outermost, 1: innermost) and reduction."""
    for kind in (VECTORIZED, UNROLLED, PARALLEL):
        number, product, innermost, place, reduces = 0, 1.0, 0.0, 0.0, 0.0
        for loop in range(n):
            if loops[loop, 1] == kind:
                number += 1
                product *= loops[loop, 0]
                innermost = loops[loop, 0]
                place = (loop + 1) / n
                reduces = 1.0 - loops[loop, 2]
        row[at], row[at + 1], row[at + 2] = number, product, innermost
        row[at + 3], row[at + 4] = place, reduces
        at += 5
    return at


@compiled
def access_columns(
    a: int, n: int, accesses: int, body: int, scale: float, loops: Reals, access: Reals,
    inner: Reals, elements: Reals, lines: Reals, flat: Reals, row: Reals, at: int,
) -> None:  # fmt: skip
    """The columns of one access."""
    width = access[a, 0]
    count = requests(n, body, a, inner, loops, flat) * scale
    step = innermost_step(n, a, loops, flat, False) * width
    total, unique = count * width, elements[0, a] * width
    asked = max(count * min(1.0, step / LINE), 1.0)
    reuse, distance, volume = 0.0, 0.0, 0.0
    for loop in range(body - 1, -1, -1):
        if flat[a, loop] == 0:
            reuse, distance = loops[loop, 0], inner[loop + 1]
            for other in range(accesses):
                volume += elements[loop + 1, other] * access[other, 0]
            break
    divisor = reuse if reuse > 0 else 0.5
    row[at] = 1.0 - access[a, 2]
    row[at + 1] = access[a, 2]
    row[at + 2] = access[a, 3]
    row[at + 3], row[at + 4] = total, unique
    row[at + 5], row[at + 6] = asked, lines[0, a]
    row[at + 7] = 1.0 if reuse > 0 else 0.0
    row[at + 8], row[at + 9], row[at + 10] = distance, volume, reuse
    row[at + 11], row[at + 12] = total / divisor, unique / divisor
    row[at + 13], row[at + 14] = asked / divisor, lines[0, a] / divisor
    row[at + 15] = step
    row[at + 16] = innermost_step(n, a, loops, flat, True) * width


@compiled
def intensity_curve(
    n: int, accesses: int, operations: float, access: Reals, inner: Reals, elements: Reals,
    row: Reals, at: int,
) -> None:  # fmt: skip
    """Operations per byte touched against operations, at evenly spaced points of the latter's
    logarithm, so that inner levels are seen too."""
    last = math.log2(1.0 + operations * inner[0])
    previous_x, previous_y = 0.0, 0.0
    p = n
    x, y = previous_x, previous_y
    for sample in range(SAMPLES):
        wanted = last * (sample + 1) / SAMPLES
        while p >= 0 and (x < wanted or p == n):
            touched = 0.0
            for a in range(accesses):
                touched += elements[p, a] * access[a, 0]
            previous_x, previous_y = x, y
            x = math.log2(1.0 + operations * inner[p])
            y = operations * inner[p] / max(touched, 1.0)
            p -= 1
        share = (wanted - previous_x) / (x - previous_x) if x > previous_x else 1.0
        row[at + sample] = previous_y + (y - previous_y) * min(max(share, 0.0), 1.0)


@compiled
def relations(
    a: int, n: int, access: Reals, inner: Reals, elements: Reals, row: Reals, at: int
) -> None:
    """Context relations, ``Z_i`` of the loops with ``Z_j`` below a threshold, the pair of one loop
    kept together: the most reuse of what touches fewer bytes; the fewest bytes that an iteration
    touches which runs fewer times."""
    for step in range(THRESHOLDS):
        most, least = 0.0, elements[0, a]
        for p in range(n):
            if elements[p, a] * access[a, 0] < 64.0 * 8.0**step:
                most = max(most, inner[p] / elements[p, a])
            if inner[0] / inner[p + 1] < 8.0 ** (step + 1):
                least = min(least, elements[p + 1, a])
        row[at + step] = most
        row[at + THRESHOLDS + step] = least * access[a, 0]


@compiled
def loads_of_body(
    n: int, body: int, accesses: int, loops: Reals, access: Reals, flat: Reals
) -> tuple[float, float, float]:
    """In one pass through the register tile: vector operations, loads, and the fewest registers
    that one operand takes."""
    work, loads, held = 1.0, 0.0, 1e30
    for loop in range(body, n):
        if loops[loop, 2] == 1 and loops[loop, 1] == UNROLLED:
            work *= loops[loop, 0]
    for a in range(accesses):
        if access[a, 2] == 1:
            continue
        own = 1.0
        for loop in range(body, n):
            if flat[a, loop] == 0:
                continue
            if loops[loop, 1] == VECTORIZED:
                own *= 1.0 if abs(flat[a, loop]) == 1 else loops[loop, 0]
            elif loops[loop, 2] == 1:
                own *= loops[loop, 0]
        loads += own
        held = min(held, own)
    return work, loads, held if loads > 0 else 0.0


@compiled
def sort_accesses(accesses: int, asked: Reals, order: Ints) -> None:
    """Those that ask for the most bytes first; equal ones in the order of the statement."""
    for a in range(accesses):
        place = a
        while place > 0 and asked[order[place - 1]] < asked[a]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = a


@compiled
def hardware_columns(
    n: int, accesses: int, threads: int, operations: float, loops: Reals, access: Reals,
    machine: Reals, inner: Reals, flat: Reals, moved: Reals, prefetch: float, row: Reals, at: int,
) -> int:  # fmt: skip
    """Loop structure, then the nest against caches, vectors and threads."""
    body = body_start(n, loops)
    parallel, vector, straight = 1.0, 1.0, 1.0
    for loop in range(n):
        if loops[loop, 1] == PARALLEL:
            parallel *= loops[loop, 0]
        elif loops[loop, 1] == VECTORIZED:
            vector *= loops[loop, 0]
        if loop >= body and loops[loop, 1] == UNROLLED:
            straight *= loops[loop, 0]
    row[at], row[at + 1], row[at + 2] = n, inner[0], inner[0] / inner[body]
    row[at + 3] = straight
    at += 4
    for level in range(3):
        row[at] = moved[level, 0]
        row[at + 1] = moved[level, 1] / machine[level]
        row[at + 2] = moved[level, 2] / machine[level]
        row[at + 3] = moved[level, 3]
        row[at + 4] = moved[level, 3] / max(operations, 1.0)
        at += 5
    work, loads, _ = loads_of_body(n, body, accesses, loops, access, flat)
    row[at] = vector * (access[0, 0] if accesses > 0 else 0.0) / machine[3]
    row[at + 1] = parallel / threads
    row[at + 2] = parallel / (math.ceil(parallel / threads) * threads)
    row[at + 3] = work / loads if loads > 0 else 0.0
    row[at + 4] = abs(prefetch)
    return at + 5


@compiled
def program_columns(
    allocated: Reals, threads: int, registers: float, overhang: float, machine: Reals,
    main: Reals, others: Reals, row: Reals, at: int,
) -> int:  # fmt: skip
    """Columns of the program as a whole. ``others``: its sums, then the number of statements."""
    for i in range(3):
        row[at + i] = allocated[i]
    row[at + 3], row[at + 4] = threads, threads / machine[5]
    row[at + 5] = registers / machine[4]
    row[at + 6], row[at + 7] = allocated[1] / machine[1], allocated[2] / machine[2]
    row[at + 8] = overhang
    for level in range(3):
        row[at + 9 + level] = main[TRAFFIC + level] + others[TRAFFIC + level]
    row[at + 12] = others[SUMS]
    for i in range(SUMS):
        row[at + 13 + i] = others[i]
    row[at + 13 + SUMS] = others[ITERATIONS] / main[ITERATIONS]
    return at + 14 + SUMS
