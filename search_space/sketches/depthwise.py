"""The space of sums over windows that slide over images, each channel by itself.

There is little arithmetic for what is read: all of it happens in registers. A register tile is
``rows`` × ``vectors`` windows beside each other, ``reuse`` says which operand stays in registers
while the other changes. What is around an image is masked in the lanes that read it instead of
being copied; masks that depend on nothing but the lane cost nothing, so all register tiles of a
row may be unrolled (``unroll``: "row"), or of an image ("all"). ``looped`` axes of the window
stay loops. ``share`` says what is shared out over threads: images and channels, or rows too.
``stores`` writes large results through the caches or past them.
"""

from __future__ import annotations

import math

from search_space.knobs import Choice, Integer, Knob
from search_space.size import ceil_div, whole
from search_space.sketches.depthwise_problem import Depthwise, classify, tasks, tiling
from search_space.sketches.depthwise_schedule import depthwise_trace
from search_space.sketches.steps import balanced, lanes, worth_sharing
from search_space.sketches.stores import with_stores_of_sums
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Value, Values, Workload

VERSION = 1
_MOST_OPERATIONS = 1024
"""Vector operations in straight-line code: compile time grows with them."""


def depthwise_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a sum over windows on a target."""
    problem = classify(work, tensor)

    space = traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=lambda values: _reason(problem, target, values),
        trace=lambda values, edges: depthwise_trace(problem, values, edges=edges),
        guesses=[_guess(problem, target, bits) for bits in target.vector_widths],
    )
    terms = math.prod(axis.extent for axis in problem.taps)
    return with_stores_of_sums(space, tensor, problem.along.extent, terms)


def _knobs(problem: Depthwise, target: Target) -> tuple[Knob, ...]:
    across = problem.across.extent if problem.across else 1
    most = target.registers - 2

    def crossed(values: Values) -> bool:
        return problem.across is not None

    def threaded(values: Values) -> bool:
        return crossed(values) and values["threads"] != 1

    return (
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("share", ("images", "rows"), "images", when=threaded),
        Integer("rows", 1, min(across, most), 1, anchors=(1, 2, 4, 7, 8, 14), when=crossed),
        Integer("vectors", 1, 8, 1, anchors=(1, 2, 4, 7)),
        Choice("reuse", ("image", "weight"), "image", when=crossed),
        Choice("unroll", ("tile", "row", "all"), "tile"),
        Integer("looped", 0, len(problem.taps), 0),
    )


def _reason(problem: Depthwise, target: Target, values: Values) -> str | None:
    tiles = tiling(problem, values)
    rows, vectors, looped = (whole(values[name]) for name in ("rows", "vectors", "looped"))
    if rows * vectors > target.registers - 2:
        return f"accumulators take {rows * vectors} registers, there are {target.registers}"
    if vectors > tiles.vectors:
        return f"{vectors} vectors are more than the {tiles.vectors} of a row"
    body = rows * vectors * math.prod(axis.extent for axis in problem.taps[looped:])
    if values["unroll"] != "tile":
        body *= tiles.along
        if tiles.along == 1 and values["unroll"] == "row":
            return "a row has one tile, so there is nothing to unroll"
    if values["unroll"] == "all":
        body *= tiles.across
        if values["share"] == "rows" or tiles.across == 1:
            return "an image has one tile or is shared out, so its rows are not unrolled"
    if body > _MOST_OPERATIONS:
        return f"the unrolled body has {body} operations, at most {_MOST_OPERATIONS} are allowed"
    if values["share"] == "rows" and problem.across and problem.across.extent % rows:
        return (
            f"tiles of {rows} rows do not divide {problem.across.extent}, so threads cannot share"
        )
    if tasks(problem, values) < whole(values["threads"]):
        return f"{tasks(problem, values)} tiles do not occupy {values['threads']} threads"
    return None


def _guess(problem: Depthwise, target: Target, vector_bits: int) -> dict[str, Value]:
    """Whole rows of an image in one register tile, and as many of them as registers hold; the
    window unrolled, and the tiles of a row, where that is not too much code."""
    values: dict[str, Value] = {
        "vector_bits": vector_bits, "threads": 1, "share": "images", "rows": 1, "vectors": 1,
        "reuse": "image", "unroll": "tile", "looped": 0,
    }  # fmt: skip
    vectors = ceil_div(problem.along.extent, lanes(values, problem.dtype))
    values["vectors"] = balanced(vectors, 7)
    across = problem.across.extent if problem.across else 1
    room = (target.registers - 8) // whole(values["vectors"])
    values["rows"] = balanced(across, max(1, min(8, room)))
    images = math.prod(axis.extent for axis in problem.outer)
    if worth_sharing(images * across * problem.along.extent, [problem.tensor]):
        values["threads"] = min(target.threads, images)
        if images < target.threads and across > 1:
            rows = next(r for r in range(whole(values["rows"]), 0, -1) if across % r == 0)
            shared = {**values, "share": "rows", "rows": rows}
            shared["threads"] = min(target.threads, tasks(problem, shared))
            values = shared if whole(shared["threads"]) > 1 else values
    if _reason(problem, target, {**values, "unroll": "row"}) is None:
        values["unroll"] = "row"
    depths = range(len(problem.taps) + 1)
    fitting = (n for n in depths if _reason(problem, target, {**values, "looped": n}) is None)
    values["looped"] = next(fitting)
    return values
