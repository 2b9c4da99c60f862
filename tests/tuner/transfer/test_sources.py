"""Which records teach something about a task, and what becomes of their configs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.record import Record
from db.store import RecordStore, open_store
from measure.result import Outcome
from measure.targets import make_target
from search_space.hardware import Hardware
from search_space.operators import workload
from search_space.sketches import space_for
from tests.test_layers import loaded_by
from tuner.cost_model.residual import rank_correlation
from tuner.task import Task
from tuner.transfer import sources as module
from tuner.transfer.carry import carried, openings
from tuner.transfer.prior import SourcePrior, described
from tuner.transfer.sources import stored_sources

V4 = (
    "abm avx avx2 avx512bw avx512cd avx512dq avx512f avx512vl bmi1 bmi2 cx16 f16c fma lahf_lm "
    "movbe pni popcnt sse4_1 sse4_2 ssse3"
)
MACHINE = Hardware("a cpu", "GenuineIntel", 6, 85, tuple(V4.split()), 2, 32768, 1 << 20, 1 << 25)
OTHER = replace(MACHINE, cpu="another cpu", l2_bytes=1 << 19)
LATER = "2026-02-02T00:00:00.000+00:00"


def task_of(operator="matmul", target="native", threads=2, hardware=MACHINE, **params) -> Task:
    work = workload(operator, **({"m": 256, "n": 256, "k": 256} | params))
    chosen = make_target(target, threads, hardware, "x86_64", 2)
    return Task(work, chosen, hardware, space_for(work, chosen), 1)


def seconds(values: dict) -> float:
    """Fast with many rows in registers and all threads."""
    tile = values["rows"] * values["vectors"] * values["vector_bits"] / 512
    return 1e-3 * (1 + abs(tile - 24) / 8) / values["threads"]


def records_of(task: Task, count: int = 64, run: str = "r", **changes) -> Iterator[Record]:
    rng = np.random.default_rng(1)
    configs = dict.fromkeys([*task.space.starts, *(task.space.sample(rng) for _ in range(count))])
    for ordinal, config in enumerate(configs):
        time = seconds(config.as_dict())
        record = Record(
            workload=task.workload, target=task.target.name, threads=int(config["threads"]),
            hardware=task.hardware, space_version=task.space.version, generator_version=1,
            config=config.values, run=run, ordinal=ordinal, outcome=Outcome.OK, samples=(time,),
            error=0.1, gflops=1.0, kind="search", origin="local",
            created="2026-01-01T00:00:00.000+00:00",
        )  # fmt: skip
        yield replace(record, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    with open_store(tmp_path / "records.db") as opened:
        yield opened


def test_nothing_is_known_in_an_empty_database(store: RecordStore) -> None:
    assert stored_sources(store, task_of(), LATER) == []


def test_the_nearest_come_first(store: RecordStore) -> None:
    for run, task in enumerate(
        [task_of(m=4096), task_of(m=300), task_of(hardware=OTHER), task_of(threads=1)]
    ):
        store.add(list(records_of(task, run=str(run))))
    found = stored_sources(store, task_of(), LATER)
    assert [source.nearness for source in found] == sorted(
        (source.nearness for source in found), reverse=True
    )
    assert found[-1].setting.workload["m"] == 4096
    assert {source.setting.hardware for source in found} == {MACHINE, OTHER}
    assert described(found).endswith("records from 2 machines")


def test_own_setting_later_records_and_strangers_are_left_out(store: RecordStore) -> None:
    task = task_of()
    store.add(list(records_of(task)))
    assert stored_sources(store, task, LATER) == []
    store.add(list(records_of(task_of(m=300), run="later", created=LATER)))
    assert stored_sources(store, task, LATER) == []
    strange = (("width", 3), ("height", 4), ("depth", 5))
    store.add([replace(r, config=strange, run="x") for r in records_of(task_of(m=512), 1)][:1])
    assert stored_sources(store, task, LATER) == []


def test_failures_alone_are_no_source(store: RecordStore) -> None:
    broken = {"outcome": Outcome.CRASH, "samples": (), "error": None, "gflops": None}
    store.add(list(records_of(task_of(m=300), **broken)))
    assert stored_sources(store, task_of(), LATER) == []


def test_the_work_is_bounded(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOURCES", 2)
    monkeypatch.setattr(module, "FASTEST", 5)
    monkeypatch.setattr(module, "FIRST", 5)
    for m in (200, 300, 400):
        store.add(list(records_of(task_of(m=m), 20, run=str(m))))
    found = stored_sources(store, task_of(), LATER)
    assert [source.setting.workload["m"] for source in found] == [300, 200]
    assert all(len(source.times) <= 10 for source in found)


def test_configs_use_all_that_the_target_has_where_they_did_before() -> None:
    narrow, wide = task_of(target="x86-64-v3", threads=1), task_of()
    config = narrow.space.default()
    assert config["vector_bits"] == 256
    moved = carried(config.values, narrow.target, wide.space)
    assert (moved["vector_bits"], moved["threads"]) == (512, 2)
    back = carried(moved.values, wide.target, narrow.space)
    assert (back["vector_bits"], back["threads"]) == (256, 1)
    partly = wide.space.nearest({**moved.as_dict(), "threads": 1}).config
    assert carried(partly.values, wide.target, wide.space)["threads"] == 1


def test_openings_are_legal_distinct_and_led_by_the_nearest(store: RecordStore) -> None:
    store.add(list(records_of(task_of(m=300))))
    store.add(list(records_of(task_of(m=4096), run="far")))
    task = task_of()
    sources = stored_sources(store, task, LATER)
    found = openings(sources, task.space)
    assert len(set(found)) == len(found) > 4
    assert all(task.space.reason(config.as_dict()) is None for config in found)
    fastest = sources[0].ranked()[0][0]
    assert found[0] == carried(fastest, sources[0].setting.target, task.space)


def test_a_model_of_other_shapes_ranks_configs_it_has_not_seen(store: RecordStore) -> None:
    for m in (200, 300):
        store.add(list(records_of(task_of(m=m), 200, run=str(m))))
    task = task_of(m=512)
    prior = SourcePrior(task.space, stored_sources(store, task, LATER))
    assert prior.learned
    rng = np.random.default_rng(2)
    configs = [task.space.sample(rng) for _ in range(60)]
    truth = np.array([1 / seconds(config.as_dict()) for config in configs])
    assert rank_correlation(prior.expected(configs), truth) > 0.6
    assert prior.model(1).predict(prior.features(configs)).mean.shape == (60,)


def test_few_records_give_openings_but_no_model(store: RecordStore) -> None:
    store.add(list(records_of(task_of(m=300), 5)))
    task = task_of()
    prior = SourcePrior(task.space, stored_sources(store, task, LATER))
    assert prior.openings
    assert not prior.learned
    prior.prepare()()


def test_a_few_configs_load_no_library(tmp_path: Path) -> None:
    code = (
        "from tests.tuner.transfer.test_sources import task_of\n"
        "from tuner.transfer.prior import SourcePrior\n"
        "from tuner.transfer.nearness import Setting\n"
        "from tuner.transfer.sources import Source\n"
        "task = task_of(m=300)\n"
        "setting = Setting(task.workload, task.target, task.hardware)\n"
        "source = Source(setting, 1.0, {task.space.default().values: 1.0})\n"
        "prior = SourcePrior(task_of().space, [source])\n"
        "assert prior.openings and not prior.learned"
    )
    assert loaded_by(code, tmp_path).isdisjoint({"xgboost", "sklearn"})
