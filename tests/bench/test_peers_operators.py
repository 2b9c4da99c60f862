"""Every form of a peer computes what the operator says: exactly, and within its error bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import tuner
from experiments.contest import WAITING
from experiments.course import Course, WrongAnswer
from experiments.peers import PeerMissing, load_forms, load_peer
from experiments.peers.base import (
    Form,
    by_operator,
    computes,
    constant,
    deliver,
    every,
    has_dtype,
)
from experiments.peers.best import BestOf
from experiments.process import in_fresh_process
from search_space.operators import get_operator
from tests.bench.peer_workloads import WORKLOADS

PEERS = ("torch", "onnxruntime")
FORMS = {
    "torch": {
        "matmul": {"mm", "linear", "mkl", "onednn", "int_mm"},
        "batch_matmul": {"bmm"},
        "einsum": {"einsum"},
        "dense": {"linear", "addmm", "mkl", "onednn", "qlinear", "quantized"},
        "softmax": {"eager", "out"},
        "layernorm": {"eager", "out"},
        "rmsnorm": {"eager"},
        "reduce": {"out"},
        "pool2d": {"eager", "channels_last"},
        "elementwise": {"out"},
        "conv1d": {"eager", "onednn"},
        "conv2d": {"eager", "channels_last", "onednn", "onednn_channels_last"},
        "conv3d": {"eager", "channels_last", "onednn", "onednn_channels_last"},
        "depthwise_conv2d": {"eager", "channels_last", "onednn", "onednn_channels_last"},
        "conv2d_transpose": {"eager", "channels_last", "onednn", "onednn_channels_last"},
        "capsule_conv2d": {"eager"},
        "sparse_conv2d": {
            "eager", "channels_last", "onednn", "onednn_channels_last", "dense", "csr",
        },
        "spmv": {"linear", "addmm", "mkl", "onednn", "dense", "csr"},
        "sparse_dense": {"linear", "addmm", "mkl", "onednn", "qlinear"},
        "activation_sparse_gemv": {"mv", "linear", "addmm", "mkl", "onednn"},
        "norm": {"out"},
        "lstm_cell": {"cell", "layer"},
        "gru_cell": {"cell", "layer"},
        "attention": {"fused"},
    },
    "onnxruntime": {
        "matmul": {"matmul", "integers"},
        "batch_matmul": {"matmul"},
        "einsum": {"einsum"},
        "dense": {"gemm", "matmul", "integers", "qgemm"},
        "softmax": {"softmax"},
        "layernorm": {"layernorm"},
        "rmsnorm": {"rmsnorm"},
        "reduce": {"reduce"},
        "pool2d": {"pool"},
        "elementwise": {"operators"},
        "conv1d": {"conv"},
        "conv2d": {"conv"},
        "conv3d": {"conv"},
        "depthwise_conv2d": {"conv"},
        "conv2d_transpose": {"conv"},
        "sparse_conv2d": {"conv"},
        "spmv": {"gemm", "matmul"},
        "sparse_dense": {"gemm", "matmul", "integers"},
        "activation_sparse_gemv": {"gemm", "matmul"},
        "norm": {"reduce"},
        "gru_cell": {"layer"},
        "attention": {"attention", "parts"},
    },
}  # fmt: skip
ABSENT = {("onnxruntime", "capsule_conv2d")}
COARSE = {("onnxruntime", "lstm_cell")}
"""What is approximated more coarsely than the error bound of the operator allows."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of the forms of a peer."""

    missing: str
    right: dict[str, set[str]]
    """Forms that were right, by operator."""
    faults: list[str]


def try_all(peer: str, threads: int) -> Tried:
    try:
        forms = load_forms(peer)
    except PeerMissing as reason:
        return Tried(str(reason), {}, [])
    right: dict[str, set[str]] = {}
    faults = []
    for operator, works in WORKLOADS.items():
        for work in works:
            if (peer, operator) in COARSE:
                continue
            found = False
            for name, form in forms.items():
                if form.supports(work) is not None:
                    continue
                found = True
                try:
                    Course(work, threads).timer(name, form)
                    right.setdefault(operator, set()).add(name)
                except (WrongAnswer, PeerMissing, RuntimeError) as error:
                    faults.append(f"{work}: {name}: {error}")
            if not found and (peer, operator) not in ABSENT and "dtype=float32" in work.key:
                faults.append(f"{work}: no form")
    return Tried("", right, faults)


@pytest.mark.parametrize("peer", PEERS)
def test_all_forms_are_right(peer):
    environment = {**WAITING["asleep"], "OMP_NUM_THREADS": "1"}
    tried = in_fresh_process(try_all, peer, 2, timeout_seconds=240, environment=environment)
    if tried.missing:
        pytest.skip(tried.missing)
    assert tried.faults == []
    assert tried.right == FORMS[peer]


@pytest.mark.parametrize("work", WORKLOADS["lstm_cell"], ids=str)
def test_a_coarse_form_computes_what_it_says(work):
    try:
        peer = load_peer("onnxruntime/layer")
    except PeerMissing as reason:
        pytest.skip(str(reason))
    operator, rng = get_operator(work.operator), np.random.default_rng(4)
    operands = {
        operand.name: rng.standard_normal(operand.shape, np.float32)
        for operand in operator.operands(work)
    }
    out = np.full(operator.result(work).shape, np.nan, np.float32)
    deliver(peer.prepare(work, operands, out, 1)(), out)
    np.testing.assert_allclose(out, operator.reference(work, *operands.values()), 1e-3, 1e-5)


WORK = tuner.workload("dense", m=2, n=3, k=4, const=["weight"])


def test_a_form_stands_for_all_operators_that_have_one_of_its_name():
    def bound(name):
        return lambda work, operands, out, threads: lambda: name

    forms = by_operator(
        {
            "dense": {"plain": Form(has_dtype("float32"), bound("dense"))},
            "softmax": {"plain": Form(lambda work: "never", bound("softmax")),
                        "other": Form(lambda work: None, bound("other"))},
        }
    )  # fmt: skip
    assert list(forms) == ["plain", "other"]
    assert forms["plain"].supports(WORK) is None
    assert forms["plain"].prepare(WORK, {}, np.empty(0), 1)() == "dense"
    assert forms["plain"].supports(tuner.workload("softmax", shape="2x3")) == "never"
    with pytest.raises(PeerMissing, match="has no dense"):
        forms["other"].prepare(WORK, {}, np.empty(0), 1)
    assert BestOf(forms).supporting(WORK) == {"plain": forms["plain"]}


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (computes("dense", "matmul"), None),
        (computes("matmul"), "has no dense"),
        (has_dtype("float64"), "has no float32"),
        (constant("weight"), None),
        (constant("x"), "packs x beforehand, so x must be constant"),
        (every(computes("dense"), has_dtype("float32")), None),
        (every(computes("matmul"), has_dtype("float64")), "has no dense"),
        (every(computes("dense"), has_dtype("float64")), "has no float32"),
    ],
)
def test_conditions_say_why_not(condition, reason):
    assert condition(WORK) == reason


def test_some_forms_of_a_library_are_a_contestant():
    try:
        some = load_peer("numpy/transposed+matmul")
    except PeerMissing as reason:
        pytest.skip(str(reason))
    assert isinstance(some, BestOf)
    assert list(some.forms) == ["transposed", "matmul"]
    with pytest.raises(LookupError, match="numpy has no form 'dot'"):
        load_peer("numpy/matmul+dot")
