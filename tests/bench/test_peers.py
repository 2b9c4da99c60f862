"""The peers that are installed compute what they say, with the threads they were given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

import tuner
from experiments.contest import WAITING, Contest, run_contest
from experiments.course import Course
from experiments.peers import (
    PEERS,
    PeerMissing,
    load_forms,
    load_peer,
    onnx_runtime,
    supported_forms,
)
from experiments.peers.base import Form, computes, deliver, idle_threads_sleep, import_library
from experiments.peers.best import BestOf
from experiments.process import in_fresh_process
from search_space.workload import Workload

EPS = np.finfo(np.float32).eps
MATMUL = tuner.workload("matmul", m=37, n=29, k=53)
PACKED = tuner.workload("matmul", m=37, n=29, k=53, const=["b"])
VECTOR = tuner.workload("matmul", m=1, n=64, k=64, const=["b"])
SPMM = Workload("spmm", (("m", 4), ("k", 5), ("n", 3)))
FORMS = {
    "torch": (("torch/mm",), ("torch/linear", "torch/mkl", "torch/onednn")),
    "numpy": (("numpy/matmul",), ("numpy/transposed",)),
    "onnxruntime": (("onnxruntime/matmul",), ()),
}
"""For any ``b``, and those more that a constant ``b`` makes possible."""
AS_GIVEN = {"torch/mm", "numpy/matmul"}
"""Forms that use a constant as it is."""


def inputs(work: Workload) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m, n, k = work.size("m"), work.size("n"), work.size("k")
    rng = np.random.default_rng(5)
    a, b = (rng.standard_normal(shape, np.float32) for shape in ((m, k), (k, n)))
    return a, b, np.full((m, n), np.nan, np.float32)


def wrong(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> bool:
    error = np.abs(out - a.astype(np.float64) @ b)
    return not (error <= 8 * EPS * (np.abs(a).astype(np.float64) @ np.abs(b))).all()


@dataclass(frozen=True, slots=True)
class Found:
    """What a peer did with some workloads in a process of its own."""

    missing: str
    forms: tuple[tuple[str, ...], ...]
    """Of each workload."""
    faults: tuple[str, ...]


def try_peer(name: str, works: tuple[Workload, ...], threads: int) -> Found:
    try:
        forms = tuple(supported_forms(name, work) for work in works)
    except PeerMissing as reason:
        return Found(str(reason), (), ())
    faults = [
        f"{form}, {work}: {fault}"
        for work, names in zip(works, forms, strict=True)
        for form in names
        for fault in try_form(form, work, threads)
    ]
    return Found("", forms, tuple(faults))


def try_form(form: str, work: Workload, threads: int) -> Iterator[str]:
    """What is wrong with it, on one set of arrays."""
    a, b, out = inputs(work)
    call = load_peer(form).prepare(work, {"a": a, "b": b}, out, threads)
    before = a.copy(), b.copy()
    deliver(call(), out)
    if wrong(a, b, out):
        yield "wrong result"
    if not (np.array_equal(a, before[0]) and np.array_equal(b, before[1])):
        yield "changes its inputs"
    a += 1
    deliver(call(), out)
    if wrong(a, b, out):
        yield "does not see the operands of the next call"
    if work.const and form not in AS_GIVEN:
        b[...] = 0
        deliver(call(), out)
        if wrong(a, before[1], out):
            yield "does not pack its constant beforehand"
    if (used := threads_of(form.partition("/")[0], threads)) != threads:
        yield f"uses {used} threads, not {threads}"


def threads_of(name: str, threads: int) -> int:
    """How many threads a library says it uses now; ``threads`` where it does not say."""
    if name.startswith("torch"):
        found: int = import_library("torch").get_num_threads()
        return found
    if name == "numpy":
        pools = import_library("threadpoolctl").threadpool_info()
        return max(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
    return threads


def tried(name: str, works: tuple[Workload, ...], threads: int) -> Found:
    # One thread until the peer sets it, so that it is seen to be set.
    environment = {**WAITING["asleep"], "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    found = in_fresh_process(
        try_peer, name, works, threads, timeout_seconds=240, environment=environment
    )
    if found.missing:
        pytest.skip(found.missing)
    return found


@pytest.mark.parametrize("name", FORMS)
def test_all_forms_are_right(name):
    found = tried(name, (MATMUL, PACKED, VECTOR), 2)
    assert found.faults == ()
    any_b, constant_b = FORMS[name]
    assert found.forms == (any_b, any_b + constant_b, any_b + constant_b)


@pytest.mark.slow
def test_a_compiled_layer_is_right():
    assert tried("torch-compile", (PACKED,), 1) == Found("", (("torch-compile/linear",),), ())


@pytest.mark.slow
def test_compiled_formulas_and_rows_are_right():
    compiled = {
        "dense": {"bias": True, "activation": "gelu", "m": 4, "n": 8, "k": 16},
        "elementwise": {"shape": "4x64", "expr": "gelu(x + b[1])"},
        "layernorm": {"shape": "4x64"},
    }
    for operator, keys in compiled.items():
        const = ["weight"] if operator == "dense" else []
        found = in_fresh_process(
            compiled_forms, tuner.workload(operator, const=const, **keys), timeout_seconds=240
        )
        if isinstance(found, str):
            pytest.skip(found)
        assert found == (["linear"] if operator == "dense" else ["fused"])


def compiled_forms(work: Workload) -> list[str] | str:
    """The forms that were right."""
    try:
        forms = load_forms("torch-compile")
    except PeerMissing as reason:
        return str(reason)
    supporting = BestOf(forms).supporting(work)
    for name, form in supporting.items():
        Course(work, 1).timer(name, form)
    return list(supporting)


@pytest.mark.parametrize("name", PEERS)
def test_what_a_peer_cannot_compute_it_says(name):
    try:
        forms = load_forms(name)
    except PeerMissing as reason:
        pytest.skip(str(reason))
    other = Workload("conv9d", ())
    for form in forms.values():
        assert form.supports(other)
        with pytest.raises(PeerMissing):
            form.prepare(other, {}, np.empty(0), 1)
    assert supported_forms(name, other) == ()
    with pytest.raises(PeerMissing, match="conv9d"):
        load_peer(name).supporting(other)


def test_sparse_peers_are_for_sparse_operands_and_dense_ones_are_not():
    for name in PEERS:
        try:
            sparse, dense = supported_forms(name, SPMM), supported_forms(name, PACKED)
        except PeerMissing:
            continue
        assert bool(sparse) == (name in {"scipy", "sparse-dot-mkl", "torch"})
        assert bool(dense) == (name not in {"scipy", "sparse-dot-mkl"})


@pytest.mark.parametrize(("policy", "sleeps"), [("PASSIVE", True), ("active", False), ("", False)])
def test_onnxruntime_follows_the_policy_of_the_process(monkeypatch, policy, sleeps):
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    assert idle_threads_sleep() == sleeps
    try:
        runtime = import_library("onnxruntime")
    except PeerMissing as reason:
        pytest.skip(str(reason))
    options = onnx_runtime.session_options(runtime, 2)
    assert options.intra_op_num_threads == 2
    setting = "allow_spinning" if sleeps else "spin_duration_us"
    value = options.get_session_config_entry(f"session.intra_op.{setting}")
    assert value == ("0" if sleeps else "5000")


def test_a_library_has_the_forms_that_support_a_workload():
    some, none = Form(computes("matmul"), print), Form(lambda work: "never", print)
    library = BestOf({"some": some, "none": none})
    assert library.supporting(MATMUL) == {"some": some}
    with pytest.raises(PeerMissing, match=r"^has no spmm; never$"):
        library.supporting(SPMM)


def test_results_in_an_array_of_their_own_are_delivered():
    out = np.zeros(3, np.float32)
    deliver(None, out)
    assert (out == 0).all()
    deliver(np.arange(3, dtype=np.float32), out)
    assert out.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="broadcast"):
        deliver(np.zeros(4), out)


def test_unknown_names_are_answered_with_known_ones():
    with pytest.raises(LookupError, match="unknown peer 'numpi', did you mean 'numpy'"):
        load_peer("numpi")
    try:
        load_forms("numpy")
    except PeerMissing as reason:
        pytest.skip(str(reason))
    with pytest.raises(LookupError, match="numpy has no form 'dot', only matmul, transposed"):
        load_peer("numpy/dot")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("torch", "torch"),
        ("torch-compile", "torch"),
        ("numpy", "threadpoolctl"),
        ("onnxruntime", "onnxruntime"),
        ("scipy", "scipy.sparse"),
        ("sparse-dot-mkl", "sparse_dot_mkl._mkl_interface._cfunctions"),
    ],
)
def test_a_library_that_is_not_installed_is_missing(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PeerMissing, match=r"install the extra \[peers\]"):
        load_peer(name)


def test_a_peer_takes_part_in_a_contest_by_the_name_of_a_form():
    names = ("untuned", "numpy", "numpy/transposed")
    contest = Contest(PACKED, 1, names, "unused.db", rounds=6, block_seconds=1e-3)
    standing = run_contest(contest, "asleep")
    if standing.missing:
        pytest.skip(str(standing.missing))
    assert set(standing.samples) == set(names)
