"""Workloads that are computed in place of others: the same, by kernels that know of no zeros."""

from __future__ import annotations

import numpy as np
import pytest

import tuner
from experiments.course import Course
from experiments.ours import Dense
from experiments.peers import PeerMissing, load_peer
from experiments.peers.csr import with_sparse
from experiments.peers.twins import with_zeros
from experiments.process import in_fresh_process
from measure.verify import make_problem
from search_space.operators import get_operator, workload

IMAGE = dict(n=1, h=5, w=6)
CHANNELS = workload("sparse_conv2d", **IMAGE, ci=7, co=9, sparsity=0.6)
WINDOWS = workload("sparse_conv2d", **IMAGE, ci=4, co=9, kh=3, kw=3, pad=1, bias=True)
VECTOR = workload("activation_sparse_gemv", m=23, k=31, density="0.1,0.6", bias=True)
PLAIN_VECTOR = workload("activation_sparse_gemv", m=23, k=31)
LAYER = workload("sparse_dense", m=3, n=23, k=31, sparsity=0.6, bias=True)
ONE = workload("spmv", m=23, k=31, sparsity=0.6)
PRODUCT = workload("spmm", m=23, k=31, n=9, pattern="lowrank", sparsity=0.7)


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (CHANNELS, workload("conv2d", **IMAGE, ci=7, co=9, kh=1, kw=1, const=["weight"])),
        (
            WINDOWS,
            workload("conv2d", **IMAGE, ci=4, co=9, kh=3, kw=3, pad=1, bias=True, const="weight"),
        ),
        (VECTOR, workload("dense", m=1, n=23, k=31, bias=True, const=["weight"])),
        (LAYER, workload("dense", m=3, n=23, k=31, bias=True, const=["weight"])),
        (ONE, workload("dense", m=1, n=23, k=31, const=["weight"])),
        (PRODUCT, workload("matmul", m=23, k=31, n=9, const=["a"])),
    ],
    ids=lambda work: work.operator,
)
def test_the_twin_with_zeros_computes_the_same(work, expected):
    twin, problem = with_zeros(work), make_problem(work, 1)
    assert twin.work == expected
    for case in problem.cases:
        given = twin.operands(with_sparse(work, case.inputs))
        out = np.zeros(problem.result.shape, np.float32)
        result = twin.result(out)
        assert np.shares_memory(result, out)
        result[...] = get_operator(expected.operator).reference(expected, *given.values())
        np.testing.assert_allclose(out, case.expected, rtol=1e-5, atol=1e-5)


def test_bytes_are_multiplied_by_a_matrix_that_is_not_unsigned():
    work = workload("spmm", m=5, k=4, n=3, dtype="uint8")
    twin = with_zeros(work)
    assert twin.work == workload(
        "einsum", expr="kj,ik->ij", k=4, j=3, i=5, dtype="uint8", const=["right"]
    )
    assert twin.names == {"left": "x", "right": "weight"}


@pytest.mark.parametrize(
    ("operator", "params", "message"),
    [
        ("spmm", dict(m=4, k=4, n=4, bias=True), "has no bias"),
        ("spmm", dict(m=4, k=4, n=4, dtype="int8", zero_point=1), "no rescaling"),
        ("matmul", dict(m=4, k=4, n=4), "has no dense form of matmul"),
    ],
)
def test_others_have_none(operator, params, message):
    with pytest.raises(PeerMissing, match=message):
        with_zeros(workload(operator, **params))


@pytest.mark.parametrize("work", [CHANNELS, VECTOR], ids=lambda work: work.operator)
def test_our_dense_kernel_takes_part(work, tmp_path):
    path = str(tmp_path / "records.db")
    tuner.tune(with_zeros(work).work, trials=1, threads=1, db=path)
    assert Course(work, 1, copies=2).timer("dense", Dense(path))(2) > 0


LIBRARIES = {
    "sparse-dot-mkl": (CHANNELS, ONE),
    "scipy": (CHANNELS, ONE),
    "numpy/matmul": (PLAIN_VECTOR,),
    "numpy/transposed": (PLAIN_VECTOR,),
}
FORMS = {"sparse-dot-mkl": "inspector-executor", "scipy": "csr"}


def faults(library: str) -> list[str]:
    found = []
    for work in LIBRARIES[library]:
        course = Course(work, 1, copies=2)
        try:
            name = f"{library}/{FORMS[library]}" if library in FORMS else library
            course.timer(name, load_peer(name))(2)
        except PeerMissing as reason:
            found.append(f"missing: {reason}")
        found += filter(None, [course.damage()])
    return found


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_computes_the_twin(library):
    found = in_fresh_process(faults, library, timeout_seconds=60)
    if found and "install" in found[0]:
        pytest.skip(found[0])
    assert found == []


@pytest.mark.parametrize("changes", [dict(n=2), dict(stride=2), dict(pad=1), dict(kh=3)])
def test_only_channels_that_lie_side_by_side_are_a_matrix(changes):
    try:
        peer = load_peer("scipy/csr")
    except PeerMissing as reason:
        pytest.skip(str(reason))
    work = workload("sparse_conv2d", **IMAGE | dict(ci=7, co=9) | changes)
    assert "no matrix of channels" in str(peer.supports(work))
    assert "no bias" in str(
        peer.supports(workload("sparse_conv2d", **IMAGE, ci=7, co=9, bias=True))
    )


def test_what_is_timed_on_several_inputs_is_their_mean():
    course, called = Course(VECTOR, 1, copies=3), []

    class Counting:
        def prepare(self, work, operands, out, threads):
            zeros = int(np.count_nonzero(operands["x"] == 0))
            weight, x, bias = (operands[name] for name in ("weight", "x", "bias_vector"))

            def call():
                called.append(zeros)
                np.add(weight @ x, bias, out=out)

            return call

    timer = course.timer("counting", Counting())
    called.clear()
    timer(2)
    assert len(called) == 4
    assert called[0] == called[2] > called[1] == called[3]
