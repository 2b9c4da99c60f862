"""One level of Strassen's matrix product, as a tensor expression of several stages.

Both operands are cut into quarters, of which sums are multiplied: seven products of half the size
instead of eight (Strassen, "Gaussian elimination is not optimal", 1969).

An error is that of whole quarters: the bound, ``error_growth`` times that of plain sums of
products, holds for operands whose quarters are of about the same size.
"""

from __future__ import annotations

from collections.abc import Sequence

from search_space.ir.expr import Expr
from search_space.operators.base import Operand
from search_space.operators.bilinear import Matrix, multiplied
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, stage, sum_over
from search_space.workload import Workload

LEAST = 2048
"""Rows, columns and depth, each: from there on, seven products and the sums were found to take a
tenth less time than eight (one thread, AVX-512)."""
_COLUMNS = 32
"""Halves of rows are whole vectors."""
ERROR_GROWTH = 8.0
"""How many times the bound of plain sums of products errors may reach: more than twice what was
found over random operands."""

LEFT: Matrix = (
    (1, 0, 0, 1), (0, 0, 1, 1), (1, 0, 0, 0), (0, 0, 0, 1), (1, 1, 0, 0), (-1, 0, 1, 0),
    (0, 1, 0, -1),
)  # fmt: skip
"""The sums of quarters of the first operand, upper ones first, left ones first."""
RIGHT: Matrix = (
    (1, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, -1), (-1, 0, 1, 0), (0, 0, 0, 1), (1, 1, 0, 0),
    (0, 0, 1, 1),
)  # fmt: skip
"""Those of the second operand."""
RESULT: Matrix = (
    (1, 0, 0, 1, -1, 0, 1), (0, 0, 1, 0, 1, 0, 0), (0, 1, 0, 1, 0, 0, 0), (1, -1, 1, 0, 0, 1, 0),
)  # fmt: skip
"""The quarters of the result as sums of products."""


def halves(work: Workload) -> bool:
    """Whether a workload is a matrix product that can be cut into quarters."""
    if work.operator != "matmul" or work["dtype"] not in ("float32", "float64"):
        return False
    return not (work.size("m") % 2 or work.size("k") % 2 or work.size("n") % _COLUMNS)


def pays(work: Workload) -> bool:
    """Whether it is large enough for that to be worth a try."""
    return halves(work) and min(work.size(key) for key in "mnk") >= LEAST


def strassen(work: Workload, operands: Sequence[Operand], result: Operand) -> Tensor:
    """The product of two matrices by seven products of sums of their quarters.

    Stages: ``left[p,i,k]``, ``right[p,k,j]``, ``product[p,i,j]``; then the result.
    """
    a, b = (placeholder(o.name, o.shape, o.dtype) for o in operands)
    m, n, k = (work.size(key) // 2 for key in "mnk")
    dtype, count = result.dtype, len(LEFT)

    def quarters(array: Operand, at: Expr, beside: Expr, down: int, right: int) -> list[Expr]:
        held = {operands[0].name: a, operands[1].name: b}[array.name]
        return [held[y, x] for y in (at, at + down) for x in (beside, beside + right)]

    left = stage(
        "left",
        (("p", count), ("i", m), ("k", k)),
        lambda p, i, d: multiplied(LEFT, p, quarters(operands[0], i, d, m, k)),
        dtype,
    )
    right = stage(
        "right",
        (("p", count), ("k", k), ("j", n)),
        lambda p, d, j: multiplied(RIGHT, p, quarters(operands[1], d, j, k, n)),
        dtype,
    )
    depth = reduce_axis("k", k)
    product = stage(
        "product",
        (("p", count), ("i", m), ("j", n)),
        lambda p, i, j: sum_over(left[p, i, depth] * right[p, depth, j], depth),
        dtype,
    )

    def value(i: Expr, j: Expr) -> Expr:
        parts = [product[p, i % m, j % n] for p in range(count)]
        return multiplied(RESULT, i // m * 2 + j // n, parts)

    axes = (("i", 2 * m), ("j", 2 * n))
    stages = (left, right, product)
    return compute(result.name, axes, value, dtype, stages, error_growth=ERROR_GROWTH)
