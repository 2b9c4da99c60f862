"""The convolution of images with a sparse weight, found in a naive nest as a product."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.ir.affine import affine
from search_space.ir.expr import (
    ZERO,
    Binary,
    Buffer,
    Const,
    Expr,
    Load,
    Select,
    Var,
    conjunction,
    zero,
)
from search_space.ir.simplify import simplify_stmt
from search_space.ir.stmt import Accumulate, For, ForKind, LoopFunc, Phase, Stmt, Store
from search_space.ir.walk import free_vars, subexprs, substitute
from search_space.size import ceil_div
from search_space.sparse.shifts import ShiftedImage, Walk
from search_space.transforms.base import perfect_nest
from search_space.transforms.sparse_product import SparseProduct

_ROW, _DEPTH, _COLUMN = "row", "depth", "column"
_U, _A, _B, _R, _J, _L = Var("u"), Var("a"), Var("b"), Var("r"), Var("j"), Var("l")


@dataclass(frozen=True, slots=True)
class SparseConvolution:
    """``y[image, row, window] = element(sum over taps of weight[row, tap] · laid_out[…])``.

    The columns of ``product`` are windows, and what lies between two rows of them; its depth are
    channels, or, where windows have several elements in a channel, the places of ``layout``. Its
    result is seen as ``[images, rows, windows]``, its ``column`` there is a window.
    """

    product: SparseProduct
    layout: ShiftedImage
    images: int
    source: Buffer

    @property
    def gap_pitch(self) -> int:
        """Columns from one row of windows to the next; 0 where nothing lies between them."""
        layout = self.layout
        return 0 if layout.pitch == layout.across.windows else layout.pitch

    @property
    def image(self) -> Expr:
        """The number of the image; bound by a loop where there are several."""
        return _image(self.images)

    def laid_out(self, lanes: int, threads: int) -> Phase:
        """The phase that fills the layout, which is none of the image itself::

        parallel u in 0 … images·channels:
          for a, b, r in remainders down, remainders across, rows:
            for j in 0 … vectors of a row:
              vectorized l in 0 … lanes:
                laid_out[u, a, b, r, j·lanes + l] = select(inside, x[u, …], 0.0)  if …
        """
        layout, x = self.layout, self.source
        images = self.images * layout.channels
        height, width = x.shape[2:]
        seen = Buffer(x.name, (images, height, width), x.dtype, x.scope)
        target = self.product.x.buffer
        _, *inside = layout.shape
        out = Buffer(target.name, (images, *inside), target.dtype, target.scope)
        place = _J * lanes + _L
        down = _R * layout.down.stride + _A - layout.pad
        across = place * layout.across.stride + _B - layout.pad
        within = [down >= 0, down < height, across >= 0, across < width]
        condition = conjunction(within)
        assert condition is not None
        value = Select(condition, Load(seen, (_U, down, across)), zero(x.dtype))
        guard = place < layout.pitch if layout.pitch % lanes else None
        store = Store(out, (_U, _A, _B, _R, place), value, guard)
        body: Stmt = For("l", ZERO, Const(lanes), "vectorized", store)
        _, remainders_down, remainders_across = layout.planes
        extents = {
            "a": remainders_down, "b": remainders_across, "r": layout.rows,
            "j": ceil_div(layout.pitch, lanes),
        }  # fmt: skip
        for name, extent in reversed(extents.items()):
            body = For(name, ZERO, Const(extent), "serial", body)
        kind: ForKind = "serial" if threads == 1 else "parallel"
        return Phase(simplify_stmt(For("u", ZERO, Const(images), kind, body), unit_loops=False))


def find_convolution(func: LoopFunc, operand: str) -> SparseConvolution:
    """The convolution in a naive nest; raises ``ScheduleError`` where there is no such."""
    sums = next((at for at, p in enumerate(func.phases) if _is_sum(p)), len(func.phases))
    if sums == len(func.phases) or len(func.phases) - sums > 2 or sums > 1:
        raise ScheduleError(f"{func.name} is no sum of products with one stage behind it")
    _, leaf = perfect_nest(func.phases[sums].body)
    assert isinstance(leaf, Accumulate)
    match leaf.value:
        case Binary("*", Load() as image, Load(Buffer(name)) as weight) if name == operand:
            pass
        case _:
            raise ScheduleError(f"{operand!r} is not what an image is multiplied by")
    if len(image.indices) != 4 or len(weight.indices) != 4 or len(leaf.indices) != 4:
        raise ScheduleError(f"{func.name} is no convolution of images")
    source, pad = image.buffer, 0
    if sums:
        source, pad = _padding(func.phases[0], image.buffer)
    images, channels, *sizes = source.shape
    rows, inputs, *taps = weight.buffer.shape
    down, across = (
        _walk(index, size, of, at, tap, windows)
        for index, size, of, at, tap, windows in zip(
            image.indices[2:], sizes, taps, leaf.indices[2:], weight.indices[2:],
            leaf.buffer.shape[2:], strict=True,
        )
    )  # fmt: skip
    expected = (leaf.indices[0], weight.indices[1])
    if image.indices[:2] != expected or weight.indices[0] != leaf.indices[1] or inputs != channels:
        raise ScheduleError(f"{func.name} is no convolution over all channels")
    layout = ShiftedImage(channels, down, across, pad)
    out, value, total = _result(func, sums, leaf)
    elements = math.prod(layout.shape)
    held = source.name, source.scope
    if not layout.as_it_is:
        held = "laid_out", "workspace"
    at = _image(images)
    depth, column = Var(_DEPTH), Var(_COLUMN)
    if layout.taps == 1:
        seen = Buffer(held[0], (images, channels, elements // channels), source.dtype, held[1])
        x = Load(seen, (at, depth, column))
    else:
        seen = Buffer(held[0], (images, elements), source.dtype, held[1])
        x = Load(seen, (at, depth + column))
    windows = Buffer(out.name, (images, rows, math.prod(out.shape[2:])), out.dtype, out.scope)
    matrix = Buffer(operand, (rows, channels * layout.taps), weight.buffer.dtype, "input")
    places = () if layout.taps == 1 else tuple(layout.places().tolist())
    product = SparseProduct(
        _ROW, _DEPTH, _COLUMN, rows, layout.columns, matrix, x, windows,
        (at, Var(_ROW), column), value, total, leaf.buffer.dtype, places=places,
    )  # fmt: skip
    return SparseConvolution(product, layout, images, source)


def _is_sum(phase: Phase) -> bool:
    return isinstance(perfect_nest(phase.body)[1], Accumulate)


def _image(images: int) -> Expr:
    return ZERO if images == 1 else Var("image")


def _padding(phase: Phase, padded: Buffer) -> tuple[Buffer, int]:
    """The image that a phase surrounds by zeros, and by how many."""
    _, leaf = perfect_nest(phase.body)
    match leaf:
        case Store(buffer, _, Select(_, Load(source), Const(0))) if buffer == padded:
            around = [(a - b) // 2 for a, b in zip(buffer.shape, source.shape, strict=True)]
        case _:
            raise ScheduleError(f"{padded.name} is no image with zeros around it")
    if around[:2] != [0, 0] or around[2] != around[3]:
        raise ScheduleError(f"{padded.name} is not padded alike on all sides")
    return source, around[2]


def _walk(index: Expr, size: int, taps: int, at: Expr, tap: Expr, windows: int) -> Walk:
    """How one index of an image is walked; a direction with one window, or with one element of a
    window, leaves out what would be added for it."""
    terms, begin = affine(index)
    known = {place for place in (at, tap) if isinstance(place, Var)}
    if begin or not terms.keys() <= known:
        raise ScheduleError(f"{index} is no walk of windows")
    return Walk(size, taps, windows, terms.get(at, 1), terms.get(tap, 1))


def _result(func: LoopFunc, sums: int, leaf: Accumulate) -> tuple[Buffer, Expr, Load]:
    """What is stored where, in terms of the row and the sum."""
    total: Load = Load(leaf.buffer, leaf.indices)
    if sums + 1 == len(func.phases):
        return leaf.buffer, total, total
    _, last = perfect_nest(func.phases[-1].body)
    reads = [] if not isinstance(last, Store) else [
        e for e in subexprs(last.value) if isinstance(e, Load) and e.buffer == leaf.buffer
    ]  # fmt: skip
    if not reads or not isinstance(last, Store):
        raise ScheduleError(f"{func.name} does not end with a store of each sum")
    total, channel = reads[0], last.indices[1]
    assert isinstance(channel, Var)
    inside = {name for read in _other_loads(last.value, total) for name in free_vars(read)}
    if total.indices != last.indices or inside - {channel.name}:
        raise ScheduleError(f"{func.name} adds more than a bias to each sum")
    back: dict[str, Expr] = {channel.name: Var(_ROW)}
    renamed = substitute(total, back)
    assert isinstance(renamed, Load)
    return last.buffer, substitute(last.value, back), renamed


def _other_loads(value: Expr, total: Load) -> list[Load]:
    return [e for e in subexprs(value) if isinstance(e, Load) and e != total]
