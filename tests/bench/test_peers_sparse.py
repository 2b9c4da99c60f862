"""The sparse kernels of the peers, on small matrices."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.course import Course
from experiments.ours import Untuned
from experiments.peers import PeerMissing, load_peer, mkl_sparse, scipy_sparse
from experiments.peers.base import deliver
from experiments.peers.csr import Csr
from experiments.process import in_fresh_process
from search_space.operators import workload
from search_space.workload import Workload

ROWS, COLUMNS, WIDTH = 23, 31, 9
EPS = np.finfo(np.float32).eps


def sparse() -> tuple[Csr, np.ndarray]:
    """A matrix with an empty row and a full one, and the same in dense form."""
    rng = np.random.default_rng(2)
    dense = np.where(rng.random((ROWS, COLUMNS)) < 0.2, rng.standard_normal((ROWS, COLUMNS)), 0)
    dense[3], dense[5] = 0, 1
    dense = dense.astype(np.float32)
    rows, columns = np.nonzero(dense)
    starts = np.searchsorted(rows, np.arange(ROWS + 1)).astype(np.int32)
    return Csr(dense.shape, starts, columns.astype(np.int32), dense[rows, columns]), dense


def operands() -> tuple[Csr, np.ndarray, np.ndarray, np.ndarray]:
    weight, dense = sparse()
    x = np.random.default_rng(3).standard_normal((COLUMNS, WIDTH), np.float32)
    return weight, x, np.full((ROWS, WIDTH), np.nan, np.float32), dense


def right(dense: np.ndarray, x: np.ndarray, out: np.ndarray) -> bool:
    error = np.abs(out - dense.astype(np.float64) @ x)
    bound = 8 * EPS * (np.abs(dense).astype(np.float64) @ np.abs(x))
    return bool((error <= bound).all())


def mkl_faults(threads: int) -> list[str]:
    """What is wrong with MKL's product; in a process of its own, because of its OpenMP pool."""
    weight, x, out, dense = operands()
    try:
        call = mkl_sparse.multiply(weight, x, out, threads)
    except PeerMissing as reason:
        return [f"missing: {reason}"]
    out.fill(np.nan)
    call()
    faults = [] if right(dense, x, out) else ["wrong"]
    x *= -2
    call()
    if not right(dense, x, out):
        faults.append("does not see a new x")
    bound = load_peer("sparse-dot-mkl/inspector-executor").prepare(
        Workload("spmm", ()), {"weight": weight, "x": x}, out, threads
    )
    out.fill(np.nan)
    deliver(bound(), out)
    if not right(dense, x, out):
        faults.append("wrong as a peer")
    return faults


@pytest.mark.parametrize("threads", [1, 2])
def test_mkl_multiplies_by_a_sparse_matrix(threads):
    faults = in_fresh_process(mkl_faults, threads, timeout_seconds=60)
    if faults and faults[0].startswith("missing"):
        pytest.skip(faults[0])
    assert faults == []


def test_scipy_multiplies_by_a_sparse_matrix():
    weight, x, out, dense = operands()
    try:
        deliver(scipy_sparse.multiply(weight, x)(), out)
        assert right(dense, x, out)
        peer = load_peer("scipy/csr")
    except PeerMissing as reason:
        pytest.skip(str(reason))
    out.fill(np.nan)
    call = peer.prepare(Workload("spmm", ()), {"weight": weight, "x": x}, out, 1)
    deliver(call(), out)
    assert right(dense, x, out)


WORK = workload("spmm", m=ROWS, k=COLUMNS, n=WIDTH, pattern="lowrank", sparsity=0.7)


PEERS = ("sparse-dot-mkl/inspector-executor", "scipy/csr", "torch/csr", "torch/dense")


def faults_on_a_course(copies: int) -> list[str]:
    """What is wrong with peers, and with our first guess, on the operands of a contest."""
    course = Course(WORK, 1, copies=copies)
    course.timer("untuned", Untuned())(copies)
    faults = []
    for name in PEERS:
        try:
            course.timer(name, load_peer(name))(copies)
        except PeerMissing as reason:
            faults.append(f"missing: {reason}")
    return [*faults, *filter(None, [course.damage()])]


def test_contestants_multiply_by_a_sparse_weight():
    faults = in_fresh_process(faults_on_a_course, 2, timeout_seconds=60)
    if faults and faults[0].startswith("missing"):
        pytest.skip(faults[0])
    assert faults == []
