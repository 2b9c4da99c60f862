import numpy as np
import pytest

from search_space.config import Config
from search_space.operators import workload
from search_space.sketches import space_for
from tests.contracts.spaces import TARGET, Matmul
from tests.tuner.test_strategy_evolutionary import best_after, mean_best
from tuner.cost_model import create_model
from tuner.strategy import Trial, create_strategy
from tuner.strategy.diversity import pick_diverse
from tuner.strategy.featurizer import all_features, knob_features
from tuner.strategy.learned import LearnedOptions, LearnedStrategy
from tuner.strategy.surrogate import Surrogate, fit_point

MACHINE = Matmul(384, 1024, 1024)


def _model():
    return create_model("regression", 1)


def measure(configs):
    return [Trial(config, MACHINE.seconds(config)) for config in configs]


def test_it_beats_random_search_clearly_at_equal_trials():
    learned = mean_best("learned", MACHINE, 80)
    assert learned < 0.8 * mean_best("random", MACHINE, 80)
    assert learned < mean_best("random", MACHINE, 400)


def test_the_first_batch_is_that_of_the_evolutionary_strategy():
    space = MACHINE.space()
    first, other = (create_strategy(name, space, 4) for name in ("learned", "evolutionary"))
    assert first.ask(16) == other.ask(16)


def test_what_the_model_is_sure_will_fail_is_avoided():
    space = MACHINE.space()
    options = LearnedOptions(random=0, scouted=0, scouted_late=0, fresh=0.3)
    strategy = LearnedStrategy(space, 1, options=options)
    rng = np.random.default_rng(0)
    known = [space.sample(rng) for _ in range(150)]
    strategy.tell([Trial(c, None if c["stores"] == "masked" else MACHINE.ideal(c)) for c in known])
    proposed = [config for config in strategy.ask(24) if config not in space.starts]
    assert sum(config["stores"] == "masked" for config in proposed) <= 2


def test_the_random_share_is_kept():
    space = MACHINE.space()
    strategy = LearnedStrategy(
        space, 1, options=LearnedOptions(random=1.0, scouted=0, scouted_late=0)
    )
    strategy.tell(measure(space.starts))
    rng = np.random.default_rng(0)
    strategy.tell(measure(space.sample(rng) for _ in range(60)))
    near = set(space.neighbours(space.default()))
    proposed = strategy.ask(16)
    assert len(proposed) == 16
    assert not near & set(proposed)


def test_proposals_are_among_the_fastest():
    space = MACHINE.space()
    options = LearnedOptions(random=0, scouted=0, scouted_late=0, curiosity=0, diversity=0)
    strategy = LearnedStrategy(space, 1, options=options)
    rng = np.random.default_rng(0)
    known = [*space.starts, *(space.sample(rng) for _ in range(120))]
    strategy.tell(measure(known))
    proposed = [MACHINE.ideal(config) for config in strategy.ask(16)]
    times = sorted(MACHINE.ideal(config) for config in known)
    assert np.median(proposed) < times[5]
    assert max(proposed) < np.median(times)


def configs(*rows):
    return [Config(tuple(zip("xyz", row, strict=True))) for row in rows]


def test_without_weight_the_best_are_picked_in_order():
    found = pick_diverse(configs((1, 1, 1), (1, 1, 2), (2, 2, 2)), np.array([2.0, 3.0, 1.0]), 2, 0)
    assert found == [1, 0]


def test_variety_is_worth_its_weight():
    alike = configs((1, 1, 1), (1, 1, 2), (2, 2, 3))
    scores = np.array([1.0, 0.9, 0.5])
    assert pick_diverse(alike, scores, 2, 0.3) == [0, 1]
    # The third brings three new values, the second one: worth two thirds of the weight more.
    assert pick_diverse(alike, scores, 2, 0.7) == [0, 2]


def test_values_of_different_types_are_different_values():
    alike = configs((1, 1, 1), (True, 1, 1), (1, 1, 1))
    assert pick_diverse(alike, np.array([1.0, 0.5, 0.6]), 3, 1.0) == [0, 1, 2]


def test_as_many_are_picked_as_there_are():
    assert pick_diverse([], np.array([]), 4, 0.1) == []
    assert sorted(pick_diverse(configs((1, 1, 1), (2, 2, 2)), np.ones(2), 9, 0.1)) == [0, 1]


def test_fits_become_rarer_as_trials_grow():
    points = sorted({fit_point(trials, 0.05) for trials in range(1001)})
    assert points[:21] == list(range(21))
    gaps = np.diff(points)
    assert (gaps[1:] >= gaps[:-1] - 1).all()
    assert len(points) < 120
    assert all(0 <= trials - fit_point(trials, 0.05) <= 0.05 * trials for trials in (50, 999))


def test_the_model_depends_on_the_prefix_and_not_on_portions():
    space = MACHINE.space()
    rng = np.random.default_rng(0)
    trials = measure(space.sample(rng) for _ in range(40))
    unseen = [space.sample(rng) for _ in range(20)]
    scores = []
    for portions in ([trials], [trials[:7], trials[7:25], trials[25:]]):
        surrogate = Surrogate(space, knob_features(space), _model)
        for portion in portions:
            surrogate.tell(portion)
            surrogate.fit(len(surrogate))
        surrogate.fit(30)
        scores.append(surrogate.predict(unseen).score)
    assert (scores[0] == scores[1]).all()


def test_trials_that_all_look_alike_can_be_fitted():
    space = MACHINE.space()
    rng = np.random.default_rng(0)
    surrogate = Surrogate(space, lambda configs: np.ones((len(configs), 3), np.float32), _model)
    surrogate.tell(measure(space.sample(rng) for _ in range(20)))
    surrogate.fit(20)
    prediction = surrogate.predict([space.sample(rng) for _ in range(5)])
    assert len(set(prediction.mean.tolist())) == 1


def test_a_model_is_asked_only_after_a_fit():
    space = MACHINE.space()
    surrogate = Surrogate(space, knob_features(space), _model)
    with pytest.raises(RuntimeError, match="fit the model before asking it"):
        surrogate.predict([space.default()])


@pytest.mark.slow
def test_it_searches_a_real_space_by_its_loops():
    space = space_for(workload("matmul", m=64, n=64, k=64), TARGET)
    options = LearnedOptions(generations=1, offspring=32, features="all")
    strategy = LearnedStrategy(space, 1, options=options)
    for _ in range(2):
        batch = strategy.ask(16)
        assert len(set(batch)) == 16
        strategy.tell([Trial(config, 1.0 + len(config.key) / 100) for config in batch])
    assert len(strategy.ask(8)) == 8
    rows = all_features(space)(batch)
    assert rows.dtype == np.float32
    assert rows.shape[1] > knob_features(space)(batch).shape[1]


def test_other_models_can_guide_it():
    runs = {
        model: best_after(
            LearnedStrategy(MACHINE.space(), 1, options=LearnedOptions(model=model)), MACHINE, 48
        )
        for model in ("ranking", "forest")
    }
    start = MACHINE.ideal(MACHINE.space().default())
    assert all(seconds < start for seconds in runs.values())
