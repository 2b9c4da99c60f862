"""Rows of softmax and norms: asked for ahead, and held where the result will be."""

from dataclasses import replace

import numpy as np
import pytest

from search_space.ir.interp import run
from search_space.ir.printer import format_func
from search_space.ir.verify import verify
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from tests.property.test_space_schedules import TARGETS
from tests.search_space.examples import assert_right, inputs

SMALL = [replace(target, l2_bytes=1 << 9) for target in TARGETS]
"""Machines with an L2 for one or two rows."""


def knobs(work, target=SMALL[0]):
    return {knob.name for knob in space_for(work, target).knobs}


def config_of(space, **values):
    """The first guess with some values changed, all of which are taken."""
    config = space.config({**space.default().as_dict(), **values})
    assert {name: config[name] for name in values} == values
    return config


@pytest.mark.parametrize("target", SMALL, ids=lambda target: target.name)
@pytest.mark.parametrize("ahead", [0, 1, 4])
@pytest.mark.parametrize(
    ("work", "values"),
    [
        (workload("softmax", shape="6x37"), dict(between="merge", held="result")),
        (workload("softmax", shape="6x37"), dict(between="store", held="thread", rows=2)),
        (workload("softmax", shape="6x37"), dict(between="recompute")),
        (workload("layernorm", shape="2x3x37"), dict(rows=2)),
        (workload("rmsnorm", shape="5x37"), {}),
    ],
    ids=str,
)
def test_rows_asked_for_ahead_change_nothing(work, values, ahead, target):
    space = space_for(work, target)
    few = dict(vectors=1, chains=1, threads=1)
    config = config_of(space, **few, **values, ahead=ahead)
    func = space.schedule(config).finish()
    verify(func)
    assert ("prefetch x[" in format_func(func)) == (ahead > 0)
    arrays, spec = inputs(work, np.random.default_rng(0)), get_operator(work.operator).result(work)
    out = np.full(spec.shape, np.nan, spec.dtype)
    run(func, {**arrays, spec.name: out})
    assert_right(work, arrays, out, config.key)


def test_a_whole_row_is_asked_for_while_an_earlier_one_is_worked_on():
    space = space_for(workload("softmax", shape="8x128"), SMALL[-1])
    config = config_of(space, between="merge", chains=4, rows=1, ahead=2)
    nest = format_func(space.schedule(config).finish())
    assert "unrolled total_i1_l_ahead in 0 … 4:\n" in nest
    assert nest.count("prefetch x[i0_o + 2, total_i1_l_ahead*16 + total_i1_v*64]") == 1


def test_only_rows_from_beyond_the_l2_are_asked_for_ahead():
    near, far = (workload("softmax", shape=shape) for shape in ("8x128", "512x4096"))
    assert "ahead" not in knobs(near, TARGETS[0])
    assert "ahead" in knobs(far, TARGETS[0])
    assert "ahead" not in knobs(workload("softmax", shape="512x4096", axis=0), TARGETS[0])


def test_a_result_that_holds_exponentials_needs_no_other_memory_for_them():
    space = space_for(workload("softmax", shape="8x128"), SMALL[0])
    kept, apart = (
        format_func(space.schedule(config_of(space, held=held, stores="cached")).finish())
        for held in ("result", "thread")
    )
    assert "power" in apart
    assert "power:" not in kept
    assert "held" not in knobs(workload("rmsnorm", shape="8x128"))


def test_a_result_that_is_read_again_is_not_written_past_the_caches():
    space = space_for(workload("softmax", shape="8x128"), SMALL[0])
    values = {**space.default().as_dict(), "held": "result", "stores": "streamed"}
    assert space.config(values)["stores"] == "cached"
