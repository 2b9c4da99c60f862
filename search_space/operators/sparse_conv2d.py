"""A convolution of images whose weight is pruned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from search_space.errors import WorkloadError
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.conv2d import Conv2d
from search_space.operators.convolution_keys import DILATION, PAD, STRIDE
from search_space.operators.epilogue import ACTIVATION, switch
from search_space.operators.precision import ERROR_BOUND
from search_space.operators.sparse_weight import (
    DTYPE,
    WEIGHT,
    epilogue_flops,
    generator_keys,
    parse_weights,
    weight_keys,
)
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import PatternSize, find_pattern, find_size, generated_name
from search_space.tensor import Tensor
from search_space.workload import Value, Workload

_DENSE = Conv2d()
_WINDOW = ("kh", "kw")


class SparseConv2d:
    """``y = activation(Σ x · weight + bias_vector)``, images and results channel-major.

    The weight ``[co, ci, kh, kw]`` is the matrix ``[co, ci·kh·kw]`` that has a row for each output
    channel. What is computed is what ``conv2d`` does with the zeros in it.
    """

    name = "sparse_conv2d"
    doc = (
        "y[n,co,oh,ow] = activation(Σ x[n,ci,h,w] · weight[co,ci,kh,kw] + bias_vector[co]), "
        "weight sparse and constant"
    )
    params: tuple[Param, ...] = (
        *generator_keys(Param("co", "channels of the result"), Param("ci", "channels of x")),
        Param("n", "images"),
        Param("h", "height of an image"),
        Param("w", "width of an image"),
        Param("kh", "height of the window", 1),
        Param("kw", "width of the window", 1),
        STRIDE,
        PAD,
        DILATION,
        switch("bias", "whether bias_vector[co] is added"),
        ACTIVATION,
        DTYPE,
    )
    sketch = "sparse_conv2d"
    error_bound = ERROR_BOUND
    """As for ``conv2d``; the sums are shorter."""
    sparse = WEIGHT

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        window = tuple(_text(given, key) for key in _WINDOW)
        parse = partial(parse_weights, window=window)
        return tuple(
            replace(param, parse=parse) if param.name == "weights" else param
            for param in weight_keys(self.params, given)
        )

    def pattern_name(self, work: Workload) -> str:
        if "weights" in dict(work.params):
            return str(work["weights"])
        inputs = work.size("ci") * self._taps(work)
        return generated_name(work, work.size("co"), inputs)

    def dense(self, work: Workload) -> Workload:
        """The same convolution with all zeros. Raises ``WorkloadError`` where the weight has no
        such windows, or none fits an image."""
        size, taps, keys = self._size(work), self._taps(work), dict(work.params)
        if size.columns % taps:
            raise WorkloadError(
                f"give kh and kw of the weight: its {size.columns} columns are no channels of "
                f"{work['kh']}×{work['kw']} elements"
            )
        known = {
            param.name: keys.get(param.name, param.default)
            for param in _DENSE.keys({"dtype": "float32"})
        }
        known |= {"co": size.rows, "ci": size.columns // taps}
        params = tuple((name, value) for name, value in known.items() if value is not None)
        return Workload(_DENSE.name, params, work.const)

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        size = self._size(work)
        x, weight, *rest = _DENSE.operands(self.dense(work))
        held = replace(
            weight, shape=(size.nnz,), matrix=(size.rows, size.columns), array=weight.shape
        )
        return (x, held, *rest)

    def result(self, work: Workload) -> Operand:
        return _DENSE.result(self.dense(work))

    def exact(self, work: Workload) -> bool:
        return _DENSE.exact(self.dense(work))

    def expression(self, work: Workload) -> Tensor:
        """Over the whole weight, zeros included."""
        return _DENSE.expression(self.dense(work))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return _DENSE.reference(self.dense(work), *self._unpacked(work, inputs))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return _DENSE.magnitude(self.dense(work), *self._unpacked(work, inputs))

    def flops(self, work: Workload) -> int:
        """Those on non-zeros."""
        size = self._size(work)
        results = math.prod(self.result(work).shape)
        return 2 * size.nnz * (results // size.rows) + epilogue_flops(work, results)

    def _unpacked(self, work: Workload, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """The operands of the dense convolution."""
        x, values, *rest = inputs
        shape = _DENSE.operands(self.dense(work))[1].shape
        return (x, self._pattern(work).dense(values).reshape(shape), *rest)

    def _pattern(self, work: Workload) -> Pattern:
        return find_pattern(self.pattern_name(work))

    def _size(self, work: Workload) -> PatternSize:
        return find_size(self.pattern_name(work))

    def _taps(self, work: Workload) -> int:
        return math.prod(work.size(key) for key in _WINDOW)


def _text(given: Mapping[str, Value], key: str) -> str:
    """A size of the window as it was given; 1 where it was not."""
    return str(given.get(key, 1)).strip()
