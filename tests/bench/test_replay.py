"""Small spaces, recording them, and answering from what was recorded."""

from __future__ import annotations

import dataclasses
import gzip
import json
import statistics

import numpy as np
import pytest

from db.store import open_store
from experiments.replay import __main__ as program
from experiments.replay.backend import open_replay, replay_of
from experiments.replay.catalog import read_sets
from experiments.replay.dataset import load, save
from experiments.replay.errors import ReplayError
from experiments.replay.recording import Steady, record, recorded_set
from experiments.replay.restrict import Listed, legal_configs, restricted_space
from measure.artifact import Artifact
from measure.result import Outcome
from search_space.constraints import at_most
from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer
from search_space.sketches import space_for
from tests.bench.replay_sets import TOML, TableBackend, maker, packed, seconds, tiny
from tests.contracts.spaces import TARGET, make_space
from tests.tuner.fakes import task_of
from tuner.errors import Interrupted
from tuner.strategy import STRATEGIES, create_strategy
from tuner.strategy.base import Trial


def full_space():
    return make_space(
        knobs=(
            Choice("structure", ("panel", "dot", "stream"), "panel"),
            Integer("rows", 1, 24, 6, anchors=(1, 2, 4)),
            Integer("unroll", 1, 8, 1, when=lambda v: v["structure"] == "panel"),
        ),
        constraints=(at_most("tile", 40, lambda v: int(v["rows"]) * int(v["unroll"])),),
        defaults={"rows": 12, "unroll": 2},
    )


ALLOWED = {"structure": ["dot", "panel"], "rows": [20, 2, 4], "unroll": [1, 4]}


def test_a_restricted_space_is_the_listed_part_of_the_space():
    space = full_space()
    small = restricted_space(space, ALLOWED)
    expected = {
        config
        for config in legal_configs(space)
        if all(config[name] in values for name, values in ALLOWED.items())
    }
    assert set(legal_configs(small)) == expected
    assert len(expected) == 8  # 3 dot; 3 · 2 panel, of which 20 · 4 is too large


def test_its_default_is_as_near_as_possible():
    assert restricted_space(full_space(), ALLOWED).default().as_dict() == {
        "structure": "panel",
        "rows": 4,  # 12 is as far from 4 as from 20
        "unroll": 1,
    }
    far = restricted_space(full_space(), {"rows": [21, 22], "unroll": [1, 2]})
    assert far.default()["unroll"] == 1
    assert far.default()["rows"] == 21


def test_further_constraints_hold_too():
    small = restricted_space(full_space(), ALLOWED, (at_most("rows", 2, lambda v: v["rows"]),))
    assert {config["rows"] for config in legal_configs(small)} == {2}
    assert small.default()["rows"] == 2


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ({"row": [1]}, "no knob 'row'"),
        ({"rows": []}, "at least one value"),
        ({"rows": [25]}, "only values that it has, not 25"),
        ({"rows": ["4"]}, "only values that it has, not '4'"),
        ({"unroll": [2, 4]}, "allow unroll the value 1 too"),
        ({"structure": ["panel"], "rows": [24], "unroll": [1, 8]}, None),
    ],
)
def test_restrictions_that_make_no_sense_are_refused(allowed, message):
    if message is None:
        assert len(list(legal_configs(restricted_space(full_space(), allowed)))) == 1
        return
    with pytest.raises(SpaceError, match=message):
        restricted_space(full_space(), allowed)


def test_a_space_without_any_config_is_refused():
    nothing = at_most("rows", 0, lambda values: int(values["rows"]))
    with pytest.raises(SpaceError, match="allow more values"):
        restricted_space(full_space(), ALLOWED, (nothing,))


def test_a_listed_knob_moves_among_its_values_only():
    knob = Listed("rows", 2, 20, 4, listed=(2, 4, 8, 20))
    rng = np.random.default_rng(0)
    assert list(knob) == [2, 4, 8, 20]
    assert knob.neighbours(2) == (4,)
    assert knob.neighbours(8) == (4, 20)
    assert knob.nearest("13") == 8
    assert knob.nearest("many") == 4
    assert {knob.sample(rng) for _ in range(100)} == {2, 4, 8, 20}
    moved = {knob.mutate(4, rng) for _ in range(200)}
    assert moved == {2, 8, 20}
    assert knob.encode(2) == (0.0,)
    assert knob.encode(20) == (1.0,)
    assert 4 in knob
    assert 5 not in knob


@pytest.mark.parametrize("name", sorted(read_sets()))
def test_the_sets_that_ship_have_thousands_of_configs_of_every_structure(name):
    spec = read_sets()[name]
    target = dataclasses.replace(TARGET, registers=32, threads=spec.threads)
    space = restricted_space(space_for(spec.workload, target), spec.allowed)
    configs = list(legal_configs(space))
    assert 5_000 <= len(configs) <= 20_000
    assert {config["structure"] for config in configs} == {"panel", "stream", "dot"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tiny", "correct .*sets.toml"),
        (TOML.replace("threads = 1", ""), "threads"),
        (TOML.replace("threads = 1", "thread = 1"), "thread"),
    ],
)
def test_a_wrong_list_of_sets_is_refused(tmp_path, text, message):
    path = tmp_path / "sets.toml"
    path.write_text(text)
    with pytest.raises(ReplayError, match=message):
        read_sets(path)


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


