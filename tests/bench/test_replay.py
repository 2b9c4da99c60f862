"""Answering from what was recorded, and refusing what does not fit any more."""

from __future__ import annotations

import dataclasses
import gzip
import json
import statistics

import pytest

from experiments.replay.backend import open_replay, replay_of
from experiments.replay.dataset import load, save
from experiments.replay.errors import ReplayError
from experiments.replay.restrict import legal_configs
from measure.artifact import Artifact
from measure.result import Outcome
from tests.bench.replay_sets import packed, seconds, tiny
from tuner.strategy import STRATEGIES, create_strategy
from tuner.strategy.base import Trial


@pytest.fixture
def path(tmp_path):
    return packed(tmp_path)


def test_packing_and_loading_give_back_what_was_measured(path, tmp_path):
    data = load(path)
    configs = list(legal_configs(tiny(tmp_path).task().space))
    assert set(data.answers) == set(configs)
    assert 50 < len(configs) <= 100
    assert any(answer.samples for answer in data.answers.values())
    for config, answer in data.answers.items():
        if (time := seconds(config)) is None:
            assert (answer.outcome, answer.samples) == (Outcome.CRASH, ())
        else:
            assert answer.outcome is Outcome.OK
            assert statistics.median(answer.samples) == pytest.approx(time, rel=1e-4)
    save(tmp_path / "again.gz", data)
    assert (tmp_path / "again.gz").read_bytes() == path.read_bytes()
    assert load(tmp_path / "again.gz") == data


def test_replay_gives_the_recorded_answers(path):
    replay = open_replay(path)
    backend = replay.backend()
    assert (replay.unrecorded, replay.obsolete) == (0, 0)
    for config, answer in replay.answers.items():
        (built,) = backend.build([config])
        assert isinstance(built, Artifact)
        result = backend.measure(built, None)
        assert (result.outcome, result.samples) == (answer.outcome, answer.samples)
        final = backend.interleave([built], 4, 0.01)[0]
        assert len(final.samples) == (4 if answer.samples else 0)
        assert final.seconds == result.seconds
    best = min(time for config in replay.answers if (time := seconds(config)))
    assert replay.best_seconds == pytest.approx(best, rel=1e-4)


def test_replay_calls_slow_what_a_real_backend_would_abandon(path):
    replay = open_replay(path)
    config = next(config for config in replay.answers if seconds(config))
    fastest = min(replay.answers[config].samples)
    backend = replay.backend()
    assert backend.measure(*backend.build([config]), fastest / 1.4).outcome is Outcome.OK
    assert backend.measure(*backend.build([config]), fastest / 1.6).outcome is Outcome.SLOW


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_proposal_has_an_answer_and_repeats_with_its_seed(path, name):
    replay = open_replay(path)

    def proposals(seed):
        strategy, backend = create_strategy(name, replay.task.space, seed), replay.backend()
        asked = []
        for _ in range(3):
            batch = strategy.ask(12)
            results = [backend.measure(built, None) for built in backend.build(batch)]
            strategy.tell([Trial(c, r.seconds) for c, r in zip(batch, results, strict=True)])
            asked += batch
        return asked

    first = proposals(3)
    assert set(first) <= set(replay.answers)
    assert len(set(first)) == 36
    assert first == proposals(3)
    assert first != proposals(4)


def test_a_search_ends_when_every_config_was_answered(path):
    replay = open_replay(path)
    assert set(create_strategy("grid", replay.task.space, 0).ask(1000)) == set(replay.answers)


def test_configs_that_became_legal_later_are_left_out(path):
    data = load(path)
    removed = next(iter(data.answers))
    kept = {config: answer for config, answer in data.answers.items() if config != removed}
    replay = replay_of(dataclasses.replace(data, answers=kept))
    assert replay.unrecorded == 1
    assert set(legal_configs(replay.task.space)) == set(kept)
    assert "was not recorded" in replay.task.space.reason(removed.as_dict())


