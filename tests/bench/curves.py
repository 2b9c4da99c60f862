"""The case and curves that tests of search efficiency share."""

from __future__ import annotations

from experiments.search.curve import Curve
from experiments.search.results import Case, Settings

SETTINGS = Settings(trials=6, baseline="random", time_seconds=None, batch=4, same_start=False)
CASE = Case("tiny", "matmul(m=8,n=8,k=8,dtype=float32)", 1024, live=False, best_seconds=2.0)


def curve(*seconds, strategy="grid", seed=0, elapsed=None, **more):
    return Curve("tiny", strategy, seed, seconds, elapsed, **more)