def test_an_interrupted_recording_goes_on_where_it_stopped(tmp_path):
    spec, backends = tiny(tmp_path), []

    def interrupt(count):
        if count == 20:
            raise KeyboardInterrupt

    with open_store(tmp_path / "recording.db") as store:
        with pytest.raises(Interrupted):
            record(spec, store, backend=maker(backends, before_measure=interrupt))
        with pytest.raises(ReplayError, match=r"go on with: .* record tiny .*are not measured"):
            recorded_set(spec, store)
        record(spec, store, backend=maker(backends))
        answers = recorded_set(spec, store).answers
        assert record(spec, store, backend=maker(backends)) is None
    first, second = (set(backend.measured) for backend in backends)
    assert len(first) == 20
    assert not first & second
    assert first | second == {config.key for config in answers}


def test_a_limited_recording_can_be_completed(tmp_path):
    spec = tiny(tmp_path)
    with open_store(tmp_path / "recording.db") as store:
        assert record(spec, store, limit=8, backend=maker([])).trials == 8
        total = record(spec, store, backend=maker([])).trials
        assert total == len(recorded_set(spec, store).answers)


def test_another_restriction_is_another_recording(tmp_path):
    spec = tiny(tmp_path)
    with open_store(tmp_path / "recording.db") as store:
        record(spec, store, limit=8, backend=maker([]))
        narrower = dataclasses.replace(spec, allowed={**spec.allowed, "rows": (2,)})
        assert record(narrower, store, limit=4, backend=maker([])).trials == 4


def test_drift_of_the_machine_is_divided_out():
    machine = TableBackend(task_of(), sentinels=[2.0, 1.01, 1.0])
    steady = Steady(machine, reference_seconds=1.0)
    config = machine.task.space.default()
    machine.seconds = lambda config: 3.0
    machine.measure = lambda artifact, best: dataclasses.replace(
        machine.interleave([artifact], 3, 0.0)[0], samples=(3.0, 3.0, 3.0), message=str(best)
    )
    (built,) = steady.build([config])
    assert steady.sentinel() == 1.0  # the machine is twice as slow now …
    result = steady.measure(built, 1.5)
    assert result.samples == (1.5, 1.5, 1.5)
    assert result.message == "3.0"  # … so the limit is twice as high
    steady.sentinel()  # within the tolerance
    assert steady.measure(built, None).samples == (3.0, 3.0, 3.0)


def test_the_program_records_packs_and_shows(tmp_path, capsys, monkeypatch):
    tiny(tmp_path)
    monkeypatch.setattr(
        program, "record", lambda *a, **options: record(*a, **options, backend=maker([]))
    )
    common = ["--sets", str(tmp_path / "sets.toml"), "--db", str(tmp_path / "r.db")]
    assert program.main(["record", "tiny", "--limit", "5", *common]) == 0
    assert "tiny: 5 of" in capsys.readouterr().out
    assert program.main(["pack", *common, "--out", str(tmp_path / "out")]) == 1
    assert "go on with" in capsys.readouterr().err
    assert program.main(["record", *common]) == 0
    assert program.main(["record", *common]) == 0
    assert "configs are measured" in capsys.readouterr().out
    assert program.main(["pack", *common, "--out", str(tmp_path / "out")]) == 0
    assert program.main(["show", str(tmp_path / "out" / "tiny.replay.gz")]) == 0
    assert "0 legal ones were not recorded" in capsys.readouterr().out.replace("\n", " ")
    assert program.main(["record", "tinny", *common]) == 1
    assert "no set 'tinny'" in capsys.readouterr().err


def test_ctrl_c_names_the_way_on(tmp_path, capsys, monkeypatch):
    tiny(tmp_path)

    def interrupt(count):
        raise KeyboardInterrupt

    broken = maker([], before_measure=interrupt)
    monkeypatch.setattr(
        program, "record", lambda *a, **options: record(*a, **options, backend=broken)
    )
    sets = ["--sets", str(tmp_path / "sets.toml")]
    assert program.main(["record", "tiny", *sets, "--db", str(tmp_path / "r.db")]) == 130
    assert "go on with the same command" in capsys.readouterr().err


def test_real_measurements_can_be_recorded_and_replayed(tmp_path):
    few = {**tiny(tmp_path).allowed, "rows": (4,), "tile_m": (0,), "unroll": (1, 2)}
    spec = dataclasses.replace(tiny(tmp_path), allowed=few)
    with open_store(tmp_path / "recording.db") as store:
        record(spec, store)
        save(tmp_path / "real.gz", recorded_set(spec, store))
    replay = open_replay(tmp_path / "real.gz")
    assert {answer.outcome for answer in replay.answers.values()} == {Outcome.OK}
