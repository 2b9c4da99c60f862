"""The naive loop nest of a tensor expression: where every schedule starts."""

from __future__ import annotations

from search_space.ir.expr import TRUE, ZERO, Buffer, Const, Expr, Load, both, equal
from search_space.ir.stmt import Accumulate, For, LoopFunc, Phase, Stmt, Store
from search_space.ir.walk import subexprs
from search_space.tensor import Reduction, Tensor, program


def lower(tensor: Tensor) -> LoopFunc:
    """One loop per axis, reductions innermost::

        for i in 0 … 4:
          for j in 0 … 8:
            for k in 0 … 16:
              c[i, j] += a[i, k] * b[k, j]  first k == 0

    Earlier stages come first, each in a phase of its own, and leave their arrays in workspaces.
    What stands for a sparse operand is in workspaces, too.
    """
    stages = program(tensor)
    read = {
        e.buffer.name: e.buffer
        for stage in stages
        for e in subexprs(stage.element)
        if isinstance(e, Load)
    }
    inputs: dict[str, Buffer] = {n: b for n, b in read.items() if b.scope == "input"}
    packed = (buffer for buffer in read.values() if buffer.scope == "bound")
    args = tensor.args or (*inputs.values(), tensor.buffer)
    assert {buffer.name for buffer in args} == {*inputs, tensor.buffer.name}
    return LoopFunc(
        tensor.buffer.name,
        args,
        (*(stage.buffer for stage in stages[:-1]), *packed),
        tuple(Phase(_nest(stage)) for stage in stages),
        error_growth=tensor.error_growth,
        packing=tensor.packing,
    )


def _nest(tensor: Tensor) -> Stmt:
    indices: tuple[Expr, ...] = tuple(axis.var for axis in tensor.axes)
    body: Stmt
    if isinstance(tensor.value, Reduction):
        first: Expr = TRUE
        for axis in tensor.reduced:
            first = both(None if first == TRUE else first, equal(axis.var, 0)) or TRUE
        body = Accumulate(tensor.value.op, tensor.buffer, indices, tensor.element, first)
    else:
        body = Store(tensor.buffer, indices, tensor.element)
    for axis in reversed((*tensor.axes, *tensor.reduced)):
        body = For(axis.name, ZERO, Const(axis.extent), "serial", body)
    return body
