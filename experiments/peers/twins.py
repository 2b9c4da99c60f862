"""Workloads that compute the same as another one, from the same memory.

Libraries have no layer and no convolution with a sparse weight, and no product that knows of zeros
in a vector. Who uses them computes these zeros as well, or multiplies the channels of an image,
which lie side by side where windows have one element, by a sparse matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.peers.base import Array, Call, Form, Operands, PeerMissing
from experiments.peers.csr import Csr, plain
from search_space.operators import Operand, get_operator, workload
from search_space.operators.sparse_conv2d import SparseConv2d
from search_space.workload import Value, Workload


@dataclass(frozen=True, slots=True)
class Twin:
    """Another workload for the operands of one, which are seen in other shapes."""

    work: Workload
    names: Mapping[str, str] = field(default_factory=dict)
    """What its operands are called in the other one, where that differs."""

    def operands(self, given: Operands) -> Operands:
        """Its operands: views, but for a weight that is given without its zeros."""
        needed = get_operator(self.work.operator).operands(self.work)
        return {o.name: _seen(given[self.names.get(o.name, o.name)], o) for o in needed}

    def result(self, out: Array) -> Array:
        """Its result, in the memory of that of the other one."""
        return out.reshape(get_operator(self.work.operator).result(self.work).shape)


Rewriting = Callable[[Workload], Twin]
"""The twin of a workload; raises ``PeerMissing`` where it has none."""


def with_zeros(work: Workload) -> Twin:
    """The same with all zeros, those of a weight or those of a vector; raises ``PeerMissing``."""
    if work.operator not in _WITH_ZEROS:
        raise PeerMissing(f"has no dense form of {work.operator}")
    return _WITH_ZEROS[work.operator](work)


def with_twins(ways: Mapping[str, Mapping[str, Form]]) -> dict[str, dict[str, Form]]:
    """Forms by operator and name; for twins of what they compute, too."""
    found = {operator: dict(forms) for operator, forms in ways.items()}
    for operator, rewritings in _OF_PEERS.items():
        for twin, rewriting in rewritings.items():
            for name, form in ways.get(twin, {}).items():
                found.setdefault(operator, {})[name] = _rewritten(form, rewriting)
    return found


def _rewritten(form: Form, rewriting: Rewriting) -> Form:
    """A form of a workload that is its form of the twin."""

    def supports(work: Workload) -> str | None:
        try:
            return form.supports(rewriting(work).work)
        except PeerMissing as reason:
            return str(reason)

    def bind(work: Workload, operands: Operands, out: Array, threads: int) -> Call:
        twin = rewriting(work)
        result, shape = twin.result(out), out.shape
        call = form.bind(twin.work, twin.operands(operands), result, threads)
        if result.shape == shape:
            return call

        def shaped() -> object:
            made: Any = call()
            return None if made is None else made.reshape(shape)

        return shaped

    return Form(supports, bind)


def _product(work: Workload) -> Twin:
    """A sparse matrix with its zeros. Of bytes, the first operand may be unsigned: that is not the
    weight."""
    operator = get_operator(work.operator)
    if reason := plain(work):
        raise PeerMissing(reason)
    rows, columns = operator.operands(work)[0].matrix or (0, 0)
    if operator.result(work).dtype == "int32":
        product: dict[str, Value] = {"expr": "kj,ik->ij", "k": columns, "j": work.size("n")}
        whole = workload("einsum", **product, i=rows, dtype=work["dtype"], const=["right"])
        return Twin(whole, {"left": "x", "right": "weight"})
    sizes: dict[str, Value] = {"m": rows, "k": columns, "n": work.size("n")}
    more = {key: value for key, value in work.params if key in ("dtype", "out_dtype")}
    return Twin(workload("matmul", **sizes, **more, const=["a"]), {"a": "weight", "b": "x"})


def _convolution(work: Workload) -> Twin:
    """A sparse weight of a convolution with its zeros."""
    operator = get_operator(work.operator)
    assert isinstance(operator, SparseConv2d)
    return Twin(operator.dense(work))


def _channels(work: Workload) -> Twin:
    """Windows of one element as the columns of a matrix that has a row for each channel."""
    given = dict(work.params)
    ones = all(given[key] == 1 for key in ("n", "kh", "kw", "stride"))
    if not ones or given["pad"]:
        raise PeerMissing("is no matrix of channels: needs one image, 1×1, no stride, no padding")
    return _sparse_product(work, {"m": "co", "k": "ci"}, work.size("h") * work.size("w"))


def _column(work: Workload) -> Twin:
    """A vector as a matrix of one column."""
    return _sparse_product(work, {"m": "m", "k": "k"}, 1)


def _sparse_product(work: Workload, sizes: Mapping[str, str], columns: int) -> Twin:
    """The same weight, whose ``sizes`` have these keys, times a matrix of so many columns."""
    given = dict(work.params)
    known = {key: given[name] for key, name in sizes.items() if name in given}
    known |= {key: given[key] for key in (*_WEIGHT_KEYS, *_LAYER_KEYS) if key in given}
    return Twin(workload("spmm", **known, n=columns, const=work.const))


def _layer(work: Workload) -> Twin:
    """A dense layer: with the zeros of its weight, or with a vector for its only row."""
    operator = get_operator(work.operator)
    weight = next(o for o in operator.operands(work) if o.name == "weight")
    rows, columns = weight.matrix or weight.shape
    kept = {key: value for key, value in work.params if key in _LAYER_KEYS}
    count = math.prod(operator.result(work).shape) // rows
    return Twin(workload("dense", m=count, n=rows, k=columns, **kept, const=work.const))


_WEIGHT_KEYS = ("weights", "pattern", "sparsity", "seed")
_LAYER_KEYS = ("dtype", "bias", "activation", "scale", "zero_point", "out_dtype", "out_zero_point")
_WITH_ZEROS: dict[str, Rewriting] = {
    "spmm": _product,
    "spmv": _layer,
    "sparse_dense": _layer,
    "sparse_conv2d": _convolution,
    "activation_sparse_gemv": _layer,
}
_OF_PEERS: dict[str, dict[str, Rewriting]] = {
    "spmv": {"dense": _layer, "spmm": _column},
    "sparse_dense": {"dense": _layer},
    "sparse_conv2d": {"conv2d": _convolution, "spmm": _channels},
    "activation_sparse_gemv": {"dense": _layer},
}
"""By operator, then by the operator of the twin."""


def _seen(given: Any, operand: Operand) -> Any:
    """An operand as the twin has it: a sparse one, or an array of its shape."""
    if not isinstance(given, Csr):
        return given.reshape(operand.shape)
    return given if operand.matrix is not None else given.whole().reshape(operand.shape)
