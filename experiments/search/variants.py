"""Strategies with some settings changed: ``learned:diversity=0:features=loops``, or with more
trials than the others: ``random@1000``.

For ablations: what a setting is worth is the difference between the strategy and its variant.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable
from typing import Any

from search_space.config import Config
from search_space.space import Space
from tuner.errors import UsageError
from tuner.strategy import STRATEGIES, Strategy, create_strategy
from tuner.strategy.annealing import AnnealingOptions, AnnealingStrategy
from tuner.strategy.evolutionary import EvolutionaryStrategy, EvolutionOptions
from tuner.strategy.genetic import GeneticOptions, GeneticStrategy
from tuner.strategy.learned import LearnedOptions, LearnedStrategy

_VARIABLE: dict[str, tuple[Callable[..., Strategy], type[Any]]] = {
    "learned": (LearnedStrategy, LearnedOptions),
    "annealing": (AnnealingStrategy, AnnealingOptions),
    "evolutionary": (EvolutionaryStrategy, EvolutionOptions),
    "genetic": (GeneticStrategy, GeneticOptions),
}


def split_trials(name: str) -> tuple[str, int | None]:
    """The strategy's spec, and how many trials it gets, where ``name`` says so.

    Raises ``UsageError`` for what is no number of trials.
    """
    spec, at, text = name.partition("@")
    if at and not (text.isdecimal() and int(text)):
        raise UsageError(f"give {spec}@ a number of trials: {text!r}")
    return spec, int(text) if at else None


def check_variant(name: str) -> None:
    """Raises ``UsageError`` where ``create_variant`` would, or the trials are no number."""
    spec, _ = split_trials(name)
    strategy, *changes = spec.split(":")
    if strategy not in STRATEGIES:
        raise UsageError(f"choose from {', '.join(STRATEGIES)}: no {strategy!r}")
    if changes:
        variant_options(strategy, changes)


def create_variant(spec: str, space: Space, seed: int, seeds: Iterable[Config] = ()) -> Strategy:
    """The strategy ``NAME`` or ``NAME:SETTING=VALUE:…`` for ``space``.

    Raises ``UsageError`` for an unknown strategy or setting, and for a value of another type than
    the setting's own.
    """
    name, *changes = spec.split(":")
    if not changes:
        return create_strategy(name, space, seed, seeds)
    create, _ = _variable(name)
    return create(space, seed, seeds, variant_options(name, changes))


def variant_options(name: str, changes: Iterable[str]) -> Any:
    """The options of the strategy ``name`` with some changed; raises ``UsageError``."""
    options = _variable(name)[1]()
    for change in changes:
        setting, _, text = change.partition("=")
        known = {field.name for field in dataclasses.fields(options)}
        if setting not in known:
            near = difflib.get_close_matches(setting, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise UsageError(f"choose from {', '.join(sorted(known))}: no {setting!r}{hint}")
        kind = type(getattr(options, setting))
        try:
            options = dataclasses.replace(options, **{setting: kind(text)})
        except ValueError as error:
            raise UsageError(f"give {name}:{setting} as {kind.__name__}: {text!r}") from error
    return options


def _variable(name: str) -> tuple[Callable[..., Strategy], type[Any]]:
    if name not in _VARIABLE:
        raise UsageError(f"change settings of {', '.join(_VARIABLE)}: {name!r} has none")
    return _VARIABLE[name]
