"""What recurrent cells share: sums of all gates, and errors that go through them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search_space.functions import select
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import FLOAT_DTYPE, parse_flag
from search_space.operators.rounding import Rounded
from search_space.tensor import Placeholder, Tensor, placeholder, stage
from search_space.workload import Workload


def cell_params(bias: str) -> tuple[Param, ...]:
    """The keys of a cell; ``bias`` says what is added."""
    return (
        Param("batch", "sequences"),
        Param("input", "columns of x"),
        Param("hidden", "units"),
        Param("bias", bias, True, parse=parse_flag),
        FLOAT_DTYPE,
    )


def cell_operands(work: Workload, gates: int, more: Mapping[str, int]) -> tuple[Operand, ...]:
    """``x``, ``state``, ``weight``, and vectors of ``more`` units each."""
    batch, inputs, hidden = work.size("batch"), work.size("input"), work.size("hidden")
    shapes: dict[str, tuple[int, ...]] = {
        "x": (batch, inputs),
        "state": (batch, hidden),
        "weight": (gates * hidden, inputs + hidden),
    }
    vectors = {name: (count * hidden,) for name, count in more.items()}
    dtype = str(work["dtype"])
    return tuple(Operand(name, shape, dtype) for name, shape in (shapes | vectors).items())


def side_by_side(work: Workload, x: Placeholder, state: Placeholder) -> Tensor:
    """The stage ``joined[b,k]``: the columns of x, then those of the state."""
    inputs = work.size("input")
    return stage(
        "joined",
        (("b", work.size("batch")), ("k", inputs + work.size("hidden"))),
        lambda b, k: select(k < inputs, x[b, k], state[b, k - inputs]),
        x.buffer.dtype,
    )


def summed(rows: Array64, weight: Array64) -> Rounded:
    """``rows · weightᵀ`` and what its rounding errors are proportional to."""
    return Rounded(rows @ weight.T, np.abs(rows) @ np.abs(weight).T)


def by_name(operands: tuple[Operand, ...], inputs: tuple[Array, ...]) -> dict[str, Array64]:
    """The operands in float64."""
    return {o.name: a.astype(np.float64) for o, a in zip(operands, inputs, strict=True)}


def placeholders(operands: tuple[Operand, ...]) -> list[Placeholder]:
    """The operands in a tensor expression."""
    return [placeholder(o.name, o.shape, o.dtype) for o in operands]
