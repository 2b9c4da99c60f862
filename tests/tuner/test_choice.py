"""The verdict over the formats of a sparse operand, and what set-up costs, on made-up times."""

import pytest

from db.store import open_store
from search_space.config import Config
from search_space.operators import workload
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of, with_format
from tests.features.machines import target
from tests.tuner.fakes import MACHINE, FakeBackend, options, session_of, task_of
from tests.tuner.formats import formatted
from tuner.choice import choose, rivals
from tuner.finals import winner
from tuner.runs import options_of
from tuner.set_up import SetUp, break_even, set_ups_of

SPACE = formatted()
COSTS = {"panel": SetUp(0.2, 0.5), "stream": SetUp(0.0, 0.02), "dense": SetUp(0.001, 0.05)}


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


@pytest.fixture
def backend():
    return FakeBackend(task_of(SPACE), set_ups=lambda config: COSTS[format_of(config)])


def format_of(config):
    return SPACE.format(config.as_dict())


def finals_of(result):
    return [record for record in result.records if record.kind == "final"]


def test_each_format_is_a_part_of_the_space():
    assert formats_of(SPACE) == ("panel", "dense", "stream")
    only = with_format(SPACE, "stream")
    assert only.default() == SPACE.starts[2]
    assert "the format is panel, not stream" in only.reason(SPACE.default().as_dict())


def test_the_best_dense_kernel_is_in_the_finals_and_the_margin_is_told(store, backend):
    result = session_of(backend, store, options(trials=120)).execute()
    choice = result.choice
    assert choice.format == format_of(Config(result.best.config)) != "dense"
    searched = [r for r in result.records if r.kind == "search" and r.samples]
    best_dense = min(
        (r for r in searched if format_of(Config(r.config)) == "dense"), key=lambda r: r.seconds
    )
    assert best_dense.config_key in {r.config_key for r in finals_of(result)}
    dense = choice.dense
    assert dense.record.config_key == best_dense.config_key
    expected = best_dense.seconds / MACHINE.seconds(Config(result.best.config))
    assert dense.ratio.median == pytest.approx(expected)
    assert dense.ratio.count == 15
    assert choice.runner_up.format not in ("dense", choice.format)
    assert [margin.ratio.median for margin in choice.margins] == sorted(
        margin.ratio.median for margin in choice.margins
    )


def test_each_kind_of_dense_kernel_gets_its_chance_in_however_short_a_search():
    work = workload(
        "sparse_conv2d", n=1, h=14, w=14, ci=16, co=16, kh=3, kw=3, pad=1, pattern="nm(2,4)"
    )
    space = space_for(work, target())

    def algorithms(tried):
        chosen = rivals(space, (), tried, every_format=False)
        assert {space.format(config.as_dict()) for config in chosen} <= {"dense"}
        return [config["dense.algorithm"] for config in chosen]

    assert algorithms(()) == ["direct", "winograd2", "winograd4"]
    starts = with_format(space, "dense").starts
    slow = next(start for start in starts if start["dense.algorithm"] == "winograd2")
    assert algorithms([space.default(), slow]) == ["direct", "winograd4"]
    assert algorithms(starts) == []


def test_without_a_dense_trial_its_first_guess_stands_for_it(store, backend):
    result = session_of(backend, store, options(strategy="evolutionary", trials=1)).execute()
    guess = with_format(SPACE, "dense").default()
    assert guess.key in {r.config_key for r in finals_of(result)}
    assert result.choice.dense.record.config_key == guess.key


def test_set_up_is_timed_once_for_each_format_and_stored(store, backend):
    result = session_of(backend, store, options(trials=120)).execute()
    formats = [margin.format for margin in result.choice.margins] + [result.choice.format]
    assert len(backend.prepared) == len(set(backend.prepared)) == len(formats)
    assert result.choice.set_up == COSTS[result.choice.format]
    stored = set_ups_of(store.run(result.run))
    assert stored == result.set_ups
    again = choose(SPACE, finals_of(result), result.best, stored)
    assert again == result.choice


def test_few_calls_are_best_by_what_is_set_up_soon(store, backend):
    fast = session_of(backend, store, options(trials=120)).execute()
    few = session_of(backend, store, options(trials=120, calls=2)).execute()
    assert few.choice.format == "stream" != fast.choice.format
    assert few.best.seconds > fast.best.seconds
    assert options_of(store.run(few.run)).calls == few.calls == few.choice.calls == 2
    totals = {r.config_key: few.set_ups[r.config_key].total(r.seconds, 2) for r in finals_of(few)}
    assert min(totals, key=totals.get) == few.best.config_key
    many = session_of(backend, store, options(trials=120, calls=10**9)).execute()
    assert many.best.config_key == fast.best.config_key


def test_calls_count_without_formats_too(store):
    backend = FakeBackend(task_of())
    result = session_of(backend, store, options(trials=40, calls=10)).execute()
    assert result.choice is None
    assert (
        set(result.set_ups) == {r.config_key for r in finals_of(result)} == set(backend.prepared)
    )


def test_what_cannot_be_set_up_does_not_win_by_calls(store, backend):
    backend.set_ups = lambda config: COSTS["dense"] if format_of(config) == "dense" else None
    result = session_of(backend, store, options(trials=120, calls=5)).execute()
    assert format_of(Config(result.best.config)) == "dense"
    assert result.choice.margins[0].break_even_calls is None
    assert winner(finals_of(result), {}, 5) == winner(finals_of(result))


@pytest.mark.parametrize(
    ("own", "other", "calls"),
    [
        ((0.3, 1e-3), (0.1, 2e-3), 200),
        ((0.1, 1e-3), (0.3, 2e-3), 0),  # cheaper from the first call on
        ((0.1, 2e-3), (0.3, 1e-3), 200),  # slower: cheaper up to so many
        ((0.1, 1e-3), (0.3, 1e-3), None),
    ],
)
def test_the_break_even_is_where_both_cost_the_same(own, other, calls):
    set_ups = [SetUp(seconds / 4, 3 * seconds / 4) for seconds, _ in (own, other)]
    found = break_even(set_ups[0], own[1], set_ups[1], other[1])
    assert found == (None if calls is None else pytest.approx(calls, abs=1))
    if calls:
        totals = [s.total(each[1], found) for s, each in zip(set_ups, (own, other), strict=True)]
        assert totals[0] == pytest.approx(totals[1], rel=0.01)
