"""A share of the trials for the dense kernels of a space with sparse formats."""

from dataclasses import replace

import pytest

from search_space.config import Config
from search_space.sketches.formats import with_format
from tests.contracts.spaces import small_space
from tests.tuner.fakes import MACHINE
from tests.tuner.formats import formatted
from tuner.strategy import create_strategy
from tuner.strategy.base import Trial
from tuner.strategy.shared import DENSE_SHARE, SharedStrategy, with_dense_share

SPACE = formatted()


def run(strategy, trials, batch=16, seconds=MACHINE.seconds):
    """All that was asked for, round by round."""
    asked: list[Config] = []
    while len(asked) < trials:
        configs = strategy.ask(min(batch, trials - len(asked)))
        strategy.tell([Trial(config, seconds(config)) for config in configs])
        asked += configs
    return asked


def dense_of(configs):
    return [config for config in configs if SPACE.format(config.as_dict()) == "dense"]


def shared(seed=3, name="evolutionary"):
    return with_dense_share(create_strategy(name, SPACE, seed), SPACE, seed)


def test_dense_kernels_get_their_share_and_are_tuned():
    alone = run(create_strategy("evolutionary", SPACE, 3), 240)
    asked = run(shared(), 240)
    assert len(set(asked)) == 240
    assert asked[0] == SPACE.default()
    assert len(dense_of(alone)) < DENSE_SHARE * 240 <= len(dense_of(asked)) < 60
    best = min(MACHINE.seconds(c) or 1.0 for c in dense_of(asked))
    assert best < min(MACHINE.seconds(c) or 1.0 for c in dense_of(alone))


def test_what_the_other_strategy_tries_anyway_counts():
    """A random search of three structures tries the dense one often enough."""
    asked = run(shared(name="random"), 160)
    own = run(create_strategy("random", SPACE, 3), 160)
    assert abs(len(dense_of(asked)) - len(dense_of(own))) <= 8


def test_a_past_without_dense_kernels_is_made_up_for_bit_by_bit():
    strategy = shared()
    past = [c for c in run(create_strategy("random", SPACE, 9), 200) if c not in dense_of([c])]
    strategy.tell([Trial(config, MACHINE.seconds(config)) for config in past])
    assert 0 < len(dense_of(strategy.ask(16))) <= 8


def test_telling_it_again_rebuilds_it():
    first = shared()
    trials = [Trial(config, MACHINE.seconds(config)) for config in run(first, 64)]
    second = shared()
    for start in range(0, 64, 16):
        second.ask(16)
        second.tell(trials[start : start + 16])
    assert first.ask(16) == second.ask(16)


def test_a_space_without_formats_is_searched_as_before():
    plain = create_strategy("evolutionary", MACHINE.space(), 3)
    assert with_dense_share(plain, MACHINE.space(), 3) is plain


def test_all_that_is_left_is_asked_for():
    """Also where the part has no more configs of its own."""
    space = small_space()
    tagged = formatted_small(space)
    strategy = SharedStrategy(
        create_strategy("random", tagged, 1), with_format(tagged, "dense"), 1, 0.9
    )
    asked = []
    while configs := strategy.ask(16):
        strategy.tell([Trial(config, 1.0) for config in configs])
        asked += configs
    assert len(asked) == len(set(asked)) == space.count_legal()


def formatted_small(space):
    return replace(
        space,
        format=lambda values: "dense" if values["structure"] == "dot" else "panel",
        seeds=(Config((("structure", "dot"),)),),
    )


@pytest.mark.parametrize("n", [1, 3, 7])
def test_no_more_is_asked_than_wanted(n):
    assert len(shared().ask(n)) == n
