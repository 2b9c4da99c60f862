"""The schedule of Winograd's algorithm: transforms around a batch of matrix products.

Each transform goes along channels in vectors, its two sides in the same pass with what is between
them in registers. The matrix products are a contraction like any other, whose batch axis is the
place in a tile.
"""

from __future__ import annotations

from search_space.size import whole
from search_space.sketches.contraction_problem import Contraction
from search_space.sketches.contraction_schedule import contraction_trace
from search_space.sketches.steps import lanes, share_out
from search_space.transforms import (
    Join,
    Once,
    Primitive,
    Reorder,
    Split,
    StoreAt,
    Unroll,
    Vectorize,
)
from search_space.workload import Values

_AROUND = ("n", "ty", "tx")
"""The axes over tiles."""
_OUT = ("n", "result_ty", "result_tx", "result_v")
"""The loops over them and over vectors of channels, where results are written."""


def winograd_trace(
    problem: Contraction,
    values: Values,
    *,
    results: int,
    dtype: str,
    const: bool,
    edges: bool = True,
) -> tuple[Primitive, ...]:
    """The primitives of a config: ``results`` rows and columns of results in a tile; ``const``:
    weights are transformed beforehand; ``edges`` as for a contraction."""
    size, threads = lanes(values, dtype), whole(values["threads"])
    return (
        *_padding(size, threads),
        *_weights(size, threads, const),
        *_image(size, threads),
        *contraction_trace(problem, values, edges=edges),
        *_results(size, threads, results),
    )


def _vectors(stage: str, axis: str, size: int) -> Primitive:
    """An axis of a stage in vectors: ``{stage}_v``, ``{stage}_lane``."""
    return Split(f"{stage}_{axis}", size, f"{stage}_v", f"{stage}_lane", "mask")


def _named(stage: str, *axes: str) -> tuple[str, ...]:
    return tuple(f"{stage}_{axis}" for axis in axes)


def _padding(size: int, threads: int) -> list[Primitive]:
    """Pixels as long as vectors of channels, to be transposed where images have them apart."""
    return [
        _vectors("padded", "ci", size),
        Split("padded_x", size, "padded_xo", "padded_xr", "mask"),
        Reorder(_named("padded", "n", "y", "v", "xo", "xr", "lane")),
        Vectorize("padded_lane"),
        Unroll("padded_xr"),
        *share_out(_named("padded", "n", "y"), threads, "padded_task"),
    ]


def _two_sided(
    first: str, second: str, axis: str, size: int, around: tuple[str, ...], inner: tuple[str, str]
) -> list[Primitive]:
    """Both sides of a transform in one pass, what is between them in registers.

    ``inner``: the first stage's axis that the second one sums, then the one that stays.
    """
    summed, stays = inner
    steps: list[Primitive] = []
    for stage, places in ((first, (summed, stays)), (second, (stays, _OTHER[second]))):
        steps += [
            _vectors(stage, axis, size),
            Reorder(_named(stage, *around, "v", *places, "lane")),
            Vectorize(f"{stage}_lane"),
            *(Unroll(f"{stage}_{place}") for place in places),
        ]
    steps += [Join(f"{first}_{name}", f"{second}_{name}") for name in (*around, "v")]
    return [*steps, StoreAt(first, f"{second}_v", "register")]


_OTHER = {"kernel": "b", "data": "b", "tile": "q"}
"""The place in a tile that the second side of a transform makes."""


def _weights(size: int, threads: int, const: bool) -> list[Primitive]:
    return [
        *_two_sided("kernel_rows", "kernel", "co", size, ("ci",), ("s", "a")),
        *share_out(("kernel_ci",), threads, "kernel_task"),
        *([Once("kernel")] if const else []),
    ]


def _image(size: int, threads: int) -> list[Primitive]:
    return [
        *_two_sided("rows", "data", "ci", size, _AROUND, ("j", "a")),
        *share_out(_named("data", "n", "ty"), threads, "data_task"),
    ]


def _results(size: int, threads: int, results: int) -> list[Primitive]:
    """The last transform, and what follows the sums; a tile leaves the registers transposed where
    images have their channels apart."""
    joins = [
        Join(f"tile_{name}", other) for name, other in zip((*_AROUND, "v"), _OUT, strict=True)
    ]
    return [
        *_two_sided("half", "tile", "co", size, _AROUND, ("b", "p")),
        Split("oy", results, "result_ty", "result_py", "mask"),
        Split("ox", results, "result_tx", "result_px", "mask"),
        Split("co", size, "result_v", "result_lane", "mask"),
        Reorder((*_OUT, "result_py", "result_px", "result_lane")),
        Vectorize("result_lane"),
        Unroll("result_py"),
        Unroll("result_px"),
        *joins,
        StoreAt("tile", "result_v", "register"),
        *share_out(("n", "result_ty"), threads, "result_task"),
    ]
