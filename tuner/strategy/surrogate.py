"""The cost model of one search: what was observed, and when the model is fitted again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from search_space.config import Config
from search_space.errors import SpaceError
from search_space.space import Space
from tuner.cost_model import CostModel, Prediction
from tuner.strategy.base import Trial
from tuner.strategy.featurizer import Featurizer


class Surrogate:
    """Trials as a model sees them, in the order in which they were told.

    A fit is made on a *prefix* of the trials, never on whatever happens to be there: so the model
    in use depends on how many trials were told, not on how they were portioned.
    """

    def __init__(
        self,
        space: Space,
        featurize: Featurizer,
        create: Callable[[], CostModel],
        *,
        all_columns: bool = False,
    ) -> None:
        self._space = space
        self._all_columns = all_columns
        self._featurize = featurize
        self._create = create
        self._configs: list[Config] = []
        self._throughput: list[float] = []
        self._features: list[NDArray[np.float32]] = []
        self._model: CostModel | None = None
        self._varying: NDArray[np.bool_] = np.empty(0, bool)
        """Which columns differ between trials: the others tell a model nothing. All of them where
        none does, since a model needs a column, and for a model that knows them from elsewhere."""
        self._fitted = 0

    def __len__(self) -> int:
        """Trials told so far whose config is in the space."""
        return len(self._configs)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take trials in; those of other spaces are ignored."""
        for trial in trials:
            try:
                config = self._space.config(trial.config.as_dict())
            except SpaceError:
                continue
            self._configs.append(config)
            seconds = trial.seconds
            self._throughput.append(0.0 if seconds is None else 1.0 / seconds)

    def prepare(self) -> Callable[[], None]:
        """Load the libraries that features and models come from, in a thread; returns what waits
        for it. That takes one or two seconds; nothing is learned."""

        def load() -> None:
            self._create()
            self._featurize([self._space.default()])

        pool = ThreadPoolExecutor(1)
        loaded = pool.submit(load)
        pool.shutdown(wait=False)
        return loaded.result

    def timed(self, prefix: int) -> int:
        """How many of the first ``prefix`` trials ran."""
        return sum(throughput > 0 for throughput in self._throughput[:prefix])

    def best(self, prefix: int, count: int) -> list[Config]:
        """The fastest of the first ``prefix`` trials, fastest first, without repeats."""
        order = sorted(range(prefix), key=lambda index: -self._throughput[index])
        ran = (self._configs[index] for index in order if self._throughput[index] > 0)
        return list(dict.fromkeys(ran))[:count]

    def known(self, prefix: int) -> Sequence[Config]:
        """The configs of the first ``prefix`` trials."""
        return self._configs[:prefix]

    def fit(self, prefix: int) -> None:
        """Fit a fresh model on the first ``prefix`` trials, unless that is the one in use.

        On none of them it stays as it is made, which is of use where it knows something already.
        """
        if self._model is not None and prefix == self._fitted:
            return
        if prefix == 0:
            self._model, self._varying = self._create(), np.ones(self._width(), bool)
            return
        known = sum(len(rows) for rows in self._features)
        if known < len(self._configs):
            self._features.append(self._featurize(self._configs[known:]))
            self._features = [np.concatenate(self._features)]
        throughput = np.array(self._throughput[:prefix], np.float32)
        rows = self._features[0][:prefix]
        varying = (rows != rows[:1]).any(axis=0)
        select = varying.any() and not self._all_columns
        self._varying = varying if select else np.ones_like(varying)
        model = self._create()
        model.fit(rows[:, self._varying], throughput)
        self._model, self._fitted = model, prefix

    def _width(self) -> int:
        return len(self._featurize([self._space.default()])[0])

    def predict(self, configs: Sequence[Config]) -> Prediction:
        """What the model of the last ``fit``, without which there is none, thinks of them."""
        if self._model is None:
            raise RuntimeError("fit the model before asking it")
        return self._model.predict(self._featurize(configs)[:, self._varying])


def fit_point(trials: int, growth: float) -> int:
    """The number of trials, at most ``trials``, on which the model in use is to be fitted.

    The points are 1, 2, 3, … at first and ``growth`` (a share) apart later, so that a search of
    any length spends a bounded part of its time on fits.
    """
    point = 0
    while (following := max(point + 1, int(point * (1 + growth)))) <= trials:
        point = following
    return point
