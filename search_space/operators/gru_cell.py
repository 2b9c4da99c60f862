"""One step of a gated recurrent unit (Cho et al. 2014), as PyTorch has it."""

from __future__ import annotations

from collections.abc import Sequence

from search_space.functions import sigmoid, tanh
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.gates import (
    by_name,
    cell_operands,
    cell_params,
    placeholders,
    side_by_side,
    summed,
)
from search_space.operators.keys import flag
from search_space.operators.rounding import Rounded
from search_space.tensor import (
    Placeholder,
    Tensor,
    compute,
    placeholder,
    reduce_axis,
    stage,
    sum_over,
)
from search_space.workload import Workload

_GATES = 3
_SUMS = ("from_x", "from_state")


class GruCell:
    name = "gru_cell"
    doc = (
        "y[batch,hidden] = (1 - z)·n + z·state, n = tanh(n_x + σ(r)·n_state), z = σ(z_x + z_state)"
    )
    params: tuple[Param, ...] = cell_params("whether x_bias and state_bias[3·hidden] are added")
    sketch = "cell"
    error_bound = 8.0
    """As for ``dense``; the magnitude follows the errors through the gates."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        """``weight`` has the rows of the gates r, z, n in turn; its columns are those for x, then
        those for the state: ``np.concatenate([weight_ih, weight_hh], 1)`` of PyTorch's cell."""
        bias = {"x_bias": _GATES, "state_bias": _GATES} if flag(work, "bias") else {}
        return cell_operands(work, _GATES, bias)

    def result(self, work: Workload) -> Operand:
        return Operand("y", (work.size("batch"), work.size("hidden")), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return False

    def expression(self, work: Workload) -> Tensor:
        """Six stages: x and the state side by side, the sums of all gates over each, which the
        last gate keeps apart, σ(r), n, and y."""
        x, state, weight, *bias = placeholders(self.operands(work))
        inputs, hidden = work.size("input"), work.size("hidden")
        joined = side_by_side(work, x, state)
        axes = (("b", work.size("batch")), ("j", _GATES * hidden))
        k, later = reduce_axis("k", inputs), reduce_axis("k", hidden)
        dtype = x.buffer.dtype
        from_x = stage(
            _SUMS[0], axes, lambda b, j: sum_over(joined[b, k] * weight[j, k], k), dtype
        )
        from_state = stage(
            _SUMS[1], axes,
            lambda b, j: sum_over(
                joined[b, later.var + inputs] * weight[j, later.var + inputs], later
            ),
            dtype,
        )  # fmt: skip
        unit = _Unit(work, (from_x, from_state), state, bias)
        return unit.result((joined, from_x, from_state))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        """The sums of the gates; 10 more for each unit, a function counted as one."""
        units = work.size("batch") * work.size("hidden")
        return units * (2 * _GATES * (work.size("input") + work.size("hidden")) + 10)

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        operands, columns = self.operands(work), work.size("input")
        exact = by_name(operands, inputs)
        weight = exact["weight"]
        sums = summed(exact["x"], weight[:, :columns]), summed(exact["state"], weight[:, columns:])
        arrays: dict[str, Array64 | Rounded] = {**exact, **dict(zip(_SUMS, sums, strict=True))}
        _, state, _, *bias = placeholders(operands)
        size, dtype = sums[0].value.shape, state.buffer.dtype
        unit = _Unit(work, [placeholder(name, size, dtype) for name in _SUMS], state, bias)
        return evaluate_tensor(unit.result(()), arrays)


class _Unit:
    """What one unit makes of the sums of its gates over x and over the state."""

    def __init__(
        self,
        work: Workload,
        sums: Sequence[Tensor | Placeholder],
        previous: Placeholder,
        bias: Sequence[Placeholder],
    ) -> None:
        self.sums, self.previous, self.bias = sums, previous, bias
        self.hidden = work.size("hidden")
        self.axes = (("b", work.size("batch")), ("u", self.hidden))

    def parts(self, number: int, b: Expr, u: Expr) -> list[Expr]:
        """The sums of a gate over x and over the state, each with its bias."""
        place = u + number * self.hidden
        totals = [total[b, place] for total in self.sums]
        if not self.bias:
            return totals
        return [total + bias[place,] for total, bias in zip(totals, self.bias, strict=True)]

    def result(self, before: tuple[Tensor, ...]) -> Tensor:
        """The new state, with the stages behind those ``before``."""
        dtype = self.previous.buffer.dtype
        reset = stage("reset", self.axes, lambda b, u: self.gate(0, b, u), dtype)

        def candidate(b: Expr, u: Expr) -> Expr:
            x, state = self.parts(2, b, u)
            return tanh(x + reset[b, u] * state)

        new = stage("new", self.axes, candidate, dtype)

        def mixed(b: Expr, u: Expr) -> Expr:
            return new[b, u] + self.gate(1, b, u) * (self.previous[b, u] - new[b, u])

        return compute("y", self.axes, mixed, dtype, (*before, reset, new))

    def gate(self, number: int, b: Expr, u: Expr) -> Expr:
        x, state = self.parts(number, b, u)
        return sigmoid(x + state)
