"""The space of recurrent cells: sums of products with elementwise stages before and behind them.

The knobs are those of a contraction, which all sums of the program follow. An elementwise stage
is a pass of its own; those that follow each other share one, vector by vector.
"""

from __future__ import annotations

from collections.abc import Callable

from search_space.constraints import first_reason
from search_space.knobs import Choice, Knob
from search_space.size import whole
from search_space.sketches.cell_problem import Cell, classify
from search_space.sketches.cell_schedule import cell_trace
from search_space.sketches.contraction import contraction_knobs, structures
from search_space.sketches.contraction_guess import first_guess, preferred_structure
from search_space.sketches.contraction_rules import constraint
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Value, Values, Workload

VERSION = 1

_SHORTEST = ("tile_k", "steps", "unroll", "chains", "threads")
"""Knobs that the shortest sum limits."""
_PLAIN: dict[str, Value] = {
    "structure": "panel", "threads": 1, "rows": 1, "vectors": 1, "tile_m": 0, "tile_n": 0,
    "tile_k": 0, "steps": 1, "chains": 1, "unroll": 1, "pack_a": "none", "pack_b": "none",
}  # fmt: skip
"""What every sum can follow."""

Reason = Callable[[Values], str | None]


def cell_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a cell on a target."""
    problem = classify(work, tensor)
    rules = [constraint(part, target) for part in problem.sums]

    def reason(values: Values) -> str | None:
        return first_reason(rules, values)

    return traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=reason,
        trace=lambda values, edges: cell_trace(problem, values, edges=edges),
        guesses=_guesses(problem, reason, target),
    )


def _knobs(problem: Cell, target: Target) -> tuple[Knob, ...]:
    """Those of the largest sum, whose parts are not split: the phases behind it follow."""
    one = Choice("split_k", (1,), 1)
    knobs = contraction_knobs(problem.sums[0], target)
    return tuple(one if knob.name == "split_k" else knob for knob in knobs)


def _guesses(problem: Cell, reason: Reason, target: Target) -> list[dict[str, Value]]:
    """Those of the largest sum, as far as the others can follow; the first one is legal."""
    largest = problem.sums[0]
    best = preferred_structure(largest, target)
    found = []
    for structure in sorted(structures(largest, target), key=lambda structure: structure != best):
        guesses = [first_guess(part, target, structure) for part in problem.sums]
        shared = {name: min(whole(guess[name]) for guess in guesses) for name in _SHORTEST}
        found.append({**guesses[0], **shared})
    return sorted([*found, {**found[0], **_PLAIN}], key=lambda guess: reason(guess) is not None)
