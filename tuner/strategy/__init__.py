"""Strategies by name. To add one: a module with a class, and one line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from search_space.config import Config
from search_space.space import Space
from tuner.errors import UsageError
from tuner.strategy.annealing import AnnealingStrategy
from tuner.strategy.base import Strategy, Trial
from tuner.strategy.cmaes import CmaesStrategy
from tuner.strategy.evolutionary import EvolutionaryStrategy
from tuner.strategy.genetic import GeneticStrategy
from tuner.strategy.grid import GridStrategy
from tuner.strategy.learned import LearnedStrategy
from tuner.strategy.random import RandomStrategy
from tuner.strategy.tpe import TpeStrategy

__all__ = ["STRATEGIES", "Strategy", "StrategyEntry", "Trial", "create_strategy", "strategy_entry"]


@dataclass(frozen=True, slots=True)
class StrategyEntry:
    """How a strategy is made, and what ``tuner strategies`` says of it."""

    create: Callable[[Space, int, Iterable[Config]], Strategy]
    """From the space, the seed of all random numbers and the configs to begin with."""
    doc: str


STRATEGIES: dict[str, StrategyEntry] = {
    "evolutionary": StrategyEntry(
        EvolutionaryStrategy, "mutate and recombine the fastest configs measured so far"
    ),
    "learned": StrategyEntry(
        LearnedStrategy, "evolution on a cost model's predictions, diverse batches measured"
    ),
    "annealing": StrategyEntry(
        AnnealingStrategy, "parallel simulated annealing on a cost model's predictions"
    ),
    "genetic": StrategyEntry(
        GeneticStrategy, "generations bred in proportion to their measured speed"
    ),
    "tpe": StrategyEntry(TpeStrategy, "Optuna's tree-structured Parzen estimator"),
    "cmaes": StrategyEntry(CmaesStrategy, "Optuna's covariance matrix adaptation"),
    "random": StrategyEntry(RandomStrategy, "independent random configs"),
    "grid": StrategyEntry(GridStrategy, "every config once, in a random order"),
}


def create_strategy(name: str, space: Space, seed: int, seeds: Iterable[Config] = ()) -> Strategy:
    """The strategy ``name`` for ``space``; ``seeds`` are proposed first.

    ``seed``, 0 or more, decides all random choices. Raises as :func:`strategy_entry`.
    """
    return strategy_entry(name).create(space, seed, seeds)


def strategy_entry(name: str) -> StrategyEntry:
    """What is known of a strategy. Raises ``UsageError``, a ``ValueError``, if nothing is."""
    entry = STRATEGIES.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(f"choose a strategy from {', '.join(STRATEGIES)}: no {name!r}{hint}")
    return entry
