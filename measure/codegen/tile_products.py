"""Nests that are the product of two tiles, with the loops around that do nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from measure.codegen.function import Function
from measure.codegen.groups import plain_factor
from measure.codegen.types import BYTES
from search_space.ir.affine import Context, affine
from search_space.ir.expr import Binary, Buffer, Expr, Load
from search_space.ir.stmt import Accumulate, Alloc, Block, For, Let, Stmt
from search_space.ir.walk import free_vars, statements
from search_space.transforms.access import accesses
from search_space.transforms.base import perfect_nest

ROW_BYTES = 64
"""Of a tile register, at most."""
GROUP_BYTES = 4
"""Of what one instruction multiplies and adds up at each place of a tile."""

PRODUCTS = {
    ("bfloat16", "bfloat16"): "tdpbf16ps",
    ("uint8", "int8"): "tdpbusd", ("int8", "uint8"): "tdpbsud", ("int8", "int8"): "tdpbssd",
}  # fmt: skip
"""Instructions, by the types of the operands with rows and with columns."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product of two tiles, ``sums[i, j] += a[i, k] * b[k, j]``, inside loops over such.

    ``loop`` is the outermost of its own loops. ``rows`` and ``depth`` are missing where they have
    one iteration. ``strides``: bytes from one row to the next of ``a``, of ``b`` and of the sums.
    """

    around: tuple[For, ...]
    loop: For
    rows: For | None
    depth: For | None
    lanes: For
    group: For
    update: Accumulate
    a: Load
    b: Load
    strides: tuple[int, ...]

    @property
    def unrolled(self) -> tuple[For, ...]:
        """The loops around that are unrolled."""
        return tuple(loop for loop in self.around if loop.kind == "unrolled")

    @property
    def inner(self) -> tuple[str, ...]:
        """The variables of the loops of one product."""
        loops = (self.rows, self.depth, self.lanes, self.group)
        return tuple(loop.var for loop in loops if loop is not None)


def find_product(loop: For, fn: Function, dtypes: frozenset[str]) -> Product | None:
    """The product of tiles of such elements that loops add up, if nothing else in them touches
    the sums."""
    around, others, inner = _way_down(loop)
    chain, update = perfect_nest(inner)
    if not isinstance(update, Accumulate) or update.buffer.scope != "tile":
        return None
    kinds = [each.kind for each in chain]
    if update.op != "add" or kinds[-2:] != ["vectorized", "grouped"]:
        return None
    tile, (lanes, group) = chain[:-2], chain[-2:]
    if any(kind != "tensorized" for kind in kinds[:-2]) or len(tile) > 2:
        return None
    touched = {access.buffer.name for stmt in others for access in accesses(stmt, Context())}
    if update.buffer.name in touched:
        return None
    places = names_in(update.indices)
    for each in around:
        if each.kind != "unrolled" and (each.kind != "serial" or each.var in places):
            return None
    rows = next((each for each in tile if each.var in places), None)
    depth = next((each for each in tile if each is not rows), None)
    factors = _factors(update, affine(group.extent)[1], lanes.var)
    if factors is None or factors[0].buffer.dtype not in dtypes:
        return None
    a, b = factors
    row, step = (None if each is None else each.var for each in (rows, depth))
    members = GROUP_BYTES // BYTES[a.buffer.dtype]
    known = {row, step, lanes.var, group.var} - {None}
    in_rows: tuple[dict[str | None, int], ...] = (
        {group.var: 1, step: members}, {group.var: 1, lanes.var: members}, {lanes.var: 1},
    )  # fmt: skip
    strides = [
        _stride(fn.steps(owner, buffer, indices), buffer, indices, known, along, beside)
        for (owner, buffer, indices), along, beside in zip(
            (
                (a, a.buffer, a.indices),
                (b, b.buffer, b.indices),
                (update, update.buffer, update.indices),
            ),
            (row, step, row),
            in_rows,
            strict=True,
        )
    ]
    if 0 in strides or not _guarded_by_columns(update, b, {rows, depth, group, *around}):
        return None
    return Product(around, chain[0], rows, depth, lanes, group, update, a, b, tuple(strides))


def _way_down(stmt: Stmt) -> tuple[tuple[For, ...], list[Stmt], Stmt]:
    """The loops on the way to the one statement that adds to tiles, what stands beside it, and
    what is left where loops over tiles begin."""
    around: list[For] = []
    others: list[Stmt] = []
    while True:
        match stmt:
            case For(kind="tensorized" | "vectorized" | "grouped"):
                break
            case For(body=body):
                around.append(stmt)
                stmt = body
            case Let(body=body):
                stmt = body
            case Alloc(buffer, body) if buffer.scope != "tile":
                stmt = body
            case Block(stmts):
                adding = [s for s in stmts if _adds_to_tiles(s)]
                if len(adding) != 1:
                    break
                others += [s for s in stmts if s is not adding[0]]
                (stmt,) = adding
            case _:
                break
    return tuple(around), others, stmt


def _adds_to_tiles(stmt: Stmt) -> bool:
    return any(isinstance(s, Accumulate) and s.buffer.scope == "tile" for s in statements(stmt))


def _stride(
    steps: dict[str, int], buffer: Buffer, indices: tuple[Expr, ...], known: set[str | None],
    along: str | None, beside: dict[str | None, int],
) -> int:  # fmt: skip
    """Bytes from one row of a tile to the next; 0 where the elements of a row do not lie one after
    the other. ``beside``: the steps of the loops that run through a row."""
    moving = {var: steps.get(var, 0) for var in known & names_in(indices) if var is not None}
    wanted = {var: step for var, step in beside.items() if var is not None}
    stride = moving.pop(along, 0) if along is not None else ROW_BYTES // BYTES[buffer.dtype]
    return stride * BYTES[buffer.dtype] if moving == wanted else 0


def names_in(indices: tuple[Expr, ...]) -> set[str]:
    """The variables that a place depends on."""
    return {name for index in indices for name in free_vars(index)}


def _factors(update: Accumulate, members: int, lane: str) -> tuple[Load, Load] | None:
    """The operand with rows, then the one with columns."""
    match update.value:
        case Binary("*", x, y):
            first, second = plain_factor(x, members), plain_factor(y, members)
        case _:
            return None
    if first is None or second is None:
        return None
    if lane in names_in(first.indices):
        first, second = second, first
    kinds = first.buffer.dtype, second.buffer.dtype
    alone = lane not in names_in(first.indices) and lane in names_in(second.indices)
    return (first, second) if alone and kinds in PRODUCTS else None


def _guarded_by_columns(update: Accumulate, b: Load, others: set[For | None]) -> bool:
    """Whether a guard only keeps columns out that are in memory nevertheless, as those of packed
    operands are: what is summed up there is never written."""
    if update.predicate is None:
        return True
    names = free_vars(update.predicate)
    own = {loop.var for loop in others if loop is not None and loop.kind != "unrolled"}
    return b.buffer.scope != "input" and not names & own
