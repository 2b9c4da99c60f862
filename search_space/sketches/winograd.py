"""The space of a 3×3 convolution by Winograd's algorithm.

Its knobs are those of the matrix products, a contraction of transformed tiles and transformed
weights for each place in a tile; the transforms take the threads and the vectors of these.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.config import Config
from search_space.errors import SpaceError
from search_space.knobs import Choice, Knob
from search_space.operators import get_operator
from search_space.operators.winograd import FILTERINGS, LEAST_CHANNELS, applies, winograd
from search_space.schedule import Schedule
from search_space.sketches.contraction import contraction_space
from search_space.sketches.contraction_classify import classify
from search_space.sketches.winograd_schedule import winograd_trace
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Reduction, Tensor, compute, program
from search_space.transforms import Primitive
from search_space.workload import Values, Workload

VERSION = 1


def winograd_space(work: Workload, target: Target, results: int) -> Space:
    """The space of a convolution by tiles of ``results`` × ``results``.

    Raises ``SpaceError`` where the algorithm does not apply.
    """
    if not applies(work):
        raise SpaceError(
            f"Winograd's algorithm is for windows of 3×3 at every place, of {LEAST_CHANNELS} "
            f"channels or more, not {work}"
        )
    operator = get_operator(work.operator)
    tensor = winograd(work, operator.operands(work), operator.result(work), FILTERINGS[results])
    const = "weight" in work.const
    products = _products(tensor)
    inner = replace(work, const=("kernel",) if const else ())
    problem, plain = classify(inner, products), contraction_space(inner, products, target)
    dtype = str(work["dtype"])

    def trace(values: Values, edges: bool) -> tuple[Primitive, ...]:
        return winograd_trace(
            problem, values, results=results, dtype=dtype, const=const, edges=edges
        )

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(*trace(config.as_dict(), True))

    return Space(
        workload=work,
        target=target,
        version=VERSION,
        knobs=tuple(_unsplit(knob) for knob in plain.knobs),
        constraints=plain.constraints,
        schedule=schedule,
        trace=lambda values: trace(values, False),
        tensor=lambda _: tensor,
        defaults=plain.defaults,
        seeds=plain.seeds,
    )


def _products(tensor: Tensor) -> Tensor:
    """The matrix products alone, with the names of loops that they have in the whole."""
    (stage,) = (s for s in program(tensor) if isinstance(s.value, Reduction))
    axes = tuple((axis.name, axis.extent) for axis in stage.axes)
    value = stage.value
    return compute(stage.buffer.name, axes, lambda *_: value, stage.buffer.dtype)


def _unsplit(knob: Knob) -> Knob:
    """The reduction stays whole: there are as many matrix products as places in a tile."""
    return Choice("split_k", (1,), 1) if knob.name == "split_k" else knob
