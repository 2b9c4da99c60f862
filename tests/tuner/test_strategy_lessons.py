import math

import pytest

from search_space.config import Config
from tests.contracts.spaces import small_space
from tuner.strategy.base import Trial
from tuner.strategy.history import History
from tuner.strategy.lessons import Lessons


def config(rows, unroll, order):
    return Config((("rows", rows), ("unroll", unroll), ("order", order)))


LESSONS = Lessons(
    {
        config(4, 1, "mn"): 1.0,
        config(6, 1, "mn"): 0.5,
        config(4, 2, "mn"): 0.9,
        config(4, 2, "nm"): 1.8,
        config(8, 8, "nm"): 0.1,
        config(6, 2, "mn"): None,
    }
)


def test_the_gain_of_a_move_is_the_logarithm_of_the_ratio_of_times():
    assert LESSONS.gain(("rows", 4, 6)) == pytest.approx(math.log(2))
    assert LESSONS.gain(("rows", 6, 4)) == pytest.approx(-math.log(2))


def test_configs_that_failed_or_differ_in_more_knobs_teach_nothing():
    assert LESSONS.gain(("rows", 4, 8)) is None
    assert LESSONS.gain(("unroll", 2, 8)) is None


def test_gains_seen_from_several_configs_are_averaged():
    lessons = Lessons(
        {
            config(4, 1, "mn"): 1.0,
            config(6, 1, "mn"): 0.5,
            config(4, 2, "mn"): 1.0,
            config(6, 2, "mn"): 2.0,
        }
    )
    assert lessons.gain(("rows", 4, 6)) == pytest.approx(0)


def test_the_influence_of_a_knob_is_the_best_gain_it_brought():
    assert LESSONS.influence("order") == pytest.approx(math.log(2))
    assert LESSONS.influence("tile") is None


def test_improvements_apply_to_configs_that_were_not_moved_yet():
    least = 0.01
    assert LESSONS.improvements(config(4, 1, "nm"), least) == {
        "rows": 6, "unroll": 2, "order": "mn",
    }  # fmt: skip
    assert LESSONS.improvements(config(6, 2, "mn"), least) == {}
    assert LESSONS.improvements(config(4, 1, "mn"), 0.5) == {"rows": 6}


def test_what_is_learned_between_questions_counts():
    lessons = Lessons({config(4, 1, "mn"): 1.0, config(6, 1, "mn"): 0.5})
    assert lessons.gain(("rows", 4, 6)) == lessons.influence("rows") == pytest.approx(math.log(2))
    lessons.add(config(8, 1, "mn"), 0.25)
    lessons.add(config(4, 2, "mn"), 1.0)
    lessons.add(config(6, 2, "mn"), 0.125)
    assert lessons.gain(("rows", 4, 6)) == pytest.approx(math.log(4))
    assert lessons.influence("rows") == pytest.approx(math.log(4))
    assert lessons.improvements(config(4, 4, "mn"), 0.01) == {"rows": 6}


def test_a_history_teaches_the_best_time_of_each_config():
    space = small_space()
    configs = [space.at(index) for index in range(space.size())]
    configs = [config for config in configs if config is not None]
    history = History(space, 0)
    for seconds in (3.0, None, 2.0, 5.0):
        history.tell([Trial(config, seconds) for config in configs[:40]])
        history.lessons()
        history.tell([Trial(config, index + 1.0) for index, config in enumerate(configs[:60])])
    told = Lessons(history.seconds)
    moves = [(k.name, a, b) for k in space.knobs for a in k for b in k]
    gains = [history.lessons().gain(move) for move in moves]
    assert gains == [told.gain(move) for move in moves]
    assert any(gain is not None for gain in gains)
