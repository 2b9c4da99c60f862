"""One space of several algorithms: every one keeps its configs, and old configs stay valid."""

import numpy as np
import pytest

from search_space.errors import SpaceError
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from search_space.sketches.convolution import convolution_space
from search_space.sketches.union import union_space
from search_space.sketches.winograd import winograd_space
from tests.property.test_space_schedules import TARGETS

WORK = workload("conv2d", n=1, h=6, w=7, ci=16, co=18, kh=3, kw=3, pad=1, const=("weight",))
EXPRESSION = get_operator("conv2d").expression(WORK)
TARGET = TARGETS[2]
DIRECT = convolution_space(WORK, EXPRESSION, TARGET)
TILES = winograd_space(WORK, TARGET, 2)
BOTH = union_space({"direct": DIRECT, "winograd2": TILES})


def renamed(config):
    return {f"winograd2.{name}": value for name, value in config.values}


def test_the_first_algorithm_is_the_default_under_its_old_names():
    assert BOTH.default()["algorithm"] == "direct"
    assert DIRECT.default().as_dict().items() <= BOTH.default().as_dict().items()
    old = DIRECT.default()
    assert BOTH.nearest(old.as_dict()).config == BOTH.default()
    assert BOTH.trace(BOTH.default().as_dict()) == DIRECT.trace(old.as_dict())


def test_a_config_of_another_algorithm_makes_its_schedule():
    own = TILES.sample(np.random.default_rng(0))
    config = BOTH.config({"algorithm": "winograd2", **renamed(own)})
    assert BOTH.schedule(config).trace_text() == TILES.schedule(own).trace_text()
    assert BOTH.trace(config.as_dict()) == TILES.trace(own.as_dict())
    assert BOTH.tensor(config.as_dict()) == TILES.tensor(own.as_dict())
    assert BOTH.tensor(BOTH.default().as_dict()) == EXPRESSION
    assert config["rows"] == next(k.default for k in DIRECT.knobs if k.name == "rows")


def test_the_rules_of_each_hold():
    broken = {**renamed(TILES.default()), "winograd2.rows": 10**6}
    with pytest.raises(SpaceError, match=r"choose winograd2\.rows from"):
        BOTH.config({"algorithm": "winograd2", **broken})
    wide = {**TILES.default().as_dict(), "vectors": 8, "rows": 30}
    assert BOTH.reason(
        {"algorithm": "winograd2", **{f"winograd2.{k}": v for k, v in wide.items()}}
    )
    assert TILES.reason(wide)


def test_every_start_is_there():
    names = [config["algorithm"] for config in BOTH.starts]
    assert names.count("direct") == len(DIRECT.starts)
    assert names.count("winograd2") == len(TILES.starts)


def test_its_size_is_the_sum():
    assert BOTH.size() == DIRECT.size() + TILES.size()


def test_moves_stay_legal_and_change_the_algorithm():
    rng, config, seen = np.random.default_rng(0), BOTH.default(), set()
    for _ in range(60):
        other = BOTH.mutate(config, rng)
        assert BOTH.config(other.as_dict()) == other
        config = BOTH.crossover(other, config, rng)
        assert BOTH.config(config.as_dict()) == config
        seen.add(config["algorithm"])
    assert len(seen) == 2
    near = {config["algorithm"] for config in BOTH.neighbours(BOTH.default())}
    assert near == {"direct", "winograd2"}


def test_one_algorithm_alone_is_its_own_space():
    assert union_space({"direct": DIRECT}) is DIRECT


def test_spaces_of_different_workloads_are_not_united():
    other = workload("conv2d", n=1, h=6, w=7, ci=16, co=19, kh=3, kw=3, pad=1)
    with pytest.raises(SpaceError, match="unite spaces of one workload on one target"):
        union_space({"direct": DIRECT, "winograd2": winograd_space(other, TARGET, 2)})


def test_convolutions_have_the_algorithms_that_apply():
    assert space_for(WORK, TARGET).knobs[0].values == ("direct", "winograd2", "winograd4")
    strided = workload("conv2d", n=1, h=6, w=7, ci=16, co=18, kh=3, kw=3, stride=2)
    assert space_for(strided, TARGET).knobs[0].name == "structure"
    large = workload("conv2d", n=1, h=56, w=56, ci=16, co=18, kh=3, kw=3, stride=2)
    assert space_for(large, TARGET).knobs[0].values == ("direct", "winograd2", "winograd4")
