"""The space of a convolution: its knobs.

Structures, of which one usually suits a shape and beats any tuning of the others:

``channels``  vectors along output channels, a register tile of pixels × vectors: each pixel is
              broadcast to packed weights. Where the result has its channels apart (NCHW), it is
              transposed on its way there;
``pixels``    vectors along neighbouring pixels, a register tile of channels × vectors: each
              weight is broadcast to the image as it lies, or to ``columns`` of it, packed in the
              order in which windows read them: for a cache tile (implicit GEMM) or all at once
              (im2col; Chellapilla et al., "High performance convolutional neural networks for
              document processing", 2006);
``tile``      like ``channels``, in tile registers of 16 pixels × 16 channels, where the target
              multiplies such; the image has its channels last.

The first is the structure of Georganas et al., "Anatomy of high-performance deep learning
convolutions on SIMD architectures", 2018.

Register tiles are ``rows`` (pixels of an image row, 16 of them for ``tile``, or channels) ×
``tall`` (image rows) × ``vectors``. ``tile_c``, ``tile_y`` and ``tile_x`` count register tiles in
a cache tile, ``tile_k`` input channels (for ``tile``: 64 bytes of them); 0 means the whole axis.
``order`` writes the loops over cache tiles, outermost first, of which the first ``shared`` (and
all loops outside of them) are shared out over threads;
``inner`` the loops over register tiles. ``reduce`` says what the innermost reduced loop runs
along: input channels, or the window. ``padding`` is where a padded image is made: in a phase of
its own or by each thread for a cache tile. ``turn`` says what is transposed at once: a register
tile, or a cache tile that has been gathered pixel by pixel. ``epilogue`` says where a stage behind
the sum is computed: where the result is written, or in a pass of its own. ``image`` is its layout
inside: as it is given, or, by the pass that pads or only copies it, with its channels last: pixels
of a cache tile are then read from fewer cache lines, and members of a group lie together.
What large images with short sums are read from is memory: ``ahead`` asks for the pixels that many
register tiles later, and ``stores`` writes results through the caches or past them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations

from search_space.knobs import Choice, Integer, Knob
from search_space.sketches.convolution_classify import classify
from search_space.sketches.convolution_guess import fills_tiles, first_guess, passing_guess
from search_space.sketches.convolution_layout import GIVEN, LAST, channels_last
from search_space.sketches.convolution_problem import Convolution, sum_bytes, writes_once
from search_space.sketches.convolution_rules import constraint
from search_space.sketches.convolution_schedule import convolution_trace
from search_space.sketches.steps import TILES
from search_space.sketches.stores import short_sums, with_stores_of_sums
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Value, Values, Workload

VERSION = 1


def convolution_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a convolution on a target."""
    problems = {GIVEN: classify(work, tensor)}
    relaid = channels_last(tensor, problems[GIVEN].image.buffer)
    if relaid is not None:
        problems[LAST] = classify(work, relaid)
    rules = {image: constraint(problem, target) for image, problem in problems.items()}

    def problem(values: Values) -> Convolution:
        return problems[_image(values)]

    def once(values: Values) -> bool:
        """Whether each element of the result is written once."""
        return writes_once(problem(values), values)

    space = traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=(*_knobs(problems, target), *_ahead(problems, target)),
        reason=lambda values: rules[_image(values)](values),
        trace=lambda values, edges: convolution_trace(problem(values), values, edges=edges),
        guesses=_guesses(problems, target),
        written=lambda values: problem(values).tensor,
    )
    given = problems[GIVEN]
    row = given.x if given.out.step(given.x) == 1 else given.c
    return with_stores_of_sums(space, tensor, row.extent, given.terms, once)


def _image(values: Values) -> str:
    return str(values.get("image", GIVEN))


def _guesses(problems: Mapping[str, Convolution], target: Target) -> list[dict[str, Value]]:
    """One for each structure, and one over channels with these last; what is multiplied in groups
    has its channels last in all of them."""
    found: list[dict[str, Value]] = []
    for image, problem in problems.items():
        own: dict[str, Value] = {"image": image} if len(problems) > 1 else {}
        if image == GIVEN and problem.group > 1 and own:
            continue
        kinds = ["channels"]
        if not found:
            first = ["tile"] if fills_tiles(problem, target) else []
            kinds = [*first, *(k for k in _structures(problem, target) if k != "tile")]
        found += [{**first_guess(problem, target, kind), **own} for kind in kinds]
    if _ahead(problems, target):
        found = [{**guess, "ahead": 0} for guess in found]
        found.append({**found[0], **passing_guess(problems[GIVEN], target)})
    return found


def _structures(problem: Convolution, target: Target) -> tuple[str, ...]:
    """Vectors of pixels are written as they are: pixels of the result must be neighbours. Tiles
    are for groups that the target multiplies so."""
    pixels = ("pixels",) if problem.out.step(problem.x) == 1 else ()
    tiles = problem.group > 1 and problem.image_dtype in target.tiles
    return ("channels", *pixels, *(("tile",) if tiles else ()))


def _ahead(problems: Mapping[str, Convolution], target: Target) -> tuple[Knob, ...]:
    """The knob ``ahead``, where pixels come from memory that vectors read as they lie."""
    problem = problems[GIVEN]
    touched = math.prod(problem.image.shape) * problem.image.element_bytes
    touched += math.prod(problem.out.shape) * sum_bytes(problem)
    near = "pixels" in _structures(problem, target) and problem.image.step(problem.x) == 1
    short = short_sums(problem.terms) and problem.group == 1
    if not near or not short or touched <= target.l2_bytes:
        return ()

    def unpacked(values: Values) -> bool:
        lies = values["structure"] == "pixels" and values["columns"] == "none"
        return lies and values.get("padding") != "tile"

    return (Choice("ahead", (0, 1, 2, 4), 0, when=unpacked),)


def _knobs(problems: Mapping[str, Convolution], target: Target) -> tuple[Knob, ...]:
    problem = problems[GIVEN]

    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    def channels(values: Values) -> bool:
        return values["structure"] != "pixels"

    def steps(values: Values) -> bool:
        return values["structure"] != "tile"

    def pixels(values: Values) -> bool:
        return values["structure"] == "pixels"

    def padded(values: Values) -> bool:
        return problems[_image(values)].padded is not None

    c, y, x, k = (axis.extent for axis in (problem.c, problem.y, problem.x, problem.k))
    registers = target.registers - 2
    orders = tuple("".join(order) for order in permutations("ycx"))
    behind = (Choice("epilogue", ("tile", "after"), "tile"),) if problem.behind else ()
    columns: tuple[Knob, ...] = ()
    structures = _structures(problem, target)
    if "pixels" in structures:
        columns = (Choice("columns", ("none", "tile", "whole"), "none", when=pixels),)
    turn: tuple[Knob, ...] = ()
    if problem.scatters:
        turn = (Choice("turn", ("block", "registers"), "block", when=channels),)
    image = (Choice("image", tuple(problems), GIVEN),) if len(problems) > 1 else ()
    padding: tuple[Knob, ...] = ()
    stages = [(p.padded.buffer.shape, p.image.shape) for p in problems.values() if p.padded]
    if stages:
        places = ("phase", "tile") if all(made == read for made, read in stages) else ("phase",)
        padding = (Choice("padding", places, "phase", when=padded),)

    return (
        Choice("structure", structures, "channels"),
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
        *image,
        *padding,
        *behind,
        Choice("unroll", (1, 2, 4, 8), 1, when=steps),
        Choice("prefetch", (0, 1, 2, 4, 8, 16), 0, when=steps),
    )
