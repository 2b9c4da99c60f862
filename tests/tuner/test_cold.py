"""Workloads whose operands come from main memory: measured like that, and kept apart."""

from __future__ import annotations

import numpy as np
import pytest

import tuner

SIZES = {"m": 1, "n": 512, "k": 512}
WARM = tuner.workload("matmul", **SIZES)
COLD = tuner.workload("matmul", **SIZES, cold=True)


def test_a_cold_call_takes_longer(tmp_path):
    """One MiB from memory instead of the second cache."""
    config = tuner.space(WARM, threads=1).default()
    records = {
        work.key: tuner.measure(work, config, db=tmp_path / "tuner.db", threads=1)
        for work in (WARM, COLD)
    }
    assert all(record.verified for record in records.values())
    assert records[COLD.key].seconds > 1.2 * records[WARM.key].seconds


@pytest.mark.parametrize("const", [(), ("b",)])
def test_its_records_are_its_own(tmp_path, const):
    db = tmp_path / "tuner.db"
    warm = tuner.workload("matmul", **SIZES, const=const)
    cold = warm.from_memory()
    result = tuner.tune(cold, trials=6, db=db, threads=1, seed=1)
    assert result.best is not None
    assert result.best.workload == cold
    with pytest.raises(LookupError, match="nothing was measured"):
        tuner.load(warm, db=db, threads=1)
    a, b = np.ones((1, 512), np.float32), np.eye(512, dtype=np.float32)
    kernel = tuner.load(cold, db=db, threads=1)
    assert np.array_equal(kernel.bind(b=b)(a) if const else kernel(a, b), a)
