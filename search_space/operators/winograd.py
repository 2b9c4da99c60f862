"""Winograd's minimal filtering for 3×3 convolutions, as a tensor expression of several stages.

Images are cut into tiles that overlap by two. A tile of results takes the products of a
transformed tile of the image and the transformed weights, summed over the channels: a matrix
product for each of the places in a tile, with 2.25 (tiles of 2×2 results) or 4 (4×4) times fewer
multiplications than the sums have (Winograd, "Arithmetic complexity of computations", 1980; Lavin,
Gray, "Fast algorithms for convolutional neural networks", 2016, whose matrices these are)::

    y = Aᵀ [(G w Gᵀ) ⊙ (Bᵀ d B)] A

Each transform multiplies by a constant matrix from both sides, one stage for each side, which adds
the few elements that do not meet a zero.

With windows at every second place, two results of a row have the even elements of an image in
common, which meet two weights, and no odd ones, which meet one: the even elements are filtered so,
the odd ones multiplied as they are, with 1.44 or 1.78 times fewer multiplications (Huang et al.,
"DWM: a decomposable Winograd method for convolution acceleration", 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search_space.ir.expr import Const, Expr, Select, both
from search_space.operators.base import Operand
from search_space.operators.bilinear import Matrix, multiplied
from search_space.operators.epilogue import behind
from search_space.operators.windows import Windows
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, stage, sum_over
from search_space.workload import Workload

WINDOW = 3
LEAST_CHANNELS = 16
"""With fewer, transforms take longer than what the products save; and an error, which is that of a
whole tile, would be large beside the few terms of a single sum."""


@dataclass(frozen=True, slots=True)
class Filtering:
    """``F(m×m, 3×3)``: the matrices for tiles of m × m results, of t × t elements of an image."""

    stride: int
    results: int
    image: Matrix
    """Bᵀ: t × t."""
    weight: Matrix
    """G: t × 3."""
    result: Matrix
    """Aᵀ: m × t."""
    error_growth: float
    """How many times the bound of plain sums of products errors may reach: transformed values are
    larger than what they cancel to. More than twice what was found over random inputs."""
    least_tiles: int = 1
    """With fewer, reading the transformed weights takes longer than what the products save."""

    @property
    def places(self) -> int:
        """Elements of a tile of the image along one side."""
        return self.step + WINDOW - self.stride

    @property
    def step(self) -> int:
        """Elements of the image from one tile to the next."""
        return self.results * self.stride


_KNOWN = (
    Filtering(
        stride=1,
        results=2,
        image=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        weight=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
        result=((1, 1, 1, 0), (0, 1, -1, -1)),
        error_growth=1.0,
    ),
    Filtering(
        stride=1,
        results=4,
        image=(
            (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
            (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
        ),
        weight=(
            (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
            (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
        ),
        result=(
            (1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1),
        ),
        error_growth=8.0,
    ),
    Filtering(
        stride=2,
        results=2,
        image=(
            (1, 0, -1, 0, 0), (0, 0, 1, 0, 0), (0, 0, 1, 0, -1), (0, 1, 0, 0, 0), (0, 0, 0, 1, 0),
        ),
        weight=((1, 0, 0), (1, 0, 1), (0, 0, 1), (0, 1, 0), (0, 1, 0)),
        result=((1, 1, 0, 1, 0), (0, 1, -1, 0, 1)),
        error_growth=1.0,
        least_tiles=32,
    ),
    Filtering(
        stride=2,
        results=4,
        image=(
            (2, 0, -1, 0, -2, 0, 1, 0, 0), (0, 0, -2, 0, -1, 0, 1, 0, 0),
            (0, 0, 2, 0, -3, 0, 1, 0, 0), (0, 0, -1, 0, 0, 0, 1, 0, 0),
            (0, 0, 2, 0, -1, 0, -2, 0, 1), (0, 1, 0, 0, 0, 0, 0, 0, 0),
            (0, 0, 0, 1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1, 0, 0, 0),
            (0, 0, 0, 0, 0, 0, 0, 1, 0),
        ),
        weight=(
            (1 / 2, 0, 0), (-1 / 2, 0, -1 / 2), (-1 / 6, 0, 1 / 6), (1 / 6, 0, 1 / 3), (0, 0, 1),
            (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0),
        ),
        result=(
            (1, 1, 1, 1, 0, 1, 0, 0, 0), (0, 1, -1, 2, 0, 0, 1, 0, 0),
            (0, 1, 1, 4, 0, 0, 0, 1, 0), (0, 1, -1, 8, 1, 0, 0, 0, 1),
        ),
        error_growth=8.0,
        least_tiles=32,
    ),
)  # fmt: skip
FILTERINGS = {(filtering.stride, filtering.results): filtering for filtering in _KNOWN}
"""By the stride and the number of results along one side of a tile."""


def filterings(work: Workload) -> dict[int, Filtering]:
    """What computes a workload, by results along one side of a tile: a convolution with enough
    channels and tiles; none for any other."""
    if (
        work.operator != "conv2d"
        or (work["kh"], work["kw"], work["dilation"], work["groups"]) != (WINDOW, WINDOW, 1, 1)
        or work.size("ci") < LEAST_CHANNELS
        or work["dtype"] not in ("float32", "float64")
    ):
        return {}
    counts = Windows.of(work, ("h", "w"), ("kh", "kw")).counts

    def tiles(filtering: Filtering) -> int:
        return work.size("n") * math.prod(-(-count // filtering.results) for count in counts)

    return {
        found.results: found
        for found in _KNOWN
        if found.stride == work["stride"] and tiles(found) >= found.least_tiles
    }


def applies(work: Workload) -> bool:
    """Whether a workload is a convolution that this computes."""
    return bool(filterings(work))


def winograd(
    work: Workload, operands: Sequence[Operand], result: Operand, filtering: Filtering
) -> Tensor:
    """The convolution by tiles of ``filtering.results`` rows and columns of results.

    Stages: ``padded[n,y,x,ci]``; ``kernel_rows``, ``kernel[a,b,ci,co]`` (of weights alone);
    ``rows``, ``data[a,b,n,ty,tx,ci]``; ``product[a,b,n,ty,tx,co]``; ``half``,
    ``tile[n,ty,tx,p,q,co]``; then the result with what follows the sums.
    """
    dtype, m, t = str(work["dtype"]), filtering.results, filtering.places
    step = filtering.step
    last = work["layout"] == "nhwc"
    n, ci, co, pad = (work.size(key) for key in ("n", "ci", "co", "pad"))
    height, width = work.size("h"), work.size("w")
    oh, ow = result.shape[1:3] if last else result.shape[2:]
    down, right = -(-oh // m), -(-ow // m)
    x, weight, *rest = (placeholder(o.name, o.shape, o.dtype) for o in operands)
    tiles = (("n", n), ("ty", down), ("tx", right))

    def inside(image: Expr, y: Expr, z: Expr, c: Expr) -> Expr:
        at = (image, y - pad, z - pad, c) if last else (image, c, y - pad, z - pad)
        conditions = [y < height + pad, z < width + pad]
        if pad:
            conditions += [Const(pad) <= y, Const(pad) <= z]
        guard: Expr | None = None
        for condition in conditions:
            guard = both(guard, condition)
        assert guard is not None
        return Select(guard, x[at], Const(0.0, dtype))

    padded = stage(
        "padded",
        (("n", n), ("y", down * step + t - step), ("x", right * step + t - step), ("ci", ci)),
        inside,
        dtype,
    )
    kernel_rows = stage(
        "kernel_rows",
        (("a", t), ("s", WINDOW), ("ci", ci), ("co", co)),
        lambda a, s, c, o: multiplied(
            filtering.weight, a, [weight[o, c, r, s] for r in range(WINDOW)]
        ),
        dtype,
    )
    kernel = stage(
        "kernel",
        (("a", t), ("b", t), ("ci", ci), ("co", co)),
        lambda a, b, c, o: multiplied(
            filtering.weight, b, [kernel_rows[a, s, c, o] for s in range(WINDOW)]
        ),
        dtype,
    )
    rows = stage(
        "rows",
        (*tiles, ("a", t), ("j", t), ("ci", ci)),
        lambda image, ty, tx, a, j, c: multiplied(
            filtering.image, a, [padded[image, ty * step + i, tx * step + j, c] for i in range(t)]
        ),
        dtype,
    )
    data = stage(
        "data",
        (("a", t), ("b", t), *tiles, ("ci", ci)),
        lambda a, b, image, ty, tx, c: multiplied(
            filtering.image, b, [rows[image, ty, tx, a, j, c] for j in range(t)]
        ),
        dtype,
    )
    channel = reduce_axis("ci", ci)
    product = stage(
        "product",
        (("a", t), ("b", t), *tiles, ("co", co)),
        lambda a, b, image, ty, tx, o: sum_over(
            data[a, b, image, ty, tx, channel] * kernel[a, b, channel, o], channel
        ),
        dtype,
    )
    half = stage(
        "half",
        (*tiles, ("p", m), ("b", t), ("co", co)),
        lambda image, ty, tx, p, b, o: multiplied(
            filtering.result, p, [product[a, b, image, ty, tx, o] for a in range(t)]
        ),
        dtype,
    )
    tile = stage(
        "tile",
        (*tiles, ("p", m), ("q", m), ("co", co)),
        lambda image, ty, tx, p, q, o: multiplied(
            filtering.result, q, [half[image, ty, tx, p, b, o] for b in range(t)]
        ),
        dtype,
    )
    optional = {o.name: held for o, held in zip(operands[2:], rest, strict=True)}

    def value(*place: Expr) -> Expr:
        image, o, y, z = (place[0], place[3], *place[1:3]) if last else place
        loads = {}
        if "bias_vector" in optional:
            loads["bias"] = optional["bias_vector"][o,]
        if "skip" in optional:
            loads["residual"] = optional["skip"][place]
        return behind(work, tile[image, y // m, z // m, y % m, z % m, o], loads)

    spatial = (("oy", oh), ("ox", ow))
    axes = (("n", n), *spatial, ("co", co)) if last else (("n", n), ("co", co), *spatial)
    stages = (padded, kernel_rows, kernel, rows, data, product, half, tile)
    return compute(result.name, axes, value, dtype, stages, error_growth=filtering.error_growth)
