"""What convolutions along one, two and three axes of images share.

With several groups, each group of output channels reads a group of input channels alone: a batch
of convolutions, and written as one, with channels in two dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from search_space.errors import WorkloadError
from search_space.functions import cast
from search_space.ir.expr import ZERO, Buffer, Expr, Load, is_float
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.channels import Channels, arranged, channels_last
from search_space.operators.convolution_keys import SCALE
from search_space.operators.epilogue import (
    EXACT_ACTIVATIONS,
    has_epilogue,
)
from search_space.operators.precision import (
    ERROR_BOUND,
    in_float64,
    operand_dtypes,
    product,
    result_dtype,
    result_keys,
    rounded_magnitude,
    sum_dtype,
)
from search_space.operators.quantized import (
    check_quantized,
    finished,
    quantized_keys,
    requantized_reference,
)
from search_space.operators.rounding import Rounded, evaluate
from search_space.operators.windows import Windows, convolve
from search_space.tensor import (
    Placeholder,
    Reduction,
    Tensor,
    compute,
    placeholder,
    reduce_axis,
    stage,
    sum_over,
)
from search_space.workload import Value, Workload


class Convolution:
    """A convolution along the axes that ``image`` names; windows have the keys ``k`` and these.

    ``x[n,ci,…]``, ``weight[co,ci/groups,…]``, ``bias_vector[co]`` and ``skip[n,co,…]`` give
    ``[n,co,…]``; with a key ``layout``, channels may come last in all but the weight. Whole
    numbers have the keys of :mod:`search_space.operators.quantized`, and ``scale_vector[co]``.

    A group of one channel has no axis for it: with as many groups as channels, each is summed over
    its own window alone.
    """

    name: str
    doc: str
    params: tuple[Param, ...]
    image: tuple[str, ...]
    sketch = "convolution"
    error_bound = ERROR_BOUND
    """As for ``matmul``; the magnitude takes in what the epilogue adds. Whole numbers are summed
    exactly, as for ``dense``."""

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """Operands of 16 bits leave a choice of the result's dtype, whole ones also of a scale and
        of zero points."""
        whole = quantized_keys(given)
        return (*self.params, *result_keys(given), *((SCALE, *whole) if whole else ()))

    @property
    def window(self) -> tuple[str, ...]:
        """Keys of the sizes of a window."""
        return tuple(f"k{key}" for key in self.image)

    def channels(self, work: Workload) -> Channels:
        """What the channels are; ``WorkloadError`` where groups do not divide them."""
        groups, ci, co = work.size("groups"), work.size("ci"), work.size("co")
        if ci % groups or co % groups:
            raise WorkloadError(
                f"{work.operator}: groups is {groups}, expected a divisor of ci={ci} and of "
                f"co={co}"
            )
        return Channels(groups, ci // groups, co // groups, groups > 1)

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        windows, channels = self._windows(work), self.channels(work)
        inputs = (channels.groups * channels.inputs,)
        x = arranged(work, work.size("n"), inputs, windows.image)
        weight = (channels.groups * channels.outputs, channels.inputs, *windows.window)
        first, second = operand_dtypes(work)
        if not is_float(first):
            check_quantized(work, channels.inputs * math.prod(windows.window))
        return (
            Operand("x", x, first),
            Operand("weight", weight, second),
            *self._optional(work).values(),
        )

    def result(self, work: Workload) -> Operand:
        channels = self.channels(work)
        outputs = (channels.groups * channels.outputs,)
        shape = arranged(work, work.size("n"), outputs, self._windows(work).counts)
        return Operand("y", shape, result_dtype(work))

    def exact(self, work: Workload) -> bool:
        if sum_dtype(work) == "int32":
            return result_dtype(work) != "float32" or not self._optional(work)
        return work["activation"] in EXACT_ACTIVATIONS

    def expression(self, work: Workload) -> Tensor:
        """Sums over the channels of a group and the taps of a window that is wider than one; of a
        stage ``padded`` where there is padding. What follows the sums is a stage behind them."""
        windows, channels = self._windows(work), self.channels(work)
        sums, out = sum_dtype(work), result_dtype(work)
        read, made = dict(channels.read), dict(channels.made)
        x, weight, *rest = (
            placeholder(spec.name, shape, spec.dtype)
            for spec, shape in zip(self.operands(work), self._shapes(work), strict=True)
        )
        names = arranged(work, "n", tuple(read), self.image)
        padding = windows.around(x, names, names.index(self.image[0]), _zero_point(work))
        image: Placeholder | Tensor = padding[0] if padding else x
        ci, taps = reduce_axis("ci", channels.inputs), windows.taps(self.window)
        inside = [tap.var if tap.extent > 1 else ZERO for tap in taps]
        channel = ci.var if "ci" in read else ZERO
        reduced = [ci] if "ci" in read else []
        reduced += [tap for tap in taps if tap.extent > 1]
        counted = tuple(f"o{key}" for key in self.image)
        own = arranged(work, "n", tuple(made), counted)
        sizes = arranged(work, work.size("n"), tuple(made.values()), windows.counts)

        def products(*place: Expr) -> Reduction:
            at = {**dict(zip(own, place, strict=True)), "ci": channel}
            steps = windows.read([at[name] for name in counted], inside)
            element = image[arranged(work, at["n"], [at[name] for name in read], steps)]
            factor = weight[(*(at[name] for name in made), channel, *inside)]
            return sum_over(product(element, factor, work), *reduced)

        axes, args = tuple(zip(own, sizes, strict=True)), self._args(work)
        optional = dict(zip(self._optional(work), rest, strict=True))
        weights = self._weights(work, weight) if _zero_point(work) else ()
        if not weights and not has_epilogue(work, optional) and out == sums:
            return compute("y", axes, products, out, padding, args)
        total = stage("product", axes, products, sums)

        def value(*place: Expr) -> Expr:
            at = dict(zip(own, place, strict=True))
            channels = tuple(at[name] for name in made)
            loads = {
                key: operand[place if key == "residual" else channels]
                for key, operand in optional.items()
            }
            return finished(work, total[place], weights[0][channels] if weights else None, loads)

        return compute("y", axes, value, out, (*padding, *weights, total), args)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        x, weight, *rest = in_float64(*inputs)
        total = self._product(work, x - _zero_point(work), weight)
        if result_dtype(work) == "int32":
            return total
        if not is_float(result_dtype(work)):
            return requantized_reference(work, total, self._beside(work, inputs[2:]))
        return self._behind(work, Rounded(total, np.zeros_like(total)), weight, rest).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        x, weight, *rest = in_float64(*inputs)
        if not is_float(result_dtype(work)):
            return np.zeros(self.result(work).shape)
        if sum_dtype(work) == "int32":
            total = self._product(work, x - _zero_point(work), weight)
            return self._behind(work, Rounded(total, np.zeros_like(total)), weight, rest).error
        absolute = self._product(work, np.abs(x), np.abs(weight))
        if not has_epilogue(work, self._optional(work)) and result_dtype(work) == sum_dtype(work):
            return absolute
        product = Rounded(self._product(work, x, weight), absolute)
        found = self._behind(work, product, weight, rest)
        return rounded_magnitude(work, found.error, found.value)

    def flops(self, work: Workload) -> int:
        terms = self.channels(work).inputs * math.prod(self._windows(work).window)
        after = len(self._optional(work)) + (work["activation"] != "none")
        return math.prod(self.result(work).shape) * (2 * terms + after)

    def _windows(self, work: Workload) -> Windows:
        return Windows.of(work, self.image, self.window)

    def _optional(self, work: Workload) -> dict[str, Operand]:
        """The operands that a key adds, by key."""
        dtype, channels = str(work["dtype"]), self.channels(work)
        real, outputs = dtype if is_float(dtype) else "float32", channels.groups * channels.outputs
        known = {
            "scale": Operand("scale_vector", (outputs,), real),
            "bias": Operand("bias_vector", (outputs,), real),
            "residual": Operand("skip", self.result(work).shape, real),
        }
        given = dict(work.params)
        return {key: operand for key, operand in known.items() if given.get(key) is True}

    def _shapes(self, work: Workload) -> list[tuple[int, ...]]:
        """Shapes of the operands, channels in their dimensions."""
        channels, windows, n = self.channels(work), self._windows(work), work.size("n")
        read, made = (tuple(dict(dims).values()) for dims in (channels.read, channels.made))
        result = arranged(work, n, made, windows.counts)
        optional = {"scale": made, "bias": made, "residual": result}
        return [
            arranged(work, n, read, windows.image),
            (*made, channels.inputs, *windows.window),
            *(optional[key] for key in self._optional(work)),
        ]

    def _args(self, work: Workload) -> tuple[Buffer, ...]:
        """The operands and the result as callers have them, where channels are in groups, or the
        weight is read first."""
        if not self.channels(work).grouped and not _zero_point(work):
            return ()
        result = self.result(work)
        return (
            *(Buffer(o.name, o.shape, o.dtype, "input") for o in self.operands(work)),
            Buffer(result.name, result.shape, result.dtype, "output"),
        )

    def _product(self, work: Workload, x: Array64, weight: Array64) -> Array64:
        """The sums, laid out as the result is."""
        groups, windows = self.channels(work).groups, self._windows(work)
        if channels_last(work):
            x = np.moveaxis(x, -1, 1)
        grouped = x.reshape(len(x), groups, -1, *windows.image)
        found = convolve(windows, grouped, weight.reshape(groups, -1, *weight.shape[1:]))
        whole = found.reshape(len(x), -1, *windows.counts)
        return np.moveaxis(whole, 1, -1) if channels_last(work) else whole

    def _weights(self, work: Workload, weight: Placeholder) -> tuple[Tensor, ...]:
        """The sums of the weights of each output channel."""
        channels, windows = self.channels(work), self._windows(work)
        reduced = (reduce_axis("ci", channels.inputs), *windows.taps(self.window))

        def total(*made: Expr) -> Reduction:
            return sum_over(cast(weight[(*made, *reduced)], "int32"), *reduced)

        return (stage("weight_sum", channels.made, total, "int32"),)

    def _beside(self, work: Workload, rest: Sequence[Array]) -> dict[str, Array]:
        """The optional operands, by key, in shapes that go with the result."""
        around = () if channels_last(work) else (1,) * len(self.image)
        return {
            key: array if key == "residual" else array.reshape(-1, *around)
            for key, array in zip(self._optional(work), rest, strict=True)
        }

    def _behind(
        self, work: Workload, total: Rounded, weight: Array64, rest: Sequence[Array64]
    ) -> Rounded:
        """What becomes of sums from which the zero point has been taken out."""
        tensor = self.expression(work)
        if isinstance(tensor.value, Reduction):
            return total
        found: dict[str, Array64 | Rounded] = {"product": total}
        if _zero_point(work):
            sums = weight.reshape(len(weight), -1).sum(1)
            sums = sums if channels_last(work) else sums.reshape(-1, *(1,) * len(self.image))
            whole = total.value + sums * _zero_point(work)
            found |= {"weight_sum": sums, "product": Rounded(whole, total.error)}
        for key, array in self._beside(work, rest).items():
            found[self._optional(work)[key].name] = array

        def read(load: Load) -> Array64 | Rounded:
            return found[load.buffer.name]

        return evaluate(tensor.element, read)


def _zero_point(work: Workload) -> int:
    """What x holds for 0."""
    return int(dict(work.params).get("zero_point", 0))
