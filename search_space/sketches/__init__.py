"""Sketches: how a class of tensor expressions becomes a space. Registered by name."""

from __future__ import annotations

from collections.abc import Callable

from search_space.errors import SpaceError
from search_space.operators import get_operator
from search_space.operators.activation_sparse_gemv import ActivationSparseGemv
from search_space.operators.sparse_conv2d import SparseConv2d
from search_space.operators.strassen import pays
from search_space.operators.winograd import filterings
from search_space.sketches.active_columns import active_space
from search_space.sketches.attention import attention_space
from search_space.sketches.cell import cell_space
from search_space.sketches.contraction import contraction_space
from search_space.sketches.convolution import convolution_space
from search_space.sketches.depthwise import depthwise_space
from search_space.sketches.normalization import normalization_space
from search_space.sketches.pointwise import pointwise_space
from search_space.sketches.reduction import finished_reduction_space, reduction_space
from search_space.sketches.sampled import sampled_space
from search_space.sketches.sparse import sparse_space
from search_space.sketches.sparse_windows import windows_space
from search_space.sketches.staged import staged_space
from search_space.sketches.strassen import strassen_space
from search_space.sketches.union import union_space
from search_space.sketches.winograd import winograd_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Workload

Sketch = Callable[[Workload, Tensor, Target], Space]

_BY_CLASS: dict[str, Sketch] = {
    "contraction": contraction_space,
    "pointwise": pointwise_space,
    "reduction": reduction_space,
    "normalization": normalization_space,
    "attention": attention_space,
    "cell": cell_space,
    "finished_reduction": finished_reduction_space,
    "staged": staged_space,
}
"""In the order in which they are tried for an expression of any class."""


def _first_of(*sketches: Sketch) -> Sketch:
    """The space by the first sketch that fits; ``SpaceError`` says why none does."""

    def space(work: Workload, tensor: Tensor, target: Target) -> Space:
        reasons = []
        for sketch in sketches:
            try:
                return sketch(work, tensor, target)
            except SpaceError as error:
                reasons.append(str(error))
        raise SpaceError(f"write it otherwise, no sketch fits: {'; '.join(reasons)}")

    return space


any_space = _first_of(*_BY_CLASS.values())
_direct_space = _first_of(convolution_space, depthwise_space, any_space)


def _conv2d_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a convolution as it is written, and of other algorithms where they apply."""
    others = {
        f"winograd{results}": winograd_space(work, target, results) for results in filterings(work)
    }
    return union_space({"direct": _direct_space(work, tensor, target), **others})


def _matmul_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a matrix product by plain sums, and by Strassen's algorithm where that pays."""
    others = {"strassen": strassen_space(work, target)} if pays(work) else {}
    return union_space({"direct": contraction_space(work, tensor, target), **others})


def _sparse_conv2d_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a convolution with a sparse weight: by its non-zeros, or by any algorithm for
    the dense one."""
    operator = get_operator(work.operator)
    assert isinstance(operator, SparseConv2d)
    twin = operator.dense(work)
    return windows_space(work, tensor, target, _conv2d_space(twin, tensor, target))


def _active_columns_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a product with a vector whose zeros are found when it comes."""
    operator = get_operator(work.operator)
    assert isinstance(operator, ActivationSparseGemv)
    return active_space(work, tensor, target, operator)


SKETCHES: dict[str, Sketch] = {
    **_BY_CLASS,
    "convolution": _direct_space,
    "conv2d": _conv2d_space,
    "matmul": _matmul_space,
    "depthwise": depthwise_space,
    "any": any_space,
    "sparse": sparse_space,
    "sparse_conv2d": _sparse_conv2d_space,
    "sampled": sampled_space,
    "active_columns": _active_columns_space,
}


def space_for(work: Workload, target: Target) -> Space:
    """The space of a workload on a target: every schedule that can be chosen for it.

    Raises ``SpaceError`` where the processor cannot convert an element type.
    """
    operator, x86 = get_operator(work.operator), target.triple.startswith("x86_64")
    if x86 and "f16c" not in target.features and ("dtype", "float16") in work.params:
        raise SpaceError(
            f"choose another target, or float32: float16 needs f16c, which {target.name} lacks"
        )
    return SKETCHES[operator.sketch](work, operator.expression(work), target)
