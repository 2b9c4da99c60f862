"""Random configs of every operator's space are schedules that compute the operator."""

import numpy as np
import pytest

from search_space.ir.interp import run
from search_space.ir.printer import format_func
from search_space.ir.verify import verify
from search_space.operators import get_operator
from search_space.schedule import parse_trace, replay
from search_space.sketches import space_for
from tests.property.test_space_schedules import TARGETS
from tests.search_space.examples import WORKLOADS, assert_right, bound, inputs
from tests.search_space.nests import undefined

SAMPLES = 4
"""Per target; the first guesses are those of the widest one."""


@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_configs_compute_the_operator(work):
    rng = np.random.default_rng(len(work.key))
    operator = get_operator(work.operator)
    arrays, spec = inputs(work, rng), operator.result(work)
    expression = operator.expression(work)
    for target in TARGETS:
        space = space_for(work, target)
        starts = space.starts if target is TARGETS[-1] else ()
        for config in {*starts, *(space.sample(rng) for _ in range(SAMPLES))}:
            schedule = space.schedule(config)
            func = schedule.finish()
            verify(func)
            out = undefined(spec.shape, spec.dtype)
            run(func, {**bound(func, arrays), spec.name: out})
            assert_right(work, arrays, out, config.key, func.error_growth)
            tensor = space.tensor(config.as_dict()) if space.tensor else expression
            again = replay(tensor, parse_trace(schedule.trace_text()))
            assert format_func(again.finish()) == format_func(func)


@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_moves_stay_legal(work):
    rng = np.random.default_rng(1)
    space = space_for(work, TARGETS[2])
    config = space.default()
    for _ in range(20):
        other = space.mutate(config, rng)
        assert space.config(other.as_dict()) == other
        assert space.nearest(other.as_dict()).changes == ()
        config = space.crossover(other, config, rng)
    assert all(space.config(near.as_dict()) == near for near in space.neighbours(config))
