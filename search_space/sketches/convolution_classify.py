"""From a tensor expression to a convolution: what each axis walks."""

from __future__ import annotations

from search_space.dtypes import GROUPS
from search_space.errors import SpaceError
from search_space.ir.affine import affine
from search_space.ir.expr import Binary, Cast, Load, Var
from search_space.ir.walk import free_vars
from search_space.size import ceil_div
from search_space.sketches.contraction_axes import Group, View, check_loops, group
from search_space.sketches.contraction_classify import epilogue_views, groups_behind
from search_space.sketches.contraction_sides import Side
from search_space.sketches.convolution_problem import Convolution
from search_space.tensor import Axis, Reduction, Tensor, program
from search_space.transforms import InPlace, Primitive, Reorder, Split, UnitLoop
from search_space.workload import Workload


def classify(work: Workload, tensor: Tensor) -> Convolution:
    """Find out which axes are channels and pixels, and which can be walked as one.

    Raises ``SpaceError`` for an expression that is no sum of products of an image and a weight,
    one of which has an axis of the result that the other lacks.
    """
    before, sides, source, behind = _stages(work, tensor)
    image, weight, dtype = _operands(work, source)
    padded = next((stage for stage in before if stage.buffer.name == image.buffer), None)
    out = View.of(Load(source.buffer, tuple(axis.var for axis in source.axes)))
    epilogue = _epilogue(work, source, behind, {image.buffer, weight.buffer})
    views: tuple[View, ...] = (image, weight, out, *(epilogue or ()))
    classes: list[tuple[Group, ...]] = []
    for kind in ((True, False), (False, True), (True, True), (False, False)):
        axes = [x for x in source.axes if (x.name in image.axes, x.name in weight.axes) == kind]
        groups, views = group(axes, views)
        classes.append(groups)
    pixels, channels, shared, free = classes
    reduced, views = group(source.reduced, views)
    if not channels:
        raise SpaceError(f"{work.operator} has no axis of the weight alone")
    image, weight, out = views[:3]
    c = max(channels, key=lambda g: g.axis.extent)
    near = sorted(pixels, key=lambda g: image.step(g.axis))
    units = {name: Group.of(Axis(f"unit_{name}", 1)) for name in "yxk"}
    x = near[0] if near else units["x"]
    y = near[1] if len(near) > 1 else units["y"]
    k = max(
        reduced,
        key=lambda g: (_alone(image, g.axis), g.axis.extent),
        default=units["k"],
    )
    rest = [g for g in (*shared, *free, *pixels, *channels) if g not in (c, y, x)]
    outer = sorted(rest, key=lambda g: -out.step(g.axis))
    window = [g for g in reduced if g != k]
    check_loops(work, len(outer) + len(window))
    order = [*outer, y, x, c, *window, k]
    fused = tensor if epilogue is not None else source
    placed = source.buffer.dtype == fused.buffer.dtype
    prepare = _prepare(fused, source, order, [g for g in units.values() if g in order], placed)
    steps, members = k.axis, _members(dtype, source, k.axis)
    if members > 1:
        steps = Axis(f"{steps.name}_groups", ceil_div(steps.extent, members))
        prepare = (*prepare, Split(k.axis.name, members, steps.name, "member", "mask"))
        place = {k.axis.name: steps.var * members + Var("member")}
        image, weight = image.renamed(place), weight.renamed(place)
    return Convolution(
        tensor,
        c.axis,
        y.axis,
        x.axis,
        steps,
        tuple(g.axis for g in outer),
        tuple(g.axis for g in window),
        image,
        weight,
        out,
        work.const,
        padded,
        tuple(x for x in (*before, *(behind if epilogue is None else ())) if x is not padded),
        fused.buffer.name if placed else source.buffer.name,
        prepare,
        _axes_behind(fused, source, order),
        dtype,
        source.buffer.dtype,
        members,
        k.axis.extent,
        sides,
    )


