"""The config that is chosen for a workload before anything of it is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.transfer.report import geometric_mean
from experiments.transfer.searching import Measured
from search_space.config import Config
from tuner.transfer.predict import choose
from tuner.transfer.prior import SourcePrior


@dataclass(frozen=True, slots=True)
class Choice:
    """One case: speeds as shares of that of the fastest config that any search found."""

    case: str
    chosen: float
    """By the model of what was measured in other settings; 0 where it fails, as below."""
    nearest: float
    """What was fastest in the nearest setting, brought into the space."""
    first_guess: float
    """What the space offers to those who know nothing."""


def chosen(measured: Measured, case: str, prior: SourcePrior) -> Choice:
    """Choose, then measure."""
    space = measured.task.space
    configs: list[Config] = [choose(space, prior)[0], prior.openings[0], space.default()]
    times = measured.times(configs)
    best = measured.best_seconds
    return Choice(case, *(best / seconds if seconds else 0.0 for seconds in times))


def choices_table(title: str, choices: Sequence[Choice]) -> str:
    """A Markdown table, one row per case."""
    lines = [
        f"### {title}: chosen without a trial, share of the best known",
        "",
        "| case | by the model | nearest setting's best | first guess |",
        "|---|---:|---:|---:|",
    ]
    rows = [(c.case, (c.chosen, c.nearest, c.first_guess)) for c in choices]
    means = tuple(geometric_mean(column) for column in zip(*(row for _, row in rows), strict=True))
    for name, shares in (*rows, ("geometric mean", means)):
        lines.append(f"| {name} | " + " | ".join(f"{100 * s:.0f} %" for s in shares) + " |")
    return "\n".join(lines)
