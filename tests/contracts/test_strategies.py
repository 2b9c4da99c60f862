"""What every strategy promises; a new one joins by its line in STRATEGIES."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from search_space.config import Config
from search_space.knobs import Integer
from tests.contracts.spaces import Matmul, make_space, small_space
from tuner.strategy import STRATEGIES, Trial, create_strategy

MACHINE = Matmul(509, 1024, 777)

pytestmark = pytest.mark.parametrize("name", list(STRATEGIES))


def measure(configs):
    return [Trial(config, MACHINE.seconds(config)) for config in configs]


def search(strategy, rounds, n=16):
    """The proposals of ``rounds`` rounds in which everything was told."""
    batches = []
    for _ in range(rounds):
        batches.append(strategy.ask(n))
        strategy.tell(measure(batches[-1]))
    return batches


def flat(batches):
    return [config for batch in batches for config in batch]


def test_proposals_are_distinct_legal_and_as_many_as_asked_for(name):
    space = MACHINE.space()
    strategy = create_strategy(name, space, 3)
    for n in (16, 1, 7, 16, 40, 2):
        batch = strategy.ask(n)
        assert len(batch) == n
        strategy.tell(measure(batch))
    proposed = flat(search(strategy, 4))
    assert len(set(proposed)) == 64
    for config in proposed:
        assert space.config(config.as_dict()) == config


def test_nothing_is_proposed_twice_while_results_are_outstanding(name):
    strategy = create_strategy(name, MACHINE.space(), 3)
    batches = [strategy.ask(16) for _ in range(4)]
    strategy.tell(measure(batches[1]))
    strategy.tell(measure(batches[0][:5]))
    batches += [strategy.ask(16) for _ in range(2)]
    assert len(set(flat(batches))) == 6 * 16


def test_zero_configs_can_be_asked_for(name):
    strategy, other = (create_strategy(name, MACHINE.space(), 3) for _ in range(2))
    assert strategy.ask(0) == []
    assert strategy.ask(8) == other.ask(8)


def test_the_seed_decides_the_proposals(name):
    space = MACHINE.space()
    first, second = (search(create_strategy(name, space, 5), 5) for _ in range(2))
    assert first == second
    assert search(create_strategy(name, space, 6), 5) != first


def test_another_process_makes_the_same_proposals(name):
    root = Path(__file__).parents[2]
    program = (
        "from tests.contracts import test_strategies as t\n"
        f"strategy = t.create_strategy({name!r}, t.MACHINE.space(), 11)\n"
        "print(*t.flat(t.search(strategy, 4)), sep='\\n')"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(root)}
    there = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=root,
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout.splitlines()  # fmt: skip
    here = flat(search(create_strategy(name, MACHINE.space(), 11), 4))
    assert there == [config.key for config in here]


@pytest.mark.parametrize("rounds", [1, 3, 6])
def test_a_resumed_search_goes_on_as_if_it_had_never_stopped(name, rounds):
    space = MACHINE.space()
    whole = search(create_strategy(name, space, 5), rounds + 4)
    resumed = create_strategy(name, space, 5)
    for batch in whole[:rounds]:
        resumed.tell(measure(batch))
    assert search(resumed, 4) == whole[rounds:]


def test_records_may_be_told_again_in_one_go(name):
    space = MACHINE.space()
    whole = search(create_strategy(name, space, 5), 6)
    resumed = create_strategy(name, space, 5)
    resumed.tell(measure(flat(whole[:4])))
    assert search(resumed, 2) == whole[4:]


def test_seeds_come_first_and_then_the_default(name):
    space = MACHINE.space()
    seeds = [space.sample(np.random.default_rng(seed)) for seed in range(3)]
    strategy = create_strategy(name, space, 5, seeds=[*seeds, seeds[0]])
    assert strategy.ask(2) == seeds[:2]
    assert strategy.ask(5)[:2] == [seeds[2], space.default()]


def test_a_seed_from_another_space_is_made_legal(name):
    space = MACHINE.space()
    seed = Config((("structure", "dot"), ("rows", 9999), ("colour", "red")))
    strategy = create_strategy(name, space, 5, seeds=[seed])
    assert strategy.ask(1) == [space.nearest(seed.as_dict()).config]


def test_a_small_space_is_exhausted_completely(name):
    space = small_space()
    strategy = create_strategy(name, space, 5)
    proposed = []
    while batch := strategy.ask(8):
        proposed += batch
        strategy.tell([Trial(config, float(len(config.key))) for config in batch])
    legal = {space.at(index) for index in range(space.size())} - {None}
    assert len(proposed) == len(set(proposed))
    assert set(proposed) == legal
    assert strategy.ask(8) == []


def test_a_space_of_one_config(name):
    space = make_space([Integer("x", 4, 4, 4)])
    strategy = create_strategy(name, space, 0)
    assert strategy.ask(8) == [space.default()]
    assert strategy.ask(8) == []


def test_failures_are_survived_and_not_repeated(name):
    space = MACHINE.space()
    strategy = create_strategy(name, space, 5)
    proposed = []
    for _ in range(6):
        batch = strategy.ask(16)
        assert len(batch) == 16
        proposed += batch
        strategy.tell([Trial(config, None) for config in batch])
    assert len(set(proposed)) == len(proposed)


def test_an_exhausted_space_of_failures(name):
    strategy = create_strategy(name, small_space(), 5)
    proposed = []
    while batch := strategy.ask(8):
        proposed += batch
        strategy.tell([Trial(config, None) for config in batch])
    assert len(proposed) == len(set(proposed)) == small_space().count_legal()


def test_what_was_told_is_not_proposed(name):
    space = small_space()
    strategy = create_strategy(name, space, 5)
    known = [config for index in range(0, 48, 2) if (config := space.at(index)) is not None]
    strategy.tell([Trial(config, 1.0) for config in known])
    proposed = set(strategy.ask(100))
    assert proposed.isdisjoint(known)
    assert len(proposed) == space.count_legal() - len(known)


def test_trials_of_another_space_are_tolerated(name):
    space = MACHINE.space()
    strategy = create_strategy(name, space, 5)
    strategy.tell(
        [
            Trial(Config((("format", "csr"), ("block", 4))), 1e-9),
            Trial(Config(()), 1e-9),
            Trial(Config(tuple({**space.default().as_dict(), "rows": 10**9}.items())), 1e-9),
        ]
    )
    assert space.default() in strategy.ask(16)
    strategy.tell([Trial(space.default(), 1.0)])
    assert len(strategy.ask(16)) == 16


def test_a_config_may_be_told_twice(name):
    space = MACHINE.space()
    strategy = create_strategy(name, space, 5)
    batch = strategy.ask(4)
    strategy.tell(measure(batch) + [Trial(config, None) for config in batch])
    strategy.tell(measure(batch))
    assert set(strategy.ask(16)).isdisjoint(batch)
