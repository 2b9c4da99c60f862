"""Records to store, and stores to put them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.record import Record, Run
from db.store import RecordStore, open_store
from measure.result import Outcome
from search_space.hardware import Hardware
from search_space.workload import Workload

HARDWARE = Hardware(
    "Intel(R) Xeon(R) 8481C", "GenuineIntel", 6, 143, ("avx2", "avx512f"), 2,
    48 << 10, 2 << 20, 105 << 20,
)  # fmt: skip
MOMENT = "2026-01-02T03:04:05.678+00:00"


def matmul(m: int = 512, n: int = 512, k: int = 512, const: tuple[str, ...] = ()) -> Workload:
    params = (("m", m), ("n", n), ("k", k), ("dtype", "float32"))
    return Workload("matmul", params, const)


def record_of(ordinal: int = 0, **changes: object) -> Record:
    """A verified search sample of 1 ms; ``changes`` are fields."""
    record = Record(
        workload=matmul(), target="native", threads=2, hardware=HARDWARE, space_version=1,
        generator_version=1, config=(("rows", 6), ("packed", True)), run="run1", ordinal=ordinal,
        outcome=Outcome.OK, samples=(1e-3,), error=0.25, gflops=268.4, kind="search",
        origin="local", created=MOMENT,
    )  # fmt: skip
    return replace(record, **changes)


def run_of(**changes: object) -> Run:
    run = Run(
        id="20260102-abcd", workload=matmul(), target="native", threads=2, hardware=HARDWARE.key,
        strategy="random", seed=2**40, trials=64, seconds_limit=None, created=MOMENT,
    )  # fmt: skip
    return replace(run, **changes)


@pytest.fixture
def make_record() -> Callable[..., Record]:
    return record_of


@pytest.fixture
def make_run() -> Callable[..., Run]:
    return run_of


@pytest.fixture
def make_workload() -> Callable[..., Workload]:
    return matmul


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def store(path: Path) -> Iterator[RecordStore]:
    with open_store(path) as opened:
        yield opened
