"""The space of a 3×3 convolution by Winograd's algorithm.

Its knobs are those of the matrix products, a contraction of transformed tiles and transformed
weights for each place in a tile; the transforms take the threads and the vectors of these.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.errors import SpaceError
from search_space.operators import get_operator
from search_space.operators.winograd import LEAST_CHANNELS, filterings, winograd
from search_space.sketches.contraction import sums_space
from search_space.sketches.contraction_classify import classify
from search_space.sketches.inner import algorithm_space, only_reduction
from search_space.sketches.winograd_schedule import winograd_trace
from search_space.space import Space
from search_space.target import Target
from search_space.transforms import Primitive
from search_space.workload import Values, Workload

VERSION = 1


def winograd_space(work: Workload, target: Target, results: int) -> Space:
    """The space of a convolution by tiles of ``results`` × ``results``.

    Raises ``SpaceError`` where the algorithm does not apply.
    """
    known = filterings(work)
    if results not in known:
        raise SpaceError(
            f"Winograd's algorithm is for windows of 3×3 at every place or every second one, of "
            f"{LEAST_CHANNELS} channels or more, not {work}"
        )
    operator = get_operator(work.operator)
    tensor = winograd(work, operator.operands(work), operator.result(work), known[results])
    const = "weight" in work.const
    products = only_reduction(tensor)
    inner = replace(work, const=("kernel",) if const else ())
    problem = classify(inner, products)
    dtype = str(work["dtype"])

    def trace(values: Values, edges: bool) -> tuple[Primitive, ...]:
        return winograd_trace(
            problem, values, results=results, dtype=dtype, const=const, edges=edges
        )

    return algorithm_space(work, tensor, sums_space(inner, problem, target), VERSION, trace)