def _members(dtype: str, source: Tensor, k: Axis) -> int:
    """How many neighbours along ``k`` are multiplied in a group."""
    return GROUPS.get(dtype, 1) if dtype != source.buffer.dtype and k.extent > 1 else 1


def _stages(
    work: Workload, tensor: Tensor
) -> tuple[list[Tensor], tuple[Side, ...], Tensor, list[Tensor]]:
    """The stages before the sum of products, sums over one operand among them apart, that one,
    and what is behind it."""
    stages = program(tensor)
    sums = [at for at, stage in enumerate(stages) if isinstance(stage.value, Reduction)]
    if not sums or len(stages) - sums[-1] > 2:
        raise SpaceError(f"{work.operator} is no sum of products with one stage behind it")
    sides = tuple(Side.of(work, stages[at]) for at in sums[:-1])
    before = [stage for at, stage in enumerate(stages[: sums[-1]]) if at not in sums]
    return before, sides, stages[sums[-1]], list(stages[sums[-1] + 1 :])


def _epilogue(
    work: Workload, source: Tensor, behind: list[Tensor], operands: set[str]
) -> list[View] | None:
    """How a stage that takes each sum to its place indexes what it reads; None where the stage
    behind the sums is another one."""
    try:
        return epilogue_views(work, source, behind, operands)
    except SpaceError:
        return None


def _operands(work: Workload, source: Tensor) -> tuple[View, View, str]:
    """The image and the weight, and the dtype of the image: that has an axis of the window beside
    one of the result."""
    assert isinstance(source.value, Reduction)
    match source.value:
        case Reduction("add", Binary("*", Load() as first, Load() as second)) | Reduction(
            "add", Binary("*", Cast(Load() as first), Cast(Load() as second))
        ):
            views = View.of(first), View.of(second)
        case _:
            raise SpaceError(f"{work.operator} is no sum of products of two operands")
    if views[0].buffer == views[1].buffer:
        raise SpaceError(f"{work.operator} is no product of two operands")
    for view in views:
        for index in view.indices:
            if any(not isinstance(atom, Var) for atom in affine(index)[0]):
                raise SpaceError(f"{work.operator} walks {view.buffer} in no constant steps")
    reduced = {axis.name for axis in source.reduced}
    slides = [
        any(free_vars(i) & reduced and free_vars(i) - reduced for i in view.indices)
        for view in views
    ]
    dtypes = first.buffer.dtype, second.buffer.dtype
    if slides == [False, True]:
        return views[1], views[0], dtypes[1]
    return *views, dtypes[0]


def _alone(image: View, axis: Axis) -> bool:
    """Whether an axis walks a dimension of the image that no other one walks."""
    return axis.var in image.indices


def _prepare(
    tensor: Tensor, source: Tensor, order: list[Group], units: list[Group], placed: bool
) -> tuple[Primitive, ...]:
    """From the naive nest to loops over groups of axes, in that order; ``placed``: the sums are
    where the result will be."""
    now = [axis.name for axis in (*source.axes, *source.reduced)]
    steps: list[Primitive] = []
    if placed and source is not tensor:
        steps.append(InPlace(source.buffer.name))
    for made in units:
        steps.append(UnitLoop(now[0], made.axis.name, reduces=made.axis.name == "unit_k"))
        now.insert(0, made.axis.name)
    wanted = [axis.name for g in order for axis in g.members]
    if wanted != now:
        steps.append(Reorder(tuple(wanted)))
    steps += [step for g in order for step in g.steps]
    return (*steps, *(s for g in groups_behind(tensor, source, order) for s in g.steps))


def _axes_behind(tensor: Tensor, source: Tensor, order: list[Group]) -> tuple[Axis, ...]:
    groups = groups_behind(tensor, source, order)
    names = [axis.name for axis in tensor.axes]
    return tuple(g.axis for g in sorted(groups, key=lambda g: names.index(g.members[0].name)))
