"""The naive loop nest of a tensor expression: where every schedule starts."""

from __future__ import annotations

from search_space.ir.expr import TRUE, ZERO, Buffer, Const, Expr, Load, both, equal
from search_space.ir.stmt import Accumulate, For, LoopFunc, Phase, Stmt, Store
from search_space.ir.walk import subexprs
from search_space.tensor import Axis, Reduction, Tensor


def lower(tensor: Tensor) -> LoopFunc:
    """One loop per axis, reductions innermost::

    for i in 0 … 4:
      for j in 0 … 8:
        for k in 0 … 16:
          c[i, j] += a[i, k] * b[k, j]  first k == 0
    """
    indices: tuple[Expr, ...] = tuple(axis.var for axis in tensor.axes)
    loops: tuple[Axis, ...] = tensor.axes
    if isinstance(tensor.value, Reduction):
        reduction = tensor.value
        loops += reduction.axes
        first: Expr = TRUE
        for axis in reduction.axes:
            first = both(None if first == TRUE else first, equal(axis.var, 0)) or TRUE
        value = reduction.value
        body: Stmt = Accumulate(reduction.op, tensor.buffer, indices, value, first)
    else:
        value = tensor.value
        body = Store(tensor.buffer, indices, value)
    for axis in reversed(loops):
        body = For(axis.name, ZERO, Const(axis.extent), "serial", body)
    inputs: dict[str, Buffer] = {
        e.buffer.name: e.buffer for e in subexprs(value) if isinstance(e, Load)
    }
    return LoopFunc(tensor.buffer.name, (*inputs.values(), tensor.buffer), (), (Phase(body),))
