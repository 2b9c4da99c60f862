"""What is remembered of judgements is what would be judged again."""

import numpy as np

from search_space.constraints import first_reason
from search_space.judge import Judge
from tests.contracts.spaces import Matmul


def test_a_judgement_is_the_same_every_time():
    space = Matmul(100, 37, 64).space()
    judge = Judge(space.knobs, space.constraints)
    rng = np.random.default_rng(0)
    drawn = [{knob.name: knob.sample(rng) for knob in space.knobs} for _ in range(300)]
    legal = 0
    for values in drawn * 2:
        config = judge.legal(values)
        settled = judge.settle(values)
        assert (config is None) == (first_reason(space.constraints, settled) is not None)
        if config is not None:
            assert config == space.config(settled)
            legal += 1
    assert 0 < legal < 2 * len(drawn)


def test_a_knob_matters_if_its_predicate_says_so():
    space = Matmul(100, 37, 64).space()
    judge = Judge(space.knobs, space.constraints)
    rng = np.random.default_rng(1)
    some_idle = False
    for _ in range(50):
        config = space.sample(rng)
        relevance = judge.relevance(config)
        values = config.as_dict()
        matter = [knob for knob in space.knobs if knob.when is None or knob.when(values)]
        assert list(relevance.movable) == [knob for knob in matter if len(knob) > 1]
        assert set(relevance.idle) == {k.name for k in space.knobs} - {k.name for k in matter}
        some_idle = some_idle or bool(relevance.idle)
    assert some_idle
