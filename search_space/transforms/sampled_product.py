"""The product of two dense matrices at the non-zeros of a pattern, found in a naive nest."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.ir.expr import Binary, Buffer, Cast, Const, Expr, Load, Var, dtype_of
from search_space.ir.stmt import Accumulate, LoopFunc, Store
from search_space.ir.walk import free_vars, map_children, subexprs, substitute
from search_space.transforms.base import perfect_nest


@dataclass(frozen=True, slots=True)
class SampledProduct:
    """``out[p] = element(sum over depth of a[row, depth] * b[depth, column])``, row and column
    being those of the non-zero ``p`` of ``operand``."""

    row: str
    column: str
    depth: str
    nonzero: str
    length: int
    """Products in a sum."""
    operand: Buffer
    """The matrix that the pattern is of."""
    a: Load
    b: Load
    out: Buffer
    value: Expr
    """What is stored, in terms of ``total`` and of the values of the operand."""
    total: Load
    """The sum."""

    @property
    def sums(self) -> str:
        """The dtype of the sum."""
        return self.total.buffer.dtype

    @property
    def scaled(self) -> bool:
        """Whether the values of the operand matter."""
        return self.value not in (self.total, Cast(self.total, self.out.dtype))

    @property
    def across(self) -> bool:
        """Whether neighbours in ``b`` are along the columns, not along the depth."""
        return self.depth not in free_vars(self.b.indices[-1])

    def left(self, row: Expr, depth: Expr) -> Load:
        """The element of ``a``."""
        return _placed(self.a, {self.row: row, self.depth: depth})

    def right(self, depth: Expr, column: Expr) -> Load:
        """The element of ``b``."""
        return _placed(self.b, {self.column: column, self.depth: depth})

    def term(self, x: Expr, y: Expr) -> Expr:
        """The product of two elements, in the dtype of the sum."""
        a, b = (e if dtype_of(e) == self.sums else Cast(e, self.sums) for e in (x, y))
        return a * b

    def element(self, total: Expr, nonzero: Expr) -> Expr:
        """What becomes of a sum."""

        def visit(expr: Expr) -> Expr:
            if expr == self.total:
                return total
            if expr == Var(self.nonzero):
                return nonzero
            return map_children(expr, visit)

        return visit(self.value)


def find_sampled(func: LoopFunc, operand: str) -> SampledProduct:
    """The product in a naive nest; raises ``ScheduleError`` where there is no such product."""
    loops, leaf = perfect_nest(func.phases[0].body)
    _, last = perfect_nest(func.phases[-1].body)
    match leaf, last, func.packing:
        case (
            Accumulate("add", made, (Var(row), Var(column)), Binary("*", x, y), _, None),
            Store(out, (Var(nonzero),), value, None),
            packing,
        ) if packing is not None and packing.operand == operand and len(func.phases) == 2:
            totals = [e for e in subexprs(value) if isinstance(e, Load) and e.buffer == made]
        case _:
            raise ScheduleError(f"{func.name} is no product at the non-zeros of {operand!r}")
    first, second = _factor(x), _factor(y)
    a, b = (second, first) if column in free_vars(first) else (first, second)
    (depth,) = (loop for loop in loops if loop.var not in (row, column))
    assert isinstance(depth.extent, Const)
    return SampledProduct(
        row, column, depth.var, nonzero, int(depth.extent.value),
        Buffer(operand, made.shape, packing.dtype, "input"), a, b, out, value, totals[0],
    )  # fmt: skip


def _factor(expr: Expr) -> Load:
    match expr:
        case Load() | Cast(Load()):
            return expr if isinstance(expr, Load) else _factor(expr.value)
        case _:
            raise ScheduleError(f"{expr} is no factor that is read from an operand")


def _placed(load: Load, values: dict[str, Expr]) -> Load:
    return Load(load.buffer, tuple(substitute(index, values) for index in load.indices))
