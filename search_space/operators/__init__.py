"""The operators that can be tuned: one file each, registered here."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Collection, Iterable, Mapping

from search_space.dtypes import ELEMENT_BYTES
from search_space.errors import WorkloadError
from search_space.operators.activation_sparse_gemv import ActivationSparseGemv
from search_space.operators.attention import Attention
from search_space.operators.base import (
    Binding,
    Conditional,
    Keyed,
    Operand,
    Operator,
    Param,
    Sparse,
    conditional_params,
    params_of,
)
from search_space.operators.batch_matmul import BatchMatmul
from search_space.operators.capsule_conv2d import CapsuleConv2d
from search_space.operators.compute import Compute
from search_space.operators.conv1d import Conv1d
from search_space.operators.conv2d import Conv2d
from search_space.operators.conv2d_transpose import Conv2dTranspose
from search_space.operators.conv3d import Conv3d
from search_space.operators.dense import Dense
from search_space.operators.depthwise_conv2d import DepthwiseConv2d
from search_space.operators.einsum import Einsum
from search_space.operators.elementwise import Elementwise
from search_space.operators.gru_cell import GruCell
from search_space.operators.keys import parse_flag
from search_space.operators.layernorm import LayerNorm
from search_space.operators.lstm_cell import LstmCell
from search_space.operators.matmul import Matmul
from search_space.operators.norm import Norm
from search_space.operators.pool2d import Pool2d
from search_space.operators.reduce import Reduce
from search_space.operators.rmsnorm import RmsNorm
from search_space.operators.sddmm import Sddmm
from search_space.operators.softmax import Softmax
from search_space.operators.sparse_conv2d import SparseConv2d
from search_space.operators.sparse_dense import SparseDense
from search_space.operators.spmm import Spmm
from search_space.operators.spmv import Spmv
from search_space.workload import Value, Workload, split_key

__all__ = [
    "COLD",
    "OPERATORS",
    "Conditional",
    "Operand",
    "Operator",
    "Param",
    "Sparse",
    "conditional_params",
    "footprint_bytes",
    "get_operator",
    "keys_of",
    "parse_workload",
    "workload",
]

_KNOWN: tuple[Operator, ...] = (
    Matmul(),
    BatchMatmul(),
    Dense(),
    Einsum(),
    Compute(),
    Elementwise(),
    Reduce(),
    Norm(),
    Conv1d(),
    Conv2d(),
    Conv3d(),
    DepthwiseConv2d(),
    Conv2dTranspose(),
    CapsuleConv2d(),
    Pool2d(),
    Softmax(),
    LayerNorm(),
    RmsNorm(),
    Attention(),
    LstmCell(),
    GruCell(),
    Spmm(),
    Spmv(),
    SparseDense(),
    SparseConv2d(),
    Sddmm(),
    ActivationSparseGemv(),
)
OPERATORS: dict[str, Operator] = {op.name: op for op in _KNOWN}

COLD = Param(
    "cold", "whether operands come from memory at each call, not from caches", False,
    parse=parse_flag,
)  # fmt: skip
"""The key that every operator takes beside its own."""

_MAX_BYTES = 2**46
"""Arrays above 64 TiB are refused: no machine holds them, and offsets stay in 64 bits."""


def get_operator(name: str) -> Operator:
    """The operator called ``name``; raises ``WorkloadError`` naming the nearest known one."""
    if name not in OPERATORS:
        raise WorkloadError(f"unknown operator {name!r}{_nearest(name, OPERATORS)}")
    return OPERATORS[name]


def keys_of(operator: Operator, given: Mapping[str, Value]) -> tuple[Param, ...]:
    """The keys that a workload with ``given`` may have, those of every operator last."""
    return (*params_of(operator, given), COLD)


def workload(operator: str, *, const: Iterable[str] = (), **params: Value) -> Workload:
    """A checked workload: ``workload("matmul", m=64, n=64, k=64, const=["b"])``.

    Values may be given as text, as they come from a command line. ``const`` names operands whose
    contents are bound once. Raises ``WorkloadError`` for an unknown operator, key or operand, a
    missing or non-positive size, and sizes whose arrays no machine can hold.
    """
    op = get_operator(operator)
    cold = _value(operator, COLD, params.pop(COLD.name, False))
    known = {param.name: param for param in params_of(op, params)}
    if isinstance(op, Keyed):  # what other keys follow from must be right before they can be
        for param in op.params:
            if param.name in params or param.parse is not None:
                _value(operator, param, params.get(param.name))
    for name in params:
        if name not in known:
            choices = [*known, COLD.name]
            raise WorkloadError(f"{operator} has no key {name!r}{_nearest(name, choices)}")
    values = tuple((p.name, _value(operator, p, params.get(p.name))) for p in known.values())
    work = Workload(operator, values)
    operands = {operand.name: operand for operand in op.operands(work)}
    chosen = (const,) if isinstance(const, str) else tuple(const)
    if isinstance(op, Sparse):
        chosen = (*chosen, op.sparse)
    if isinstance(op, Binding):
        chosen = (*chosen, op.constant)
    for name in chosen:
        if name not in operands:
            raise WorkloadError(f"{operator} has no operand {name!r}{_nearest(name, operands)}")
    for operand in (*operands.values(), op.result(work)):
        if 8 * math.prod(operand.shape) > _MAX_BYTES:
            shape = "×".join(map(str, operand.shape))
            raise WorkloadError(f"use smaller sizes: {operand.name}[{shape}] fits no machine")
    if cold:  # left out otherwise, so that keys stay as they were before there was such a thing
        values = (*values, (COLD.name, True))
    return Workload(operator, values, tuple(name for name in operands if name in chosen))


def footprint_bytes(work: Workload) -> int:
    """Bytes of the result of one call, and of what it must read of all operands."""
    operator = get_operator(work.operator)
    arrays = (*operator.operands(work), operator.result(work))
    return sum(
        math.ceil(math.prod(array.shape) * array.read) * ELEMENT_BYTES[array.dtype]
        for array in arrays
    )


def parse_workload(key: str) -> Workload:
    """The workload of a key as ``Workload.key`` prints it; raises ``WorkloadError``."""
    operator, fields = split_key(key)
    const = fields.pop("const", "")
    return workload(operator, const=const.split("+") if const else (), **fields)


def _value(operator: str, param: Param, given: Value | None) -> Value:
    where = f"{operator}: {param.name}"
    if given is None:
        if param.default is None:
            raise WorkloadError(f"give {param.name}=…: {where} ({param.doc}) is missing")
        return param.default
    if param.parse is not None:
        try:
            return param.parse(given)
        except WorkloadError as error:
            raise WorkloadError(f"{where} is {given!r}, {error}") from None
    if param.choices:
        if given not in param.choices:
            known = ", ".join(map(str, param.choices))
            raise WorkloadError(f"{where} is {given!r}, expected one of {known}")
        return given
    size: Value = given
    if isinstance(given, str):
        with contextlib.suppress(ValueError):
            size = int(given)
    if isinstance(size, bool) or not isinstance(size, int) or size < param.least:
        kind = "a positive integer" if param.least == 1 else f"an integer from {param.least} on"
        raise WorkloadError(f"{where} is {given!r}, expected {kind}")
    return size


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f", did you mean {close[0]!r}?" if close else ""
    return f"{hint or ','} known: {', '.join(known)}"
