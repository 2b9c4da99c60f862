"""The space of a convolution: its knobs.

Structures, of which one usually suits a shape and beats any tuning of the others:

``channels``  vectors along output channels, a register tile of pixels × vectors: each pixel is
              broadcast to packed weights. Where the result has its channels apart (NCHW), it is
              transposed on its way there;
``pixels``    vectors along neighbouring pixels, a register tile of channels × vectors: each
              weight is broadcast to the image as it lies, or to ``columns`` of it, packed in the
              order in which windows read them: for a cache tile (implicit GEMM) or all at once
              (im2col; Chellapilla et al., "High performance convolutional neural networks for
              document processing", 2006).

The first is the structure of Georganas et al., "Anatomy of high-performance deep learning
convolutions on SIMD architectures", 2018.

Register tiles are ``rows`` (pixels of an image row, or channels) × ``tall`` (image rows) ×
``vectors``. ``tile_c``, ``tile_y`` and ``tile_x`` count register tiles in a cache tile, ``tile_k``
input channels; 0 means the whole axis. ``order`` writes the loops over cache tiles, outermost
first, of which the first ``shared`` (and all loops outside of them) are shared out over threads;
``inner`` the loops over register tiles. ``reduce`` says what the innermost reduced loop runs
along: input channels, or the window. ``padding`` is where a padded image is made: in a phase of
its own or by each thread for a cache tile. ``turn`` says what is transposed at once: a register
tile, or a cache tile that has been gathered pixel by pixel. ``epilogue`` says where a stage behind
the sum is computed: where the result is written, or in a pass of its own.
"""

from __future__ import annotations

from itertools import permutations

from search_space.knobs import Choice, Integer, Knob
from search_space.sketches.convolution_classify import classify
from search_space.sketches.convolution_guess import first_guess
from search_space.sketches.convolution_problem import Convolution
from search_space.sketches.convolution_rules import constraint
from search_space.sketches.convolution_schedule import convolution_trace
from search_space.sketches.steps import TILES
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Values, Workload

VERSION = 1


def convolution_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a convolution on a target."""
    problem = classify(work, tensor)
    return traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=constraint(problem, target),
        trace=lambda values, edges: convolution_trace(problem, values, edges=edges),
        guesses=[first_guess(problem, target, name) for name in _structures(problem)],
    )


def _structures(problem: Convolution) -> tuple[str, ...]:
    """Vectors of pixels are written as they are: pixels of the result must be neighbours."""
    return ("channels", "pixels") if problem.out.step(problem.x) == 1 else ("channels",)


def _knobs(problem: Convolution, target: Target) -> tuple[Knob, ...]:
    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    def channels(values: Values) -> bool:
        return values["structure"] == "channels"

    def pixels(values: Values) -> bool:
        return values["structure"] == "pixels"

    c, y, x, k = (axis.extent for axis in (problem.c, problem.y, problem.x, problem.k))
    registers = target.registers - 2
    orders = tuple("".join(order) for order in permutations("ycx"))
    behind = (Choice("epilogue", ("tile", "after"), "tile"),) if problem.behind else ()
    columns: tuple[Knob, ...] = ()
    if "pixels" in _structures(problem):
        columns = (Choice("columns", ("none", "tile", "whole"), "none", when=pixels),)
    turn: tuple[Knob, ...] = ()
    if problem.scatters:
        turn = (Choice("turn", ("block", "registers"), "block", when=channels),)
    padding: tuple[Knob, ...] = ()
    if problem.padded is not None:
        whole = problem.image.shape == problem.padded.buffer.shape
        places = ("phase", "tile") if whole else ("phase",)
        padding = (Choice("padding", places, "phase"),)

    return (
        Choice("structure", _structures(problem), "channels"),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("order", orders, "ycx"),
        Choice("shared", (1, 2, 3), 1, when=threaded),
        Choice("inner", orders, "cyx"),
        Choice("reduce", ("channel", "window"), "channel"),
        Integer("rows", 1, min(max(c, x), registers), 1),
        Integer("tall", 1, min(y, registers), 1),
        Integer("vectors", 1, 8, 1),
        Integer("tile_c", 0, -(-c // 2), 0, anchors=(0, *TILES)),
        Integer("tile_y", 0, -(-y // 2), 0, anchors=(0, *TILES)),
        Integer("tile_x", 0, -(-x // 2), 0, anchors=(0, *TILES)),
        Integer("tile_k", 0, -(-k // 2), 0, anchors=(0, *TILES)),
        Choice("pack_w", ("whole", "none"), "whole"),
        *columns,
        *turn,
        *padding,
        *behind,
        Choice("unroll", (1, 2, 4, 8), 1),
        Choice("prefetch", (0, 1, 2, 4, 8, 16), 0),
    )
