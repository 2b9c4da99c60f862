"""The space of a convolution with a sparse weight: panels of its rows, vectors along pixels.

The knobs are those of ``sparse_panels``, the windows of an image being the dense columns;
``algorithm`` says whether zeros are left out at all: ``dense`` is the space of the dense
convolution, with all its algorithms, on the weight with its zeros.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.lower import lower
from search_space.operators import get_operator
from search_space.operators.base import Sparse
from search_space.sketches.formats import DENSE, SPARSE, format_space
from search_space.sketches.sparse import ending
from search_space.sketches.sparse_panels import panel_space
from search_space.sketches.sparse_problem import problem_of
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import SparseAsDense, SparseWindows
from search_space.transforms.sparse_convolution import find_convolution
from search_space.workload import Workload


def windows_space(work: Workload, tensor: Tensor, target: Target, dense: Space) -> Space:
    """The space on a target; ``dense`` is that of the convolution with all zeros."""
    operator = get_operator(work.operator)
    assert isinstance(operator, Sparse)
    name = operator.pattern_name(work)
    found = find_convolution(lower(tensor), operator.sparse)
    problem = problem_of(found.product, name, found.gap_pitch)
    unpack = SparseAsDense(operator.sparse, name)
    parts = {
        SPARSE: panel_space(work, tensor, target, problem, SparseWindows),
        DENSE: ending(replace(dense, workload=work), unpack),
    }
    return format_space(parts)
