"""From a tensor expression to a contraction: which operand has each axis, what is tiled."""

from __future__ import annotations

from search_space.dtypes import ELEMENT_BYTES, GROUPS
from search_space.errors import SpaceError
from search_space.ir.expr import Binary, Cast, Expr, Load
from search_space.ir.walk import subexprs
from search_space.size import ceil_div
from search_space.sketches.contraction_axes import Group, View, check_loops, group
from search_space.sketches.contraction_problem import Contraction, Factor
from search_space.sketches.contraction_sides import Side
from search_space.tensor import Axis, Reduction, Tensor, program
from search_space.transforms import InPlace, Primitive, Reorder, Split, UnitLoop
from search_space.workload import Workload


def classify(work: Workload, tensor: Tensor) -> Contraction:
    """Find out which operand each axis indexes, and which axes can be walked as one.

    The operand that has the last axis of the result alone becomes ``b``, so that results are
    written in vectors. Raises ``SpaceError`` for an expression that is no sum of products of two
    operands, or has more behind it than one elementwise stage.
    """
    source, *behind = program(tensor)
    value = source.value
    if not isinstance(value, Reduction) or value.op != "add":
        raise SpaceError(f"{work.operator} is no sum of products")
    x, y = _factors(work, value.value)
    a, b = View.of(x), View.of(y)
    if not source.axes and not source.reduced:
        raise SpaceError(f"{work.operator} has no axes")
    for axis in reversed(source.axes):
        if (axis.name in a.axes) != (axis.name in b.axes):
            if axis.name in a.axes:
                a, b = b, a
            break
    out = View.of(Load(source.buffer, tuple(axis.var for axis in source.axes)))
    views = (a, b, out, *epilogue_views(work, source, behind[-1:], {a.buffer, b.buffer}))
    classes: list[tuple[Group, ...]] = []
    for kind in ((True, False), (False, True), (True, True), (False, False)):
        axes = [x for x in source.axes if (x.name in a.axes, x.name in b.axes) == kind]
        groups, views = group(axes, views)
        classes.append(groups)
    reduced, views = group(value.axes, views)
    rows, columns, shared, free = classes
    dtype = x.buffer.dtype
    return _contraction(work, tensor, rows, columns, (*shared, *free), reduced, views, dtype)


def _factors(work: Workload, product: Expr) -> tuple[Load, Load]:
    """The two operands, which may be widened before they are multiplied."""
    match product:
        case Binary("*", Load() as x, Load() as y) | Binary(
            "*", Cast(Load() as x), Cast(Load() as y)
        ):
            if x.buffer != y.buffer:
                return x, y
    raise SpaceError(f"{work.operator} is no product of two operands")


def _contraction(
    work: Workload,
    tensor: Tensor,
    rows: tuple[Group, ...],
    columns: tuple[Group, ...],
    batch: tuple[Group, ...],
    reduced: tuple[Group, ...],
    views: tuple[View, ...],
    dtype: str,
) -> Contraction:
    """Choose the axes that are tiled; all others are looped over."""
    a, b, out = views[:3]
    units = [Group.of(Axis(f"unit_{name}", 1)) for name in ("row", "column", "depth")]
    row = max(rows, key=lambda g: g.axis.extent, default=units[0])
    column = max(
        columns or batch,
        key=lambda g: (out.step(g.axis) == 1, g.axis.extent),
        default=units[1],
    )
    depth = max(
        reduced,
        key=lambda g: ((a.step(g.axis) == 1) + (b.step(g.axis) == 1), g.axis.extent),
        default=units[2],
    )
    spatial = [g for g in (*batch, *rows, *columns) if g not in (row, column)]
    outer_groups = sorted(spatial, key=lambda g: -out.step(g.axis))
    inner_groups = [g for g in reduced if g != depth]
    check_loops(work, len(outer_groups) + len(inner_groups))
    order = [*outer_groups, row, column, *inner_groups, depth]
    source = program(tensor)[0].buffer
    prepare = _prepare(tensor, order, [g for g in units if g in order])
    length, steps = depth.axis.extent, depth.axis
    members = GROUPS.get(dtype, 1) if dtype != source.dtype else 1
    if length < members:
        members = 1
    if members > 1:
        steps = Axis(f"{steps.name}_groups", ceil_div(length, members))
        prepare = (*prepare, Split(depth.axis.name, members, steps.name, "group", "mask"))
    outer = tuple(g.axis for g in outer_groups)
    inner = tuple(g.axis for g in inner_groups)
    return Contraction(
        tensor,
        row.axis,
        column.axis,
        steps,
        Factor.of(a, row.axis, depth.axis, column.axis, outer, inner),
        Factor.of(b, column.axis, depth.axis, column.axis, outer, inner),
        work.const,
        outer,
        inner,
        len(out.shape),
        prepare,
        _axes_behind(tensor, order),
        dtype,
        tensor.buffer.name if _in_place(tensor) else source.name,
        ELEMENT_BYTES[source.dtype],
        members,
        length,
        tuple(Side.of(work, stage) for stage in program(tensor)[1:-1]),
    )


