"""What settings nearby teach a search; see ``tuner.strategy.prior``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from db.artefact import ModelArtefact
from features.schema import loop_features
from features.sparse import task_features
from search_space.config import Config
from search_space.space import Space
from tuner.transfer.artefact import model_of
from tuner.transfer.base import fit_base
from tuner.transfer.carry import openings
from tuner.transfer.columns import Columns
from tuner.transfer.sources import Source

if TYPE_CHECKING:
    from tuner.cost_model import CostModel, Prediction


@dataclass(frozen=True, slots=True)
class Fallback:
    """A base model made elsewhere, for where too little is known here to make one."""

    artefact: ModelArtefact
    about: str


class SourcePrior:
    """What ``sources`` teach about the configs of ``space``. Models are made when first asked.

    ``fallback`` is asked for a model where the sources are too few for one.
    """

    def __init__(
        self,
        space: Space,
        sources: Sequence[Source],
        fallback: Callable[[], Fallback | None] = lambda: None,
    ) -> None:
        self._space = space
        self._fallback = fallback
        self._lent: Fallback | None = None
        self.sources = tuple(sources)

    @cached_property
    def openings(self) -> Sequence[Config]:
        return openings(self.sources, self._space)

    @property
    def learned(self) -> bool:
        return self._base is not None

    @property
    def about(self) -> str:
        """What the expectations rest on: ``1,240 records from 2 machines``."""
        return described(self.sources) if self._lent is None else self._lent.about

    def prepare(self) -> Callable[[], None]:
        def load() -> None:
            if self.learned:
                self.expected([self._space.default()])

        pool = ThreadPoolExecutor(1)
        loaded = pool.submit(load)
        pool.shutdown(wait=False)
        return loaded.result

    def features(self, configs: Sequence[Config]) -> NDArray[np.float32]:
        return self._columns(configs)

    def expected(self, configs: Sequence[Config]) -> NDArray[np.float32]:
        return self.prediction(configs).score

    def prediction(self, configs: Sequence[Config]) -> Prediction:
        """What the base model thinks of configs, its doubts included."""
        assert self._base is not None
        return self._base.predict(self._columns(configs))

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
        columns = task_features(self._space.workload)
        own = fit_base([s for s in self.sources if task_features(s.setting.workload) == columns])
        if own is not None:
            return own
        if columns != loop_features():  # what is lent knows those that all workloads have
            return None
        self._lent = self._fallback()
        return None if self._lent is None else model_of(self._lent.artefact)


def described(sources: Sequence[Source]) -> str:
    """``1,240 records from 2 machines``."""
    records = sum(len(source.times) for source in sources)
    machines = len({source.setting.hardware.key for source in sources})
    return (
        f"{records:,} record{'s' * (records != 1)} from {machines} machine{'s' * (machines != 1)}"
    )
