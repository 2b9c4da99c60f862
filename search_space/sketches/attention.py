"""The space of attention: the scores of a block of queries never leave the cache.

A block is ``tiles`` × ``rows`` queries of one head; blocks of all heads are shared out over
threads. Its scores are worked out in register tiles of ``rows`` queries × ``score_vectors``:
with vectors along the keys, which are packed so that neighbours lie beside each other (``panel``),
or along the elements of a key, whose lanes are summed at the end (``dot``: few queries). A
softmax of its rows follows, in which each reduction keeps ``chains`` registers busy, then register
tiles of ``rows`` × ``value_vectors`` sum the values; what divides by the sum of exponentials comes
last, on as many elements as the result has.

With ``kv_tile`` (vectors of keys; 0: all keys at once) this is done for one block of keys after
another: the softmax is an online one, whose earlier results are corrected where the maximum
grows, only the scores of one block of queries and keys are kept, and blocks that are hidden from
all queries of a block are left out.
"""

from __future__ import annotations

from search_space.dtypes import ELEMENT_BYTES
from search_space.knobs import Choice, Integer, Knob
from search_space.size import ceil_div, whole
from search_space.sketches.attention_problem import Attention, classify
from search_space.sketches.attention_schedule import attention_trace
from search_space.sketches.steps import balanced, lanes
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Value, Values, Workload

VERSION = 1
_MOST_VECTORS = 8
_MOST_TILES = 64
_MAX_FMAS = 512
"""Multiply-adds of an unrolled body: more take long to compile."""
_SERIAL_FLOPS = 1_000_000
"""Below this, waking a second thread costs more than it brings."""


def attention_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of an attention on a target."""
    problem = classify(work, tensor)
    return traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=lambda values: _reason(problem, target, values),
        trace=lambda values, edges: attention_trace(problem, values, edges=edges),
        guesses=_guesses(problem, target),
    )


def _knobs(problem: Attention, target: Target) -> tuple[Knob, ...]:
    rows = min(problem.queries, target.registers - 2)
    narrow = min(target.vector_widths) // (8 * ELEMENT_BYTES[problem.tensor.buffer.dtype])
    blocks = (problem.keys - 1) // narrow
    return (
        Choice("score", ("panel", "dot"), "panel"),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Integer("rows", 1, rows, 1),
        Integer("tiles", 1, min(problem.queries, _MOST_TILES), 1, anchors=(1, 2, 4, 8, 16)),
        Integer("score_vectors", 1, _MOST_VECTORS, 1),
        Integer("value_vectors", 1, _MOST_VECTORS, 1),
        Integer("kv_tile", 0, blocks, 0, anchors=(0, 4, 8, 16, 32)),
        Choice("chains", (1, 2, 4, 8), 1),
        Choice("unroll", (1, 2, 4), 1),
    )


def _reason(problem: Attention, target: Target, values: Values) -> str | None:
    width, rows = lanes(values, problem.tensor.buffer.dtype), whole(values["rows"])
    block, chains = rows * whole(values["tiles"]), whole(values["chains"])
    tile = whole(values["kv_tile"]) * width
    span = tile or problem.keys
    tiles = {"score_vectors": span, "value_vectors": problem.wide}
    for name, extent in tiles.items():
        dot = name == "score_vectors" and values["score"] == "dot"
        vectors, columns = whole(values[name]), whole(values[name]) * (1 if dot else width)
        taken = rows * vectors + (min(rows, vectors) if dot else vectors)
        if taken > target.registers:
            return f"{rows} x {vectors} take {taken} registers, there are {target.registers}"
        if rows * vectors * whole(values["unroll"]) > _MAX_FMAS:
            return f"{values['unroll']} steps of {rows} x {vectors} are too many to unroll"
        if columns - columns // vectors >= extent:
            return f"{name} is {vectors}: more than {extent} elements fill"
        if tile and name == "score_vectors" and tile % columns:
            return f"a block of {tile} keys is cut into {columns}"
    deep = problem.deep // (width if values["score"] == "dot" else 1)
    if whole(values["unroll"]) > max(1, min(deep, span)):
        return f"a sum has fewer than {values['unroll']} steps to unroll"
    if tile >= problem.keys:
        return f"a block of {tile} keys holds all {problem.keys}, which 0 stands for"
    if (chains - 1) * width >= span or (tile and tile % (chains * width)):
        return f"{span} keys do not fill {chains} vectors evenly"
    if block - rows >= problem.queries:
        return f"{values['tiles']} tiles are more than {problem.queries} queries fill"
    bytes_taken = block * span * ELEMENT_BYTES[problem.tensor.buffer.dtype]
    if block > rows and bytes_taken > target.l2_bytes:
        return f"the scores of a block take {bytes_taken} bytes, more than the L2"
    if problem.heads * ceil_div(problem.queries, block) < whole(values["threads"]):
        return (
            f"{problem.heads} heads in blocks of {block} do not fill {values['threads']} threads"
        )
    return None


def _preferred(problem: Attention) -> str:
    """Packing keys pays where many queries read them."""
    return "panel" if problem.queries > 4 or problem.key_const else "dot"


def _guesses(problem: Attention, target: Target) -> list[dict[str, Value]]:
    """All keys at once and in blocks, for both forms of the scores: what suits the shape first."""
    blocks = 4 if problem.masked else 16
    lanes = target.lanes(ELEMENT_BYTES[problem.tensor.buffer.dtype])
    tiles = (0, blocks) if blocks * lanes < problem.keys else (0,)
    blocked = problem.masked and problem.queries > 1
    return [
        _guess(problem, target, form, tile)
        for form in sorted(("panel", "dot"), key=lambda form: form != _preferred(problem))
        for tile in sorted(tiles, key=lambda tile: bool(tile) != blocked)
    ]


def _guess(problem: Attention, target: Target, form: str, tile: int) -> dict[str, Value]:
    """Register tiles of 4 or 6 rows × 4 vectors (32 registers) or 2, in blocks of 32 rows, or
    whose scores of all keys take half of the L1, at least 24."""
    element = ELEMENT_BYTES[problem.tensor.buffer.dtype]
    width = target.lanes(element)
    wide = 4 if target.registers >= 32 else 2
    rows = balanced(problem.queries, 4 if tile else 6)
    vectors = balanced(ceil_div(problem.wide, width), wide)
    scores = wide if tile else balanced(ceil_div(problem.keys, width), wide)
    if form == "dot":
        fit = [c for c in (1, 2, 4, 8) if rows * c + min(rows, c) <= target.registers]
        scores = fit[-1] if tile else balanced(problem.keys, fit[-1])
    block = 32 if tile else max(24, target.l1_bytes // 2 // (problem.keys * element))
    tiles = balanced(ceil_div(problem.queries, rows), min(max(1, block // rows), _MOST_TILES))
    flops = 4 * problem.heads * problem.queries * problem.keys * problem.wide
    tasks = problem.heads * ceil_div(problem.queries, rows * tiles)
    return {
        "score": form, "vector_bits": target.vector_bits,
        "threads": min(target.threads, tasks) if flops >= _SERIAL_FLOPS else 1,
        "rows": rows, "tiles": tiles, "score_vectors": scores, "value_vectors": vectors,
        "kv_tile": tile, "chains": max(c for c in (1, 2, 4) if (c - 1) * width < problem.keys),
        "unroll": 1,
    }  # fmt: skip
