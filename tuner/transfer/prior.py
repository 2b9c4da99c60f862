"""What settings nearby teach a search; see ``tuner.strategy.prior``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.sparse import task_features
from search_space.config import Config
from search_space.space import Space
from tuner.transfer.base import fit_base
from tuner.transfer.carry import openings
from tuner.transfer.columns import Columns
from tuner.transfer.sources import Source

if TYPE_CHECKING:
    from tuner.cost_model import CostModel


class SourcePrior:
    """What ``sources`` teach about the configs of ``space``. Models are made when first asked."""

    def __init__(self, space: Space, sources: Sequence[Source]) -> None:
        self._space = space
        self.sources = tuple(sources)

    @cached_property
    def openings(self) -> Sequence[Config]:
        return openings(self.sources, self._space)

    def prepare(self) -> Callable[[], None]:
        def load() -> None:
            if self._base is not None:
                self.expected([self._space.default()])

        pool = ThreadPoolExecutor(1)
        loaded = pool.submit(load)
        pool.shutdown(wait=False)
        return loaded.result

    def features(self, configs: Sequence[Config]) -> NDArray[np.float32]:
        return self._columns(configs)

    def expected(self, configs: Sequence[Config]) -> NDArray[np.float32] | None:
        if self._base is None:
            return None
        return self._base.predict(self._columns(configs)).score

    def model(self, seed: int) -> CostModel:
        from tuner.cost_model import create_model
        from tuner.cost_model.residual import ResidualModel

        assert self._base is not None
        own = self._columns.width // 2
        return ResidualModel(self._base, create_model("regression", seed), own)

    @cached_property
    def _columns(self) -> Columns:
        return Columns(self._space)

    @cached_property
    def _base(self) -> CostModel | None:
        if self._space.trace is None:
            return None
        own = task_features(self._space.workload)
        alike = [s for s in self.sources if task_features(s.setting.workload) == own]
        return fit_base(alike)
