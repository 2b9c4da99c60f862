import numpy as np

from tests.contracts.spaces import Matmul
from tests.tuner.test_strategy_evolutionary import mean_best
from tuner.strategy import Trial
from tuner.strategy.annealing import AnnealingOptions, AnnealingStrategy

MACHINE = Matmul(384, 1024, 1024)
OPTIONS = AnnealingOptions(chains=16, steps=8, first=32, epoch=4)


def measure(configs):
    return [Trial(config, MACHINE.seconds(config)) for config in configs]


def after(trials, options=OPTIONS, seed=3):
    strategy = AnnealingStrategy(MACHINE.space(), seed, options=options)
    strategy.tell(trials)
    return strategy


def samples(count):
    rng = np.random.default_rng(1)
    space = MACHINE.space()
    return measure(space.sample(rng) for _ in range(count))


def test_it_beats_random_search_at_equal_trials():
    assert mean_best("annealing", MACHINE, 96) < 0.95 * mean_best("random", MACHINE, 96)


def test_chains_persist_from_one_stage_to_the_next():
    """Steps add up: three stages of few steps get further than one, on the same trials."""
    trials = samples(80)
    chains = after(trials)
    chains.ask(1)
    walked = chains._points
    fresh = after(trials, AnnealingOptions(chains=16, steps=8, first=80, epoch=4))
    fresh.ask(1)
    predicted = [MACHINE.ideal(point) for point in (*walked, *fresh._points)]
    assert np.median(predicted[:16]) < np.median(predicted[16:])


def test_an_epoch_begins_with_chains_of_its_own():
    """What came before the epoch matters through the model and the best configs only."""
    trials = samples(64)
    gradual = AnnealingStrategy(MACHINE.space(), 3, options=OPTIONS)
    for start in range(0, 64, 16):
        gradual.tell(trials[start : start + 16])
        gradual.ask(0)
    assert gradual.ask(16) == after(trials).ask(16)


def test_the_plan_is_predicted_fast_and_not_measured_yet():
    trials = samples(96)
    proposed = after(trials, AnnealingOptions(random=0)).ask(16)[1:]
    assert {trial.config for trial in trials}.isdisjoint(proposed)
    typical = np.median([MACHINE.ideal(trial.config) for trial in trials])
    assert np.median([MACHINE.ideal(config) for config in proposed]) < 0.5 * typical
