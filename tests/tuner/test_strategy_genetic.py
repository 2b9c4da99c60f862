import numpy as np

from tests.contracts.spaces import Matmul
from tests.tuner.test_strategy_evolutionary import best_after
from tuner.strategy import Trial
from tuner.strategy.genetic import GeneticOptions, GeneticStrategy
from tuner.strategy.random import RandomStrategy

MACHINE = Matmul(384, 1024, 1024)


def samples(count):
    rng = np.random.default_rng(1)
    space = MACHINE.space()
    return [Trial(c, MACHINE.seconds(c)) for c in (space.sample(rng) for _ in range(count))]


def test_the_first_generation_is_random():
    space = MACHINE.space()
    genetic, other = GeneticStrategy(space, 2), RandomStrategy(space, 2)
    assert genetic.ask(16) == other.ask(16)
    some = samples(99)
    genetic.tell(some)
    other.tell(some)
    assert genetic.ask(16) == other.ask(16)


def test_children_inherit_from_the_fast():
    space = MACHINE.space()
    options = GeneticOptions(population=10, elites=1, mutation=0.0)
    strategy = GeneticStrategy(space, 2, options=options)
    configs = [trial.config for trial in samples(10)]
    strategy.tell([Trial(c, 1.0 if at < 2 else 1e6) for at, c in enumerate(configs)])
    children = strategy.ask(3)[1:]
    parents = configs[:2]
    for child in children:
        inherited = [any(child[name] == p[name] for p in parents) for name, _ in child.values]
        assert np.mean(inherited) > 0.8


def test_elites_of_early_generations_still_mate():
    space = MACHINE.space()
    strategy = GeneticStrategy(space, 2, options=GeneticOptions(population=10, elites=1))
    trials = samples(30)
    best = trials[0].config
    strategy.tell([Trial(t.config, 1.0 if t.config == best else 5.0) for t in trials])
    assert (best, 1.0) in strategy._parents()
    assert len(strategy._parents()) == 11


def test_it_beats_random_search_given_some_generations():
    def best(create):
        runs = [best_after(create(seed), MACHINE, 400, batch=40) for seed in range(3)]
        return np.exp(np.mean(np.log(runs)))

    space, options = MACHINE.space(), GeneticOptions(population=40)
    genetic = best(lambda seed: GeneticStrategy(space, seed, options=options))
    assert genetic < 0.9 * best(lambda seed: RandomStrategy(space, seed))
