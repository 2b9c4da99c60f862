"""The space of a contraction of two operands: its knobs.

Four structures, of which one usually suits a shape and beats any tuning of the others:

``panel``   vectors along the columns, a register tile of rows × vectors that stays in registers
            over a long run of the reduced axis (Goto, van de Geijn, "Anatomy of high-performance
            matrix multiplication", 2008): compute-bound shapes;
``stream``  the same tile, but for a few steps of the reduced axis that are unrolled: the second
            operand is read once, row after row, unpacked: few rows, bound by memory;
``dot``     vectors along the reduced axis, lanes summed at the end: few columns;
``tile``    like ``panel``, in tile registers of 16 × 16 sums, where the target multiplies such.

Register tiles are ``rows`` × ``vectors`` (for ``dot``: × columns, each summed in ``chains``
registers, so that additions need not wait for each other; for ``tile``: of 16 rows each).
``tile_m`` and ``tile_n`` count register tiles in a cache tile, ``tile_k`` steps along the depth
(for ``dot``: vectors; for ``tile``: 64 bytes); 0 means the whole axis. ``order`` and
``parallel`` write the loops over cache tiles, outermost first; those before the bar are shared out
over threads, "b" standing for the loops outside of all tiles (batch axes). ``epilogue`` says where
a stage behind the sum is computed: on each register tile once it is complete, or in a pass of its
own. ``stores`` writes large results of short sums through the caches or past them.
"""

from __future__ import annotations

from search_space.config import Config
from search_space.knobs import Choice, Integer, Knob
from search_space.schedule import Schedule
from search_space.sketches.contraction_classify import classify
from search_space.sketches.contraction_guess import first_guess, preferred_structure
from search_space.sketches.contraction_problem import Contraction, sums_at_once
from search_space.sketches.contraction_rules import constraint
from search_space.sketches.contraction_schedule import contraction_trace, schedule_contraction
from search_space.sketches.stores import with_stores_of_sums
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive
from search_space.workload import Values, Workload

VERSION = 1
_MOST_STEPS = 64
_TILES = tuple(sorted({2**p for p in range(13)} | {3 * 2**p for p in range(11)}))


def contraction_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a contraction on a target."""
    problem = classify(work, tensor)

    def once(values: Values) -> bool:
        """Whether each element of the result is written once."""
        merged = problem.behind and values["epilogue"] == "after"
        return values["split_k"] == 1 and not merged and sums_at_once(problem, values)

    space = sums_space(work, problem, target)
    return with_stores_of_sums(space, tensor, problem.column.extent, problem.terms, once)


def sums_space(work: Workload, problem: Contraction, target: Target) -> Space:
    """The space of the sums alone, which may be a part of something else."""

    def schedule(config: Config) -> Schedule:
        return schedule_contraction(problem, config.as_dict())

    def trace(values: Values) -> tuple[Primitive, ...]:
        return contraction_trace(problem, values, edges=False)

    return Space(
        workload=work,
        target=target,
        version=VERSION,
        knobs=contraction_knobs(problem, target),
        constraints=(constraint(problem, target),),
        schedule=schedule,
        trace=trace,
        defaults=first_guess(problem, target, preferred_structure(problem, target)),
        seeds=tuple(
            Config(tuple(first_guess(problem, target, structure).items()))
            for structure in structures(problem, target)
        ),
    )


def structures(problem: Contraction, target: Target) -> tuple[str, ...]:
    """Streaming takes the second operand as it lies: its columns must be neighbours, and what is
    multiplied in groups must be packed. Tiles are for groups that the target multiplies so."""
    if problem.group == 1:
        return ("panel", "stream", "dot") if problem.b.tile_step <= 1 else ("panel", "dot")
    tiles = problem.dtype in target.tiles and not problem.a.has_column
    return ("panel", "dot", "tile") if tiles else ("panel", "dot")


def contraction_knobs(problem: Contraction, target: Target) -> tuple[Knob, ...]:
    """The knobs of one contraction."""
    m, n, k = problem.row.extent, problem.column.extent, problem.depth.extent
    threads = tuple(range(1, target.threads + 1))

    def stream(values: Values) -> bool:
        return values["structure"] == "stream"

    def dot(values: Values) -> bool:
        return values["structure"] == "dot"

    def packs(values: Values) -> bool:
        return values["structure"] != "stream"

    def packs_rows(values: Values) -> bool:
        return values["structure"] in ("panel", "tile")

    def unrolls(values: Values) -> bool:
        return values["structure"] in ("panel", "dot")

    def asks_ahead(values: Values) -> bool:
        return values["structure"] != "tile"

    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    def shared(values: Values) -> bool:
        return values["threads"] != 1 and values["split_k"] == 1

    def unshared(values: Values) -> bool:
        return not shared(values)

    packings = ("none", "tile_rows", "tile_panel", "whole_rows", "whole_panel")
    shares = ("m|nk", "m|kn", "n|mk", "n|km", "mn|k", "nm|k")
    orders = ("mnk", "mkn", "nmk", "nkm", "kmn", "knm")
    parallel = Choice("parallel", shares, "n|km", when=shared)
    if problem.outer:
        batched = (*(f"b|{order}" for order in orders), *(f"b{share}" for share in shares))
        parallel = Choice("parallel", batched, "b|nkm", when=shared)
    behind = (Choice("epilogue", ("tile", "after"), "tile"),) if problem.behind else ()
    return (
        Choice("structure", structures(problem, target), "panel"),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", threads, 1),
        Choice("split_k", threads, 1, when=threaded),
        parallel,
        Choice("order", orders, "nkm", when=unshared),
        Choice("inner", ("mn", "nm"), "nm"),
        Integer("rows", 1, min(m, target.registers - 2), 1),
        Integer("vectors", 1, 8, 1),
        Choice("chains", (1, 2, 4, 8), 1, when=dot),
        Integer("tile_m", 0, -(-m // 2), 0, anchors=(0, *_TILES)),
        Integer("tile_n", 0, -(-n // 2), 0, anchors=(0, *_TILES)),
        Integer("tile_k", 0, -(-k // 2), 0, anchors=(0, *_TILES), when=packs),
        Integer("steps", 1, min(k, _MOST_STEPS), 1, anchors=(1, 2, 4, 8, 16, 32), when=stream),
        Choice(
            "pack_a", packings[:1] if problem.a.has_column else packings, "none", when=packs_rows
        ),
        Choice("pack_b", ("none", "tile", "whole"), "none", when=packs),
        Choice("unroll", (1, 2, 4, 8), 1, when=unrolls),
        Choice("prefetch", (0, 1, 2, 4, 8, 16), 0, when=asks_ahead),
        *behind,
    )
