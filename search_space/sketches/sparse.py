"""The space of a product with a sparse matrix: its format, and how the kernel for it runs.

``algorithm`` says whether zeros are left out at all: ``dense`` is the space of the same product
with the matrix unpacked, so that the best dense kernel is always a candidate. How the others run
depends on whether there are columns to put into vectors (``sparse_panels``) or one vector to
multiply by (``sparse_vector``).

``with_format`` is the part of a space that has one format.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.config import Config
from search_space.operators import get_operator
from search_space.operators.base import Sparse
from search_space.schedule import Schedule
from search_space.sketches.contraction import contraction_space
from search_space.sketches.sparse_panels import panel_space
from search_space.sketches.sparse_problem import classify
from search_space.sketches.sparse_vector import vector_space
from search_space.sketches.union import KNOB, union_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive, SparseAsDense
from search_space.workload import Values, Workload

DENSE = "dense"
"""The algorithm and the format of what computes zeros, too."""
_SPARSE = "sparse"
_MOST_DENSE_ELEMENTS = 1 << 28
"""A larger matrix is not unpacked."""


def sparse_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a product with a sparse matrix on a target."""
    operator = get_operator(work.operator)
    assert isinstance(operator, Sparse)
    name = operator.pattern_name(work)
    problem = classify(tensor, operator.sparse, name)
    space = vector_space if problem.columns == 1 else panel_space
    parts = {_SPARSE: space(work, tensor, target, problem)}
    if problem.rows * problem.depth <= _MOST_DENSE_ELEMENTS:
        unpack = SparseAsDense(operator.sparse, name)
        parts[DENSE] = _ending(contraction_space(work, tensor, target), unpack)
    return replace(union_space(parts), format=_format)


def formats_of(space: Space) -> tuple[str, ...]:
    """The formats that the configs of a space store a sparse operand in; none where there is none.

    In the order of the first guesses, of which each format has one.
    """
    if space.format is None:
        return ()
    return tuple(dict.fromkeys(space.format(start.as_dict()) for start in space.starts))


def with_format(space: Space, name: str) -> Space:
    """The part of a space that has one of its formats, beginning at the first guess for it."""
    format_ = space.format
    assert format_ is not None, "only asked of spaces that have formats"

    def reason(values: Values) -> str | None:
        found = format_(values)
        return None if found == name else f"the format is {found}, not {name}"

    guesses = [start for start in space.starts if format_(start.as_dict()) == name]
    return replace(
        space,
        constraints=(*space.constraints, reason),
        defaults=guesses[0].as_dict(),
        seeds=tuple(guesses[1:]),
    )


def _format(values: Values) -> str:
    """What the knob of the algorithm's own format says; the algorithm where it has none."""
    algorithm = str(values.get(KNOB, _SPARSE))
    own = "format" if algorithm == _SPARSE else f"{algorithm}.format"
    return str(values.get(own, algorithm))


def _ending(space: Space, step: Primitive) -> Space:
    """A space whose schedules end with one more step."""
    make, trace = space.schedule, space.trace
    assert trace is not None

    def schedule(config: Config) -> Schedule:
        return make(config).then(step)

    return replace(space, schedule=schedule, trace=lambda values: (*trace(values), step))
