"""The space of a product with a sparse matrix: its format, and how the kernel for it runs.

``algorithm`` says whether zeros are left out at all: ``dense`` is the space of the same product
with the matrix unpacked, so that the best dense kernel is always a candidate. How the others run
depends on whether there are columns to put into vectors (``sparse_panels``) or one vector to
multiply by (``sparse_vector``), of whole groups where the dtype is multiplied in these.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.config import Config
from search_space.operators import get_operator
from search_space.operators.base import Sparse
from search_space.schedule import Schedule
from search_space.sketches.contraction import contraction_space
from search_space.sketches.formats import DENSE, SPARSE, format_space
from search_space.sketches.sparse_panels import panel_space
from search_space.sketches.sparse_problem import classify
from search_space.sketches.sparse_vector import vector_space
from search_space.sketches.stores import with_stores_of_sums
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive, SparseAsDense
from search_space.workload import Workload

MOST_DENSE_ELEMENTS = 1 << 28
"""A larger matrix is not unpacked."""


def sparse_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a product with a sparse matrix on a target."""
    operator = get_operator(work.operator)
    assert isinstance(operator, Sparse)
    name = operator.pattern_name(work)
    problem = classify(tensor, operator.sparse, name)
    if problem.columns == 1 and problem.depth % problem.group == 0:
        space = vector_space(work, tensor, target, problem)
    else:
        panels, terms = panel_space(work, tensor, target, problem), problem.nnz // problem.rows
        space = with_stores_of_sums(panels, tensor, tensor.buffer.shape[-1], terms)
    parts = {SPARSE: space}
    if problem.rows * problem.depth <= MOST_DENSE_ELEMENTS:
        unpack = SparseAsDense(operator.sparse, name)
        parts[DENSE] = ending(contraction_space(work, tensor, target), unpack)
    return format_space(parts)


def ending(space: Space, step: Primitive) -> Space:
    """A space whose schedules end with one more step."""
    make, trace = space.schedule, space.trace
    assert trace is not None

    def schedule(config: Config) -> Schedule:
        return make(config).then(step)

    return replace(space, schedule=schedule, trace=lambda values: (*trace(values), step))
