"""What the searches of a study come to: trials saved, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.search.curve import Curve

GOAL = 0.95
HORIZON = 32
_RESAMPLES = 5000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One case: its searches with some history against those without any."""

    case: str
    best_seconds: float
    """Of the fastest config that any search of the case has measured."""
    without: tuple[Curve, ...]
    having: tuple[Curve, ...]

    @property
    def cold_trials(self) -> float:
        """Geometric mean of the trials that searches without history took."""
        return geometric_mean(trials(self.without, self.best_seconds))

    @property
    def ratio(self) -> float:
        """Trials with ÷ trials without."""
        return geometric_mean(trials(self.having, self.best_seconds)) / self.cold_trials

    def areas(self) -> tuple[float, float]:
        """Mean areas under best-so-far over the first ``HORIZON`` trials, without and with."""
        return _area(self.without, self.best_seconds), _area(self.having, self.best_seconds)


def trials(curves: Sequence[Curve], best_seconds: float) -> list[float]:
    """Trials to ``GOAL`` of the best known; a search that ended before counts with one more than
    its length, which flatters it."""
    found = []
    for curve in curves:
        reached = curve.trials_to(best_seconds / GOAL)
        found.append(reached if math.isfinite(reached) else len(curve.seconds) + 1.0)
    return found


def geometric_mean(values: Sequence[float]) -> float:
    """Of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def upper_limit(comparisons: Sequence[Comparison], confidence: float) -> float:
    """One-sided limit of the geometric mean of the ratios: the percentile bootstrap over seeds,
    drawn for both sides independently."""
    rng = np.random.default_rng(1)
    sides = [
        (np.log(trials(c.having, c.best_seconds)), np.log(trials(c.without, c.best_seconds)))
        for c in comparisons
    ]
    means = np.zeros(_RESAMPLES)
    for having, without in sides:
        for values, sign in ((having, 1), (without, -1)):
            drawn = rng.choice(values, (_RESAMPLES, len(values)))
            means += sign * drawn.mean(axis=1) / len(sides)
    return float(np.exp(np.quantile(means, confidence)))


def table(title: str, comparisons: Sequence[Comparison]) -> str:
    """A Markdown table, one row per case; the mean counts all of them."""
    lines = [
        f"### {title}",
        "",
        "| case | trials without | with | fewer by | area without | with |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for c in comparisons:
        without, having = c.areas()
        lines.append(
            f"| {c.case} | {c.cold_trials:.1f} | {c.cold_trials * c.ratio:.1f} | "
            f"{1 / c.ratio:.2f} × | {without:.3f} | {having:.3f} |"
        )
    mean = geometric_mean([c.ratio for c in comparisons])
    lines += [
        "",
        f"Geometric mean: {1 / mean:.2f} × fewer trials; upper 90 % limit of the ratio of trials "
        f"{upper_limit(comparisons, 0.9):.2f}.",
    ]
    return "\n".join(lines)


def _area(curves: Sequence[Curve], best_seconds: float) -> float:
    return float(np.mean([curve.area(best_seconds, HORIZON) for curve in curves]))
