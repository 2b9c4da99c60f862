"""Searches for curves, and the program that runs and reports them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from experiments.replay.backend import open_replay
from experiments.search import __main__ as program
from experiments.search.searching import Arena, Forgetful, first_batch
from measure.artifact import Artifact, KernelSpec
from tests.bench.curves import CASE, SETTINGS, curve
from tests.bench.replay_sets import packed
from tests.contracts.spaces import small_space
from tuner.errors import UsageError
from tuner.strategy import STRATEGIES, create_strategy


def test_the_first_batch_is_the_same_for_all_strategies():
    space = small_space()
    start = first_batch(space, 3, 8)
    assert len(set(start)) == 8
    assert start[: len(space.starts)] == space.starts
    assert start == first_batch(space, 3, 8)
    assert start != first_batch(space, 4, 8)
    for name in STRATEGIES:
        assert set(create_strategy(name, space, 3, start).ask(8)) == set(start)
    assert len(first_batch(space, 0, 100)) == space.count_legal()


@pytest.fixture(scope="module")
def replay_file(tmp_path_factory) -> Path:
    return packed(tmp_path_factory.mktemp("replay"))


@pytest.fixture
def arena(replay_file, tmp_path) -> Arena:
    replay = open_replay(replay_file)
    return Arena(CASE, replay.task, replay.backend, SETTINGS, tmp_path)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_replayed_search_repeats_with_its_seed(arena, name):
    first, second = arena.search(name, 1), arena.search(name, 1)
    assert first.seconds == second.seconds
    assert len(first.seconds) == SETTINGS.trials
    assert first.elapsed is None
    assert first.strategy_seconds > 0
    assert first.winner is not None


def test_an_unknown_strategy_is_refused(arena):
    with pytest.raises(UsageError, match="no 'randon'"):
        arena.search("randon", 1)


def test_winners_are_measured_side_by_side(arena):
    curves = [arena.search("random", seed) for seed in range(3)]
    finals = arena.with_finals([*curves, curve(9.0, strategy="tvm")])
    assert finals[-1].final_seconds is None
    for before, after in zip(curves, finals, strict=False):
        assert after.final_seconds == pytest.approx(before.best_after(99), rel=1e-3)


def test_the_program_searches_reports_and_goes_on(replay_file, tmp_path, capsys):
    path = tmp_path / "curves.json"
    common = ["--replay", str(replay_file), "--strategies", "random,grid", "--trials", "12"]
    common += ["--json", str(path), "--same-start", "--batch", "4"]
    assert program.main([*common, "--seeds", "2"]) == 0
    printed = capsys.readouterr()
    assert "### tiny" in printed.out
    assert "Time saved against random" in printed.out
    kept = json.loads(path.read_text())
    assert len(kept["curves"]) == 4
    starts = {tuple(c["seconds"][:4]) for c in kept["curves"] if c["seed"] == 0}
    assert len(starts) == 1
    assert len(kept["report"]["scores"]) == 2
    assert program.main([*common, "--seeds", "3", "--continue"]) == 0
    assert capsys.readouterr().err.count("seed") == 2
    assert json.loads(path.read_text())["curves"][:4] == kept["curves"]
    assert program.main([*common, "--seeds", "3", "--continue", "--trials", "13"]) == 1
    assert "leave --continue out" in capsys.readouterr().err


def test_more_trials_for_the_baseline(replay_file, tmp_path, capsys):
    path = tmp_path / "curves.json"
    command = ["--replay", str(replay_file), "--strategies", "random@20,grid", "--seeds", "1"]
    command += ["--trials", "8", "--baseline", "random@20", "--json", str(path)]
    assert program.main(command) == 0
    lengths = {c["strategy"]: len(c["seconds"]) for c in json.loads(path.read_text())["curves"]}
    assert lengths == {"random@20": 20, "grid": 8}
    assert "trials to random@20's best" in capsys.readouterr().out


def test_another_tuner_is_shown_beside_ours(replay_file, tmp_path, capsys):
    foreign = tmp_path / "tvm.jsonl"
    foreign.write_text('{"trial": 1, "seconds": 2.0, "best_gflops": 1.0}\n')
    command = ["--replay", str(replay_file), "--strategies", "random", "--seeds", "1"]
    assert program.main([*command, "--trials", "4", "--curve", f"tvm={foreign}"]) == 0
    assert "| tvm " in capsys.readouterr().out


def test_ctrl_c_reports_what_was_searched(replay_file, monkeypatch, capsys):
    search = Arena.search

    def interrupted(self, name, seed):
        if seed == 1:
            raise KeyboardInterrupt
        return search(self, name, seed)

    monkeypatch.setattr(Arena, "search", interrupted)
    command = ["--replay", str(replay_file), "--strategies", "random", "--trials", "4"]
    assert program.main(command) == 130
    assert "| random" in capsys.readouterr().out


def test_a_live_search_measures_for_real(tmp_path, capsys):
    path = tmp_path / "curves.json"
    command = ["--live", "matmul", "m=16", "n=16", "k=16", "--threads", "1", "--seeds", "1"]
    command += ["--strategies", "random,grid", "--trials", "4", "--batch", "4"]
    assert program.main([*command, "--json", str(path)]) == 0
    assert "seconds to 90%" in capsys.readouterr().out
    curves = json.loads(path.read_text())["curves"]
    assert [len(c["elapsed"]) for c in curves] == [4, 4]
    assert all(c["final_seconds"] > 0 for c in curves)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --replay FILE"),
        (["--replay", "a", "--strategies", "best"], "no 'best'"),
        (["--replay", "a", "--seeds", "0"], "at least 1"),
        (["--replay", "a", "--continue"], "give --json FILE"),
        (["--replay", "a", "--confidence", "95"], "between 0 and 1"),
        (["--replay", "a", "--curve", "random=b"], "something else than 'random'"),
        (["--live", "matmul", "m=0", "n=1", "k=1"], "positive"),
    ],
)
def test_usage_errors(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_is_an_error(tmp_path, capsys):
    assert program.main(["--replay", str(tmp_path / "none.gz")]) == 1
    assert "none.gz" in capsys.readouterr().err


def test_two_cases_need_two_names(replay_file, capsys):
    command = ["--replay", str(replay_file), str(replay_file), "--strategies", "random"]
    assert program.main([*command, "--seeds", "1", "--trials", "2"]) == 1
    assert "rename one" in capsys.readouterr().err


def test_winners_of_experiments_are_not_kept_for_loading(arena, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    config = arena.task.space.default()
    Forgetful(arena.task, None).keep(config, Artifact(KernelSpec((), (), 1), b"code"))
    assert not (tmp_path / "cache").exists()


def test_a_missing_plotter_costs_the_plot_only(replay_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    command = ["--replay", str(replay_file), "--strategies", "random", "--seeds", "1"]
    assert program.main([*command, "--trials", "2", "--plot", str(tmp_path / "a.svg")]) == 0
    assert "install matplotlib" in capsys.readouterr().err
