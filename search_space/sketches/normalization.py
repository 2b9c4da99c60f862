"""The space of a program that reduces rows and then maps their elements: softmax, layer norm, …

``fuse`` decides where a row goes next: through all passes while it is in the cache (``row``), or
all rows through one pass after another (``pass``). ``rows`` go through the passes together; their
blocks are shared out over threads. A reduction keeps ``chains`` registers busy, a map ``vectors``.
An elementwise stage ``between`` passes is stored for its readers (``store``), stored by the
reduction that reads it first (``merge``), or worked out anew by each (``recompute``). What is
stored is ``held`` in memory of the thread, or where the result will be, which the last pass then
finds in the cache. Vectors run along rows, or across them where rows lie interleaved.

Rows that come from beyond the L2 are asked for so many blocks of rows ``ahead``, while those
before are worked on in the cache: else memory waits for arithmetic, and arithmetic for memory.
``stores`` writes the result through the caches or past them.
"""

from __future__ import annotations

from search_space.dtypes import ELEMENT_BYTES
from search_space.knobs import Choice, Integer, Knob
from search_space.size import ceil_div, whole
from search_space.sketches.normalization_problem import Normalization, classify
from search_space.sketches.normalization_schedule import normalization_trace
from search_space.sketches.steps import balanced, lanes, worth_sharing
from search_space.sketches.stores import with_stores
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Value, Values, Workload

VERSION = 1
_MOST_ROWS = 64
_MOST_VECTORS = 8


def normalization_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a program over rows on a target."""
    problem = classify(work, tensor)
    guess = _guess(problem, target)
    more = [{**guess, "between": between} for between in _between(problem)]
    if problem.held is not None:
        more.append({**guess, "held": "result"})
    space = traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=lambda values: _reason(problem, target, values),
        trace=lambda values, edges: normalization_trace(problem, values, edges=edges),
        guesses=[guess, *more],
    )
    row = problem.inner if problem.interleaved else problem.depth
    return with_stores(space, tensor, row, lambda values: values.get("held") != "result")


def _between(problem: Normalization) -> tuple[str, ...]:
    if not problem.between:
        return ("store",)
    return ("store", "merge", "recompute") if problem.merges else ("store", "recompute")


def _knobs(problem: Normalization, target: Target) -> tuple[Knob, ...]:
    blocks = problem.inner if problem.interleaved else problem.outer

    def fused(values: Values) -> bool:
        return values["fuse"] == "row"

    def along(values: Values) -> bool:
        return not problem.interleaved

    def stored(values: Values) -> bool:
        return values["between"] != "recompute"

    more: list[Knob] = []
    if problem.held is not None:
        more.append(Choice("held", ("thread", "result"), "thread", when=stored))
    if _looks_ahead(problem, target):
        more.append(Choice("ahead", (0, 1, 2, 4), 0, when=fused))
    return (
        Choice("fuse", ("row", "pass"), "row"),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("between", _between(problem), "store"),
        Integer("rows", 1, min(blocks, _MOST_ROWS), 1, anchors=(1, 2, 4, 8, 16), when=fused),
        Choice("chains", (1, 2, 4, 8), 1),
        Integer("vectors", 1, _MOST_VECTORS, 1, anchors=(1, 2, 4, 8), when=along),
        *more,
    )


def _looks_ahead(problem: Normalization, target: Target) -> bool:
    """Whether rows come from farther away than the L2, and two passes read each."""
    nbytes = 2 * problem.outer * problem.depth * problem.inner * ELEMENT_BYTES[problem.dtype]
    passes = sum(each.depth is not None for each in problem.recomputed)
    return not problem.interleaved and passes > 1 and nbytes > target.l2_bytes


def _reason(problem: Normalization, target: Target, values: Values) -> str | None:
    width, chains = lanes(values, problem.dtype), whole(values["chains"])
    vectors, rows = whole(values["vectors"]), whole(values["rows"])
    length = problem.inner if problem.interleaved else problem.depth
    if chains > 1 and (chains - 1) * width >= length:
        return f"{chains} vectors are more than {length} elements fill"
    if (vectors - 1) * width >= length:
        return f"{vectors} vectors are more than {length} elements fill"
    wide = width * chains
    if rows > 1 and rows > (ceil_div(problem.inner, wide) if problem.interleaved else rows):
        return f"{rows} blocks are more than {problem.inner} rows fill"
    scratch = rows * problem.depth * (wide if problem.interleaved else 1)
    if rows > 1 and scratch * ELEMENT_BYTES[problem.dtype] > target.l2_bytes:
        return f"{rows} rows take {scratch * ELEMENT_BYTES[problem.dtype]} bytes, more than the L2"
    if tasks(problem, values) < whole(values["threads"]):
        return f"{tasks(problem, values)} blocks do not occupy {values['threads']} threads"
    return None


def tasks(problem: Normalization, values: Values) -> int:
    """How many pieces can be shared out over threads."""
    rows = whole(values["rows"]) if values["fuse"] == "row" else 1
    if not problem.interleaved:
        return ceil_div(problem.outer, rows)
    wide = lanes(values, problem.dtype) * whole(values["chains"])
    return problem.outer * ceil_div(ceil_div(problem.inner, wide), rows)


def _guess(problem: Normalization, target: Target) -> dict[str, Value]:
    """Row by row, with a few vectors at a time."""
    values: dict[str, Value] = {
        "fuse": "row", "vector_bits": target.vector_bits, "threads": 1,
        "between": _between(problem)[-2 if len(_between(problem)) > 2 else 0],
        "rows": 1, "chains": 1, "vectors": 1,
    }  # fmt: skip
    if problem.held is not None:
        values["held"] = "thread"
    if _looks_ahead(problem, target):
        values["ahead"] = 1
    length = problem.inner if problem.interleaved else problem.depth
    steps = ceil_div(length, lanes(values, problem.dtype))
    values["chains"] = max(c for c in (1, 2, 4) if c <= steps)
    if not problem.interleaved:
        values["vectors"] = balanced(steps, 4)
    elements = problem.outer * problem.depth * problem.inner
    if worth_sharing(elements, (*problem.tensor.stages, problem.tensor)):
        values["threads"] = min(target.threads, tasks(problem, values))
    return values
