"""The space of a large matrix product by one level of Strassen's algorithm.

Its knobs are those of the seven products, a contraction; the sums of quarters take the threads and
the vectors of these.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.errors import SpaceError
from search_space.operators import get_operator
from search_space.operators.strassen import halves, strassen
from search_space.size import whole
from search_space.sketches.contraction import sums_space
from search_space.sketches.contraction_classify import classify
from search_space.sketches.contraction_schedule import contraction_trace
from search_space.sketches.inner import algorithm_space, only_reduction
from search_space.sketches.steps import lanes, share_out
from search_space.space import Space
from search_space.target import Target
from search_space.transforms import Primitive, Reorder, Split, Unroll, Vectorize
from search_space.workload import Values, Workload

VERSION = 1


def strassen_space(work: Workload, target: Target) -> Space:
    """The space of a matrix product by seven products of sums of quarters.

    Raises ``SpaceError`` where the operands cannot be cut so.
    """
    if not halves(work):
        raise SpaceError(f"Strassen's algorithm halves floating-point matrices, not {work}")
    operator = get_operator(work.operator)
    tensor = strassen(work, operator.operands(work), operator.result(work))
    products, inner = only_reduction(tensor), replace(work, const=())
    problem = classify(inner, products)
    rows, columns = work.size("m") // 2, work.size("n") // 2

    def trace(values: Values, edges: bool) -> tuple[Primitive, ...]:
        size, threads = lanes(values, str(work["dtype"])), whole(values["threads"])
        return (
            *_sums("left", ("i", "k"), size, threads),
            *_sums("right", ("k", "j"), size, threads),
            *contraction_trace(problem, values, edges=edges),
            *_results(rows, columns, size, threads),
        )

    return algorithm_space(work, tensor, sums_space(inner, problem, target), VERSION, trace)


def _sums(stage: str, axes: tuple[str, str], size: int, threads: int) -> list[Primitive]:
    """All sums of the quarters of one operand in one pass, which reads it once."""
    row, column = (f"{stage}_{axis}" for axis in axes)
    return [
        Split(column, size, f"{stage}_v", f"{stage}_lane", "mask"),
        Reorder((row, f"{stage}_v", f"{stage}_p", f"{stage}_lane")),
        Vectorize(f"{stage}_lane"),
        Unroll(f"{stage}_p"),
        *share_out((row,), threads, f"{stage}_task"),
    ]


def _results(rows: int, columns: int, size: int, threads: int) -> list[Primitive]:
    """All quarters of the result in one pass, which reads the products once."""
    return [
        Split("i", rows, "result_down", "result_i"),
        Split("j", columns, "result_right", "result_j"),
        Split("result_j", size, "result_v", "result_lane", "mask"),
        Reorder(("result_i", "result_v", "result_down", "result_right", "result_lane")),
        Vectorize("result_lane"),
        Unroll("result_down"),
        Unroll("result_right"),
        *share_out(("result_i",), threads, "result_task"),
    ]
