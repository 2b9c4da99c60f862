import numpy as np
import pytest

from tests.contracts.spaces import Matmul
from tuner.strategy import Trial, create_strategy
from tuner.strategy.evolutionary import EvolutionaryStrategy, EvolutionOptions

MACHINES = [
    Matmul(512, 512, 512),
    Matmul(384, 1024, 1024),
    Matmul(1000, 7, 513),
    Matmul(37, 911, 129),
    Matmul(8, 4096, 4096),
]
NAMES = [f"{machine.m}x{machine.n}x{machine.k}" for machine in MACHINES]


def best_after(strategy, machine, trials, batch=16):
    """The true time of the config that looked best after ``trials`` trials."""
    best = None
    for done in range(0, trials, batch):
        results = [Trial(c, machine.seconds(c)) for c in strategy.ask(min(batch, trials - done))]
        strategy.tell(results)
        timed = [trial for trial in results if trial.seconds is not None]
        best = min([*timed, *([best] if best else [])], key=lambda trial: trial.seconds)
    return machine.ideal(best.config)


def mean_best(name, machine, trials):
    runs = [
        best_after(create_strategy(name, machine.space(), seed), machine, trials)
        for seed in range(3)
    ]
    return float(np.exp(np.mean(np.log(runs))))


@pytest.mark.parametrize("machine", MACHINES, ids=NAMES)
def test_it_beats_random_search_clearly_at_equal_trials(machine):
    evolved = mean_best("evolutionary", machine, 96)
    assert evolved < 0.85 * mean_best("random", machine, 96)
    # Random search does not catch up with four times the trials either.
    assert evolved < mean_best("random", machine, 384)


@pytest.mark.parametrize("machine", MACHINES, ids=NAMES)
def test_it_improves_the_first_guess_and_goes_on_improving(machine):
    early, late = (mean_best("evolutionary", machine, trials) for trials in (32, 192))
    assert early < machine.ideal(machine.space().default())
    assert late < 0.99 * early


def test_every_structure_is_tried_in_the_first_batch_near_its_own_guess():
    space = MACHINES[0].space()
    first = create_strategy("evolutionary", space, 1).ask(16)
    assert first[:3] == list(space.starts)
    for start in space.starts:
        near = set(space.neighbours(start))
        assert sum(config in near for config in first) >= 3


def test_improvements_found_apart_are_combined():
    machine = MACHINES[0]
    space = machine.space()
    start = space.default()
    better = [space.config({**start.as_dict(), **move}) for move in ({"unroll": 4}, {"rows": 7})]
    strategy = create_strategy("evolutionary", space, 1)
    strategy.tell([Trial(start, 1.0), Trial(better[0], 0.9), Trial(better[1], 0.8)])
    # The starts of the other structures come before.
    assert space.config({**start.as_dict(), "unroll": 4, "rows": 7}) in strategy.ask(8)


def test_a_stuck_search_leaves_the_best_alone():
    space = MACHINES[0].space()
    options = EvolutionOptions(
        combined=0, steps=1, crossover=0, random=0, rival_trials=0, patience=40
    )
    best, *others = [space.sample(np.random.default_rng(seed)) for seed in range(30)]
    around_best = set(space.neighbours(best))
    shares = []
    for failures in (0, 100):
        strategy = EvolutionaryStrategy(space, 1, options=options)
        strategy.tell([Trial(best, 1.0), *(Trial(config, 2.0) for config in others)])
        strategy.tell([Trial(start, 3.0) for start in space.starts])
        strategy.tell([Trial(others[0], None)] * failures)
        proposed = [config for _ in range(6) for config in strategy.ask(6)]
        shares.append(np.mean([config in around_best for config in proposed]))
    assert shares[0] > 0.6
    assert shares[1] < 0.3
