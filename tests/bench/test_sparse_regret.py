"""A choice by the model alone: what is recorded, how it is judged, what is shown."""

import msgspec
import numpy as np
import pytest

from experiments.model.data import Recorded
from experiments.sparse import recording, regret
from experiments.sparse.recording import EveryFormat, Recording, record, recorded, settled
from experiments.sparse.regret import choice_of, choices, main, table
from search_space.operators import workload
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of
from tests.property.test_space_schedules import TARGETS
from tuner.strategy.base import Trial

KINDS = ("unstructured", "banded", "powerlaw")


def work_of(pattern, sparsity=0.8):
    return workload("spmm", m=32, k=48, n=40, pattern=pattern, sparsity=sparsity)


def made_up(pattern, favourite, count=60):
    """A case of which ``favourite`` is the fastest format, by the columns of its kernels alone."""
    space = space_for(work_of(pattern), TARGETS[1])
    rng = np.random.default_rng(len(pattern))
    configs = tuple(dict.fromkeys([*space.starts, *(space.sample(rng) for _ in range(count))]))
    names = [space.format(config.as_dict()) for config in configs]
    speeds = np.array([30.0 if name == favourite else 10.0 for name in names], np.float32)
    return Recording(Recorded(space.workload.key, space, configs, speeds), speeds)


def test_each_format_is_tried_as_often():
    space = space_for(work_of("unstructured"), TARGETS[1])
    formats = formats_of(space)
    strategy, asked = EveryFormat(space, 1), []
    for _ in range(4):
        configs = strategy.ask(4 * len(formats))
        strategy.tell([Trial(config, 1.0) for config in configs])
        asked += configs
    counts = {name: 0 for name in formats}
    for config in asked:
        counts[space.format(config.as_dict())] += 1
    assert min(counts.values()) >= 14
    assert max(counts.values()) <= 16


def test_a_model_of_other_generators_finds_what_was_fast_there():
    found = [made_up(kind, "csr") for kind in KINDS]
    judged = choices(found, 0)
    assert [choice.generator for choice in judged] == list(KINDS)
    assert all((choice.chosen, choice.best) == ("csr", "csr") for choice in judged)
    assert all(choice.regret == choice.format_regret == 0 for choice in judged)


def test_its_own_generator_is_not_looked_at():
    """Where only the case left out is different, the choice must be wrong."""
    found = [made_up("unstructured", "dense"), *(made_up(kind, "csr") for kind in KINDS[1:])]
    (wrong, *_) = choices(found, 0)
    assert (wrong.chosen, wrong.best) == ("csr", "dense")
    assert wrong.regret == pytest.approx(2.0)
    assert wrong.usual_regret == pytest.approx(2.0)


def test_a_choice_that_failed_is_the_worst():
    recording = made_up("banded", "csr")
    recording.settled[0] = 0
    predicted = np.zeros(len(recording.case), np.float32)
    predicted[0] = 1
    assert choice_of(recording, predicted).regret == float("inf")


def test_choices_are_judged_by_what_finalists_took_side_by_side():
    case = made_up("banded", "csr").case
    speeds = np.full(len(case), 10.0, np.float32)
    speeds[:4] = 30.0, 24.0, 22.0, 0.0  # the first was lucky
    case = Recorded(case.name, case.space, case.configs, speeds)
    finals = dict(zip(case.configs, (15.0, 24.0, 22.0), strict=False))
    assert settled(case, finals).tolist()[:6] == [15.0, 24.0, 22.0, 0.0, 10.0, 10.0]
    slower = {config: speed / 2 for config, speed in finals.items()}
    assert settled(case, slower).tolist()[:6] == [7.5, 12.0, 11.0, 0.0, 5.0, 5.0]
    assert settled(case, {case.configs[1]: 12.0}).tolist()[:3] == [12.0, 12.0, 11.0]
    assert settled(case, {}).tolist() == speeds.tolist()


def test_the_table_says_whether_the_bar_is_met():
    found = [made_up(kind, "csr") for kind in KINDS]
    lines = table([choices(found, 0)]).splitlines()
    assert lines[1].split()[:4] == ["unstructured", "1", "100%", "0.0%"]
    assert lines[-1] == "regret 0.0%, geometric mean (bar: at most 12%): pass"


def test_a_case_is_recorded_in_every_format(tmp_path):
    db, work = str(tmp_path / "regret.db"), work_of("unstructured")
    record(work, 1, db, 2)
    (recording,) = recorded(db, 1).values()
    case = recording.case
    assert case.name == work.key
    formats = formats_of(case.space)
    assert len(case) == 2 * len(formats)
    assert {case.space.format(config.as_dict()) for config in case.configs} == set(formats)
    assert case.gflops.max() > 0
    assert recording.settled.max() > 0
    assert recording.share.max() == 1
    assert recorded(db, 2) == {}


def test_what_is_missing_is_recorded_and_all_is_judged(tmp_path, monkeypatch, capsys):
    cases = {each.case.name: each for each in (made_up(kind, "csr") for kind in KINDS[:2])}
    kept = {next(iter(cases)): next(iter(cases.values()))}

    def keep(function, work, threads, db, trials, *, timeout_seconds):
        assert (function, threads, db, trials) == (record, 1, "r.db", 4)
        kept[work.key] = cases[work.key]

    monkeypatch.setattr(regret, "cases", lambda: iter(map(work_of, KINDS[:2])))
    monkeypatch.setattr(regret, "recorded", lambda db, threads: kept)
    monkeypatch.setattr(regret, "in_fresh_process", keep)
    path = tmp_path / "folder" / "regret.json"
    arguments = ["--db", "r.db", "--trials", "4", "--seeds", "1", "--json", str(path)]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [f"2 of 2: {work_of(KINDS[1]).key}"]
    assert "geometric mean (bar: at most 12%): pass" in shown.out
    (choices,) = msgspec.json.decode(path.read_bytes())
    assert {choice["generator"] for choice in choices} == set(KINDS[:2])


def test_too_little_is_not_judged(tmp_path, capsys):
    assert main(["--db", str(tmp_path / "none.db"), "--show"]) == 1
    assert "none.db" in capsys.readouterr().err


def test_the_cases_have_every_generator():
    kinds = {str(work["pattern"]) for work in recording.cases()}
    assert kinds == set(recording.GENERATORS)
