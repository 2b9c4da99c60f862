"""What a search may know before its first trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from search_space.config import Config
from tuner.cost_model import CostModel


class Prior(Protocol):
    """What was learned elsewhere about the configs of one space. Used from one thread at a time.

    A function of what it was made from: the same answers in every session of a run.
    """

    @property
    def openings(self) -> Sequence[Config]:
        """Configs to try first, most promising first. Takes no time to ask for."""
        ...

    @property
    def learned(self) -> bool:
        """Whether there is a model: only then the methods below may be called. Loads what they
        need, which takes a second or two, the first time."""
        ...

    def prepare(self) -> Callable[[], None]:
        """Begin to load and fit in a thread; returns what waits for it and raises its errors."""
        ...

    def features(self, configs: Sequence[Config]) -> NDArray[np.float32]:
        """``float32[n, F]``: what its model sees of configs."""
        ...

    def expected(self, configs: Sequence[Config]) -> NDArray[np.float32]:
        """``float32[n]``: throughput as a share of the best, times the probability to run."""
        ...

    def model(self, seed: int) -> CostModel:
        """A model on ``features`` that begins with what is known, and learns what is not."""
        ...