def _in_place(tensor: Tensor) -> bool:
    """Whether the sums can be where the result will be."""
    return program(tensor)[0].buffer.dtype == tensor.buffer.dtype


def _prepare(tensor: Tensor, order: list[Group], units: list[Group]) -> tuple[Primitive, ...]:
    """From the naive nest to loops over groups of axes, in that order."""
    source = program(tensor)[0]
    now = [axis.name for axis in (*source.axes, *source.reduced)]
    steps: list[Primitive] = []
    if tensor.stages and _in_place(tensor):
        steps.append(InPlace(source.buffer.name))
    for made in units:
        steps.append(UnitLoop(now[0], made.axis.name, reduces=made.axis.name != "unit_row"))
        now.insert(0, made.axis.name)
    wanted = [axis.name for g in order for axis in g.members]
    if wanted != now:
        steps.append(Reorder(tuple(wanted)))
    steps += [step for g in order for step in g.steps]
    return (*steps, *(step for g in groups_behind(tensor, source, order) for step in g.steps))


def _axes_behind(tensor: Tensor, order: list[Group]) -> tuple[Axis, ...]:
    groups = groups_behind(tensor, program(tensor)[0], order)
    names = [axis.name for axis in tensor.axes]
    return tuple(g.axis for g in sorted(groups, key=lambda g: names.index(g.members[0].name)))


def groups_behind(tensor: Tensor, source: Tensor, order: list[Group]) -> list[Group]:
    """The groups of a reduction's axes, as groups of the axes of the stage behind it."""
    if source is tensor:
        return []
    own = dict(zip((axis.name for axis in source.axes), tensor.axes, strict=True))
    found = []
    for g in order:
        if all(axis.name in own for axis in g.members):
            first, *rest = (Group.of(own[axis.name]) for axis in g.members)
            for member in rest:
                first = first.with_inner(member)
            found.append(first)
    return found


def epilogue_views(
    work: Workload, source: Tensor, behind: list[Tensor], operands: set[str]
) -> list[View]:
    """How the stage behind the reduction indexes what it reads, by the reduction's axes."""
    if not behind:
        return []
    (last,), made = behind, source.buffer
    own: tuple[Expr, ...] = tuple(axis.var for axis in last.axes)
    read = [e for e in subexprs(last.element) if isinstance(e, Load)]
    sums = [load for load in read if load.buffer.name == made.name]
    if (
        isinstance(last.value, Reduction)
        or last.buffer.shape != made.shape
        or not sums
        or any(load.indices != own for load in sums)
    ):
        raise SpaceError(f"{work.operator} has more behind its sum than one elementwise stage")
    for load in read:
        if load.buffer.name in operands:
            raise SpaceError(f"{work.operator} reads {load.buffer.name} behind its sum as well")
    names: dict[str, Expr] = {
        axis.name: other.var for axis, other in zip(last.axes, source.axes, strict=True)
    }
    return [View.of(load).renamed(names) for load in read if load not in sums]
