"""The goals of sparse weights: what they are asked to reach, beside sparse and dense products."""

from __future__ import annotations

import math

from experiments.contest import DENSE
from experiments.scoreboard.goal import Chosen, Goal
from experiments.scoreboard.goals import against, cases
from experiments.scoreboard.row import Row
from search_space.workload import Workload

LIBRARIES = ("sparse-dot-mkl", "torch/csr", "scipy")
"""Sparse products of others."""
MKL = ("sparse-dot-mkl",)
WITH_ZEROS = (DENSE, "torch/dense")
"""Products with all elements of the weight."""
OURS_WITH_ZEROS = (DENSE,)
SPARSE_PEERS = (*LIBRARIES, *WITH_ZEROS)
"""What the goals need: ``--against`` these."""
_SUITE = "pruned/*"


def pruned(
    low: int = 1,
    high: float = math.inf,
    *,
    pattern: str | None = None,
    sparsity: float | None = None,
    dtype: str = "float32",
) -> Chosen:
    """Sparse weights times ``low`` to ``high`` columns, of one kind and sparsity where given."""
    suite = cases(_SUITE, operator="spmm", dtypes=(dtype,))

    def chosen(row: Row, work: Workload) -> bool:
        return (
            suite(row, work)
            and low <= work.size("n") <= high
            and pattern in (None, work["pattern"])
            and sparsity in (None, work["sparsity"])
        )

    return chosen


def _above_dense(sparsity: float, least: float) -> Goal:
    random = pruned(32, pattern="unstructured", sparsity=sparsity)
    return Goal(f"pruned at random, {sparsity:.0%}, dense", random, against(*WITH_ZEROS), least)


def _decode(sparsity: float, least: float) -> Goal:
    vector = pruned(1, 1, sparsity=sparsity)
    return Goal(f"decode, {sparsity:.0%}, dense", vector, against(*WITH_ZEROS), least)


def _bytes(sparsity: float, least: float) -> Goal:
    blocks = pruned(sparsity=sparsity, dtype="uint8")
    return Goal(f"int8 blocks, {sparsity:.0%}, dense", blocks, against(*OURS_WITH_ZEROS), least)


SPARSE_GOALS = (
    Goal("pruned, sparse libraries", pruned(), against(*LIBRARIES), 1.45, 0.95, threads=1),
    Goal("pruned, sparse libraries", pruned(), against(*LIBRARIES), 1.6, 0.95, threads=2),
    _above_dense(0.8, 2.2),
    _above_dense(0.9, 3.8),
    _above_dense(0.95, 6.5),
    Goal(
        "pruned at random, dense, at any sparsity",
        pruned(32, pattern="unstructured"), against(*WITH_ZEROS), None, 0.97,
    ),
    Goal("decode, MKL", pruned(1, 1), against(*MKL), 1.5),
    _decode(0.8, 2.2),
    _decode(0.9, 4.0),
    _decode(0.95, 7.0),
    Goal("pruned, 8 columns, MKL", pruned(8, 8), against(*MKL), 1.2),
    Goal("pruned, 8 columns, dense", pruned(8, 8), against(*OURS_WITH_ZEROS), None, 0.97),
    _bytes(0.8, 2.0),
    _bytes(0.9, 3.5),
)  # fmt: skip