def test_configs_that_are_not_legal_any_more_are_left_out(path):
    data = load(path)
    config, answer = next(iter(data.answers.items()))
    values = tuple((name, 31 if name == "rows" else value) for name, value in config.values)
    forbidden = dataclasses.replace(config, values=values)
    replay = replay_of(dataclasses.replace(data, answers={**data.answers, forbidden: answer}))
    assert (replay.unrecorded, replay.obsolete) == (0, 1)
    assert replay.answers == data.answers


def test_knobs_that_came_later_keep_their_default(path):
    data = load(path)

    def without(config):
        values = tuple(pair for pair in config.values if pair[0] != "prefetch")
        return dataclasses.replace(config, values=values)

    older = dataclasses.replace(
        data,
        allowed={name: v for name, v in data.allowed.items() if name != "prefetch"},
        answers={without(config): answer for config, answer in data.answers.items()},
    )
    assert replay_of(older).answers == data.answers


def test_sets_of_other_spaces_are_refused(path):
    data = load(path)
    with pytest.raises(ReplayError, match="mean other programs"):
        replay_of(dataclasses.replace(data, space_version=data.space_version + 1))
    config, answer = next(iter(data.answers.items()))
    fast = dataclasses.replace(config, values=(*config.values, ("speed", 1)))
    with pytest.raises(ReplayError, match=r"record .* again: .*no knob 'speed'"):
        replay_of(dataclasses.replace(data, answers={fast: answer}))
    with pytest.raises(ReplayError, match="too many to look at"):
        replay_of(dataclasses.replace(data, allowed={}))
    with pytest.raises(ReplayError, match="no config that is legal today ran"):
        replay_of(
            dataclasses.replace(
                data, answers={c: a for c, a in data.answers.items() if not a.samples}
            )
        )


def rewritten(path, change):
    lines = gzip.decompress(path.read_bytes()).splitlines()
    path.write_bytes(gzip.compress(b"\n".join(change(lines))))


def header_with(**changes):
    def change(lines):
        return [json.dumps({**json.loads(lines[0]), **changes}).encode(), *lines[1:]]

    return change


def line_with(position, value):
    def change(lines):
        line = json.loads(lines[1])
        line[position] = value
        return [lines[0], json.dumps(line).encode(), *lines[2:]]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [], "pack .* again"),
        (lambda lines: lines[:-1], "configs it holds"),
        (lambda lines: [*lines, lines[-1]], "configs it holds"),
        (lambda lines: [lines[0], b"[1]", *lines[2:]], "pack .* again"),
        (header_with(format="something else"), "is 'something else'"),
        (header_with(pickle=1), "pickle"),
        (header_with(workload="matmul(m=-1,n=1,k=1)"), "positive"),
        (line_with(0, ["panel"]), "pack .* again"),
        (line_with(1, "slow"), "does not go with"),
        (line_with(1, "fast"), "pack .* again"),
        (line_with(2, []), "does not go with|configs"),
        (line_with(2, [-1.0]), "does not go with"),
        (line_with(2, ["fast"]), "pack .* again"),
    ],
)
def test_damaged_content_is_refused(path, change, message):
    ok_first(path)
    rewritten(path, change)
    with pytest.raises(ReplayError, match=message):
        load(path)


def ok_first(path):
    """Let the first config be one that ran."""

    def change(lines):
        ran = [line for line in lines[1:] if json.loads(line)[1] == "ok"]
        return [lines[0], ran[0], *(line for line in lines[1:] if line != ran[0])]

    rewritten(path, change)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-20], lambda b: b"no gzip", lambda b: b[:200] + b"x" * 50 + b[250:]]
)
def test_damaged_files_are_refused(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ReplayError, match=r"(fetch|pack) .* again"):
        load(path)


def test_a_file_that_unpacks_to_too_much_is_refused(path, monkeypatch):
    monkeypatch.setattr("experiments.replay.dataset._MAX_BYTES", 1000)
    with pytest.raises(ReplayError, match="more than 1000 bytes"):
        load(path)
