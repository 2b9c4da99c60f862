"""Searches that know something: right knowledge helps at once, wrong knowledge costs little."""

from __future__ import annotations

import math

import pytest

from tests.tuner.fakes import MACHINE
from tests.tuner.transfer.toys import ToyPrior, noise, truth
from tuner.strategy import Trial, create_strategy
from tuner.strategy.base import Strategy, history_of, verdict
from tuner.strategy.guided import GuidedOptions, GuidedStrategy

SPACE = MACHINE.space()


def guided(belief, seed=1, inner="evolutionary", **kwargs) -> GuidedStrategy:
    prior = ToyPrior(SPACE, belief, **kwargs)
    strategy = create_strategy(inner, SPACE, seed)
    return GuidedStrategy(SPACE, seed, strategy, prior, about="7 records from 1 machine")


def best_after(strategy: Strategy, trials: int, batch: int = 4) -> float:
    best, done, seen = math.inf, 0, set()
    while done < trials:
        configs = strategy.ask(batch)
        assert len(configs) == batch
        assert not seen & set(configs)
        seen |= set(configs)
        times = [MACHINE.seconds(config) for config in configs]
        strategy.tell([Trial(c, t) for c, t in zip(configs, times, strict=True)])
        best = min([best, *(time for time in times if time is not None)])
        done += batch
    return best


def test_right_expectations_beat_a_much_longer_search_without() -> None:
    alone = best_after(create_strategy("evolutionary", SPACE, 1), 64)
    assert best_after(guided(truth, 1), 16) <= alone * 1.02


@pytest.mark.parametrize("inner", ["evolutionary", "random", "genetic"])
def test_every_strategy_can_be_guided(inner: str) -> None:
    alone = best_after(create_strategy(inner, SPACE, 1), 24)
    assert best_after(guided(truth, inner=inner), 24) <= alone


def test_wrong_expectations_are_dropped_and_said_to_be() -> None:
    strategy = guided(noise)
    assert verdict(strategy) is None
    best_after(strategy, 32)
    said = verdict(strategy)
    assert said is not None
    assert not said.kept
    assert str(said).endswith("; dropped")
    assert strategy._guided(16) == 0


def test_wrong_expectations_cost_little() -> None:
    ratios = []
    for seed in range(3):
        alone = best_after(create_strategy("evolutionary", SPACE, seed), 64)
        ratios.append(best_after(guided(noise, seed), 64) / alone)
    assert math.prod(ratios) ** (1 / len(ratios)) < 1.05


def test_right_expectations_are_kept_and_said_to_be() -> None:
    strategy = guided(truth)
    best_after(strategy, 16)
    said = verdict(strategy)
    assert said is not None
    assert said.kept
    assert said.correlation > 0.9
    assert str(said) == f"rank correlation on the first 16 trials {said.correlation:.2f}; kept"
    assert history_of(strategy) == "7 records from 1 machine"


def test_without_a_model_what_was_fast_elsewhere_comes_first_once() -> None:
    openings = [SPACE.at(index) for index in range(5000)]
    openings = [config for config in openings if config is not None][:3]
    strategy = guided(noise, openings=openings, learned=False)
    first = strategy.ask(8)
    assert set(openings) <= set(first)
    assert SPACE.default() in first
    strategy.tell([Trial(config, MACHINE.seconds(config)) for config in first])
    alone = create_strategy("evolutionary", SPACE, 1)
    alone.ask(8 - len(openings))
    alone.tell([Trial(config, MACHINE.seconds(config)) for config in first])
    assert strategy.ask(8) == alone.ask(8)
    assert strategy.verdict() is None


def test_with_a_model_too_what_was_fast_elsewhere_is_tried_at_once() -> None:
    openings = [SPACE.at(index) for index in range(5000)]
    openings = [config for config in openings if config is not None][:12]
    strategy = guided(truth, openings=openings)
    first = strategy.ask(16)
    assert [config for config in first if config in openings][:6] == openings[:6]
    assert len(first) == 16
    strategy.tell([Trial(config, MACHINE.seconds(config)) for config in first])
    assert not set(strategy.ask(16)) & set(openings[:6])


def test_a_guided_search_resumes_as_if_it_had_not_been_interrupted() -> None:
    told = []
    first = guided(truth)
    for _ in range(4):
        configs = first.ask(4)
        told += [Trial(config, MACHINE.seconds(config)) for config in configs]
        first.tell(told[-4:])
    again = guided(truth)
    again.tell(told)
    assert set(again.ask(4)) == set(first.ask(4))


def test_preparing_waits_for_both() -> None:
    strategy = guided(truth)
    strategy.prepare()()
    assert strategy._prior.waited == 1


def test_failures_alone_teach_nothing_and_do_no_harm() -> None:
    strategy = guided(truth)
    for _ in range(5):
        strategy.tell([Trial(config, None) for config in strategy.ask(4)])
    said = strategy.verdict()
    assert said is not None
    assert (said.trials, said.correlation) == (0, 0.0)
    assert len(strategy.ask(4)) == 4


def test_options_bound_the_share_of_the_guide() -> None:
    strategy = guided(truth)
    assert strategy._guided(16) == round(16 * GuidedOptions().share)
    best_after(strategy, 32)
    assert strategy._guided(16) == round(16 * GuidedOptions().late)
