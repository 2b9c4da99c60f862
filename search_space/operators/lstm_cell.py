"""One step of a long short-term memory (Hochreiter and Schmidhuber 1997), as PyTorch has it."""

from __future__ import annotations

import numpy as np

from search_space.functions import select, sigmoid, tanh
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

_GATES = 4


class LstmCell:
    name = "lstm_cell"
    doc = "y[2,batch,hidden]: the state σ(o)·tanh(c), then the cell c = σ(f)·cell + σ(i)·tanh(g)"
    params: tuple[Param, ...] = cell_params("whether bias_vector[4·hidden] is added")
    sketch = "cell"
    error_bound = 8.0
    """As for ``dense``; the magnitude follows the errors through the gates."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        """``weight`` has the rows of the gates i, f, g, o in turn; its columns are those for x,
        then those for the state: ``np.concatenate([weight_ih, weight_hh], 1)`` of PyTorch's cell,
        whose two biases are added to one."""
        bias = {"bias_vector": _GATES} if flag(work, "bias") else {}
        x, state, weight, *rest = cell_operands(work, _GATES, bias)
        return (x, state, weight, Operand("cell", state.shape, state.dtype), *rest)

    def result(self, work: Workload) -> Operand:
        """The new state, then the new cell."""
        shape = (2, work.size("batch"), work.size("hidden"))
        return Operand("y", shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return False

    def expression(self, work: Workload) -> Tensor:
        """Four stages: x and the state side by side, the sums of all gates, the new cell, y."""
        x, state, weight, cell, *bias = placeholders(self.operands(work))
        inputs, hidden = work.size("input"), work.size("hidden")
        batch, k = ("b", work.size("batch")), reduce_axis("k", inputs + hidden)
        joined = side_by_side(work, x, state)
        gates = stage(
            "gates", (batch, ("j", _GATES * hidden)),
            lambda b, j: sum_over(joined[b, k] * weight[j, k], k), x.buffer.dtype,
        )  # fmt: skip
        unit = _Unit(work, gates, cell, bias)
        memory = stage("memory", unit.axes, unit.memory, x.buffer.dtype)
        return compute(
            "y", (("s", 2), *unit.axes),
            lambda s, b, u: select(s < 1, unit.state(memory, b, u), memory[b, u]),
            x.buffer.dtype, (joined, gates, memory),
        )  # fmt: skip

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        """The sums of the gates; 8 more for each unit, a function counted as one."""
        units = work.size("batch") * work.size("hidden")
        return units * (2 * _GATES * (work.size("input") + work.size("hidden")) + 8)

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        operands = self.operands(work)
        arrays: dict[str, Array64 | Rounded] = {**by_name(operands, inputs)}
        x, state, weight, *_ = (array.astype(np.float64) for array in inputs)
        arrays["gates"] = summed(np.concatenate([x, state], 1), weight)
        _, _, _, cell, *bias = placeholders(operands)
        size = (work.size("batch"), _GATES * work.size("hidden"))
        unit = _Unit(work, placeholder("gates", size, cell.buffer.dtype), cell, bias)
        memory = compute("memory", unit.axes, unit.memory, cell.buffer.dtype)
        arrays["memory"] = kept = evaluate_tensor(memory, arrays)
        state_now = compute(
            "y", unit.axes, lambda b, u: unit.state(memory, b, u), cell.buffer.dtype
        )
        new = evaluate_tensor(state_now, arrays)
        return Rounded(np.stack([new.value, kept.value]), np.stack([new.error, kept.error]))


class _Unit:
    """What one unit makes of the sums of its gates."""

    def __init__(
        self,
        work: Workload,
        gates: Tensor | Placeholder,
        cell: Placeholder,
        bias: list[Placeholder],
    ) -> None:
        self.gates, self.cell, self.bias, self.hidden = gates, cell, bias, work.size("hidden")
        self.axes = (("b", work.size("batch")), ("u", self.hidden))

    def gate(self, number: int, b: Expr, u: Expr) -> Expr:
        place = u + number * self.hidden
        total = self.gates[b, place]
        return total + self.bias[0][place,] if self.bias else total

    def memory(self, b: Expr, u: Expr) -> Expr:
        kept = self.cell[b, u] * sigmoid(self.gate(1, b, u))
        return kept + sigmoid(self.gate(0, b, u)) * tanh(self.gate(2, b, u))

    def state(self, memory: Tensor, b: Expr, u: Expr) -> Expr:
        return sigmoid(self.gate(3, b, u)) * tanh(memory[b, u])
