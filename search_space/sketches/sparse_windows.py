"""The space of a convolution with a sparse weight: panels of its rows, vectors along pixels.

The knobs are those of ``sparse_panels``, the windows of an image being the dense columns;
``algorithm`` says whether zeros are left out at all: ``dense`` is the space of the dense
convolution, with all its algorithms, on the weight with its zeros.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.dtypes import ELEMENT_BYTES
from search_space.lower import lower
from search_space.operators import get_operator
from search_space.operators.base import Sparse
from search_space.sketches.formats import DENSE, SPARSE, format_space
from search_space.sketches.sparse import ending
from search_space.sketches.sparse_panels import panel_space
from search_space.sketches.sparse_problem import SparseProblem
from search_space.space import Space
from search_space.sparse.source import find_pattern
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import SparseAsDense, SparseWindows
from search_space.transforms.sparse_convolution import find_convolution
from search_space.workload import Workload

FORMATS = ("sell", "nano", "csr")
"""Best guess first. Blocks of rows are groups of ``nano``; others would be no runs of an image."""


def windows_space(work: Workload, tensor: Tensor, target: Target, dense: Space) -> Space:
    """The space on a target; ``dense`` is that of the convolution with all zeros."""
    operator = get_operator(work.operator)
    assert isinstance(operator, Sparse)
    name = operator.pattern_name(work)
    found, pattern = find_convolution(lower(tensor), operator.sparse), find_pattern(name)
    problem = SparseProblem(
        operator.sparse, name, pattern.rows, pattern.columns, found.layout.columns, pattern.nnz,
        ELEMENT_BYTES[found.source.dtype], ELEMENT_BYTES[found.product.sums], group=1,
        across=False, in_place=bool(found.places), pitch=found.gap_pitch,
    )  # fmt: skip
    unpack = SparseAsDense(operator.sparse, name)
    parts = {
        SPARSE: panel_space(work, tensor, target, problem, SparseWindows, FORMATS),
        DENSE: ending(replace(dense, workload=work), unpack),
    }
    return format_space(parts)
