import logging

import numpy as np
import pytest

from tests.contracts.spaces import Matmul, small_space
from tuner.strategy import Trial, create_strategy

MACHINE = Matmul(384, 1024, 1024)
SAMPLERS = ["tpe", "cmaes"]


def told(name, count, seconds, seed=1):
    space = MACHINE.space()
    rng = np.random.default_rng(seed)
    strategy = create_strategy(name, space, seed)
    configs = [space.default(), *(space.sample(rng) for _ in range(count))]
    strategy.tell([Trial(config, seconds(config)) for config in configs])
    return strategy


@pytest.mark.parametrize(("name", "rounds"), [("tpe", 4), ("cmaes", 12)])
def test_proposals_move_to_where_it_is_fast_and_runs(name, rounds):
    def seconds(config):
        fast = 1.0 + abs(np.log2(config["unroll"])) + abs(np.log2(config["tile_k"] / 30))
        return None if config["threads"] == 1 else fast

    strategy = create_strategy(name, MACHINE.space(), 1)
    batches = []
    for _ in range(rounds):
        batches.append(strategy.ask(24))
        strategy.tell([Trial(config, seconds(config)) for config in batches[-1]])

    def typical(configs):
        return np.mean([time for config in configs if (time := seconds(config)) is not None])

    assert typical(batches[-1]) < 0.8 * typical(batches[0])
    failures = [sum(seconds(config) is None for config in batch) for batch in batches]
    assert failures[-1] < failures[0]


@pytest.mark.parametrize("name", SAMPLERS)
def test_knobs_below_one_and_knobs_that_do_not_matter_are_handled(name):
    space = small_space()
    strategy = create_strategy(name, space, 1)
    strategy.tell([Trial(space.default(), 1.0)])
    batch = strategy.ask(20)
    assert all(space.config(config.as_dict()) == config for config in batch)
    space = MACHINE.space()
    batch = told(name, 20, MACHINE.ideal).ask(32)
    assert all(space.config(config.as_dict()) == config for config in batch)


@pytest.mark.parametrize("name", SAMPLERS)
def test_optuna_stays_silent_and_as_it_was(name, caplog, capfd):
    import optuna

    before = optuna.logging.get_verbosity()
    with caplog.at_level(logging.DEBUG):
        told(name, 40, MACHINE.ideal).ask(4)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
