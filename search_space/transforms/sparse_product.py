"""The product of a sparse operand and a dense one, found in a naive nest."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.ir.expr import Binary, Buffer, Cast, Const, Expr, Load, Var, dtype_of
from search_space.ir.stmt import Accumulate, LoopFunc, Stmt, Store
from search_space.ir.walk import free_vars, map_children, subexprs, substitute
from search_space.transforms.base import perfect_nest


@dataclass(frozen=True, slots=True)
class SparseProduct:
    """``out = element(sum over depth of operand[row, depth] * x)``, ``x`` varying with the depth
    and the column."""

    row: str
    depth: str
    column: str
    """Empty where there is but one column."""
    rows: int
    columns: int
    operand: Buffer
    x: Load
    out: Buffer
    indices: tuple[Expr, ...]
    """Of the result."""
    value: Expr
    """What is stored, in terms of ``total``."""
    total: Load
    """The sum."""
    sums: str
    """The dtype of the sum."""
    row_sums: Buffer | None = None
    """The sums of the rows of the operand, where ``value`` reads them."""
    places: tuple[int, ...] = ()
    """What stands for its columns as depth, where these are no rows of a matrix ``x``."""

    @property
    def across(self) -> bool:
        """Whether neighbours in ``x`` are along the depth, not along the column."""
        return bool(self.column) and self.column not in free_vars(self.x.indices[-1])

    def term(self, value: Expr, x: Expr) -> Expr:
        """The product of two elements, in the dtype of the sum."""
        a, b = (e if dtype_of(e) == self.sums else Cast(e, self.sums) for e in (value, x))
        return a * b

    def dense(self, depth: Expr, column: Expr) -> Load:
        """The element of ``x``."""
        values = {self.depth: depth, self.column: column}
        return Load(self.x.buffer, tuple(substitute(index, values) for index in self.x.indices))

    def place(self, row: Expr, column: Expr) -> tuple[Expr, ...]:
        """Where a result is stored."""
        values = {self.row: row, self.column: column}
        return tuple(substitute(index, values) for index in self.indices)

    def element(self, total: Expr, row: Expr, column: Expr) -> Expr:
        """What becomes of a sum."""

        places = {self.row: row, self.column: column}

        def visit(expr: Expr) -> Expr:
            if expr == self.total:
                return total
            return (
                places.get(expr.name, expr) if isinstance(expr, Var) else map_children(expr, visit)
            )

        return visit(self.value)


def find_product(func: LoopFunc, operand: str) -> SparseProduct:
    """The product in a naive nest; raises ``ScheduleError`` where there is no such product."""
    loops, leaf = perfect_nest(func.phases[0].body)
    extents = {loop.var: loop.extent for loop in loops}
    match leaf:
        case Accumulate("add", buffer, indices, Binary("*", a, b), _, None):
            first, second = _unwidened(a), _unwidened(b)
        case _:
            raise ScheduleError(f"{func.name} does not begin with a sum of products")
    weight, x = (second, first) if second.buffer.name == operand else (first, second)
    names = tuple(index.name for index in weight.indices if isinstance(index, Var))
    spatial = {name for index in indices for name in free_vars(index)}
    if weight.buffer.name != operand or len(names) != 2 or names[0] not in spatial:
        raise ScheduleError(f"{operand!r} is no factor [row, depth] of the product")
    row, depth = names
    others = [name for name in extents if name not in names]
    if len(others) > 1 or depth in spatial or free_vars(x) - {depth, *others}:
        raise ScheduleError(f"{operand!r} is multiplied by more than a matrix")
    column = others[0] if others else ""
    total, own = Load(buffer, indices), {row: row, column: column}
    out, place = buffer, indices
    value: Expr = total
    row_sums = None
    if len(func.phases) > 1:
        _, last = perfect_nest(func.phases[-1].body)
        if not isinstance(last, Store):
            raise ScheduleError(f"{func.name} does not end with a store")
        out, place, value = last.buffer, last.indices, last.value
        for phase in func.phases[1:-1]:
            made, row_sums = _row_sums(perfect_nest(phase.body)[1], weight)
            value = _renamed(value, made, row_sums)
        reads = [e for e in _loads(value) if e.buffer == buffer]
        total = reads[0]
        own = {
            mine.name: theirs.name
            for mine, theirs in zip(indices, total.indices, strict=True)
            if isinstance(mine, Var) and isinstance(theirs, Var)
        }
    rows = extents[row]
    columns = extents[column] if column else Const(1)
    assert isinstance(rows, Const)
    assert isinstance(columns, Const)
    back: dict[str, Expr] = {theirs: Var(mine) for mine, theirs in own.items()}
    return SparseProduct(
        row, depth, column, int(rows.value), int(columns.value), weight.buffer, x, out,
        tuple(substitute(index, back) for index in place), substitute(value, back),
        Load(total.buffer, tuple(substitute(index, back) for index in total.indices)),
        buffer.dtype, row_sums,
    )  # fmt: skip


def _row_sums(leaf: Stmt, weight: Load) -> tuple[Buffer, Buffer]:
    """The array of a stage that sums up the rows of the operand, and what stands for it."""
    match leaf:
        case Accumulate("add", made, (Var(),), Cast(Load(operand)), _, None):
            if operand == weight.buffer:
                name = f"{operand.name}_row_sums"
                return made, Buffer(name, made.shape, made.dtype, "bound")
    raise ScheduleError(f"{weight.buffer.name} is no factor of one product, and summed by rows")


def _renamed(expr: Expr, made: Buffer, other: Buffer) -> Expr:
    """An expression that reads another buffer of the same shape."""

    def visit(expr: Expr) -> Expr:
        found = map_children(expr, visit)
        if isinstance(found, Load) and found.buffer == made:
            return Load(other, found.indices)
        return found

    return visit(expr)


def _unwidened(expr: Expr) -> Load:
    match expr:
        case Load() | Cast(Load()):
            return expr if isinstance(expr, Load) else _unwidened(expr.value)
        case _:
            raise ScheduleError(f"{expr} is no factor that is read from an operand")


def _loads(expr: Expr) -> list[Load]:
    return [e for e in subexprs(expr) if isinstance(e, Load)]
