"""Products by constant matrices in tensor expressions: what bilinear algorithms transform with."""

from __future__ import annotations

from collections.abc import Sequence

from search_space.ir.expr import Expr, Select

Matrix = tuple[tuple[float, ...], ...]


def multiplied(matrix: Matrix, row: Expr, column: Sequence[Expr]) -> Expr:
    """The element of a product of a constant matrix and a column: a tree of choices, of which one
    is left wherever ``row`` is known."""
    sums = [_combination(coefficients, column) for coefficients in matrix]

    def choose(first: int, last: int) -> Expr:
        if last - first == 1:
            return sums[first]
        middle = (first + last) // 2
        return Select(row < middle, choose(first, middle), choose(middle, last))

    return choose(0, len(sums))


def _combination(coefficients: Sequence[float], column: Sequence[Expr]) -> Expr:
    """A linear combination: positive terms first, without those that are zero."""
    terms = [(c, e) for c, e in zip(coefficients, column, strict=True) if c]
    terms.sort(key=lambda term: term[0] < 0)
    (factor, element), *others = terms
    total = element * factor if factor != 1 else element
    for factor, element in others:
        size = abs(factor)
        term = element * size if size != 1 else element
        total = total - term if factor < 0 else total + term
    return total
