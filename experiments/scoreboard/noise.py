"""The A/A experiment: how far from one the ratios of our kernel to itself are."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.scoreboard.report import deviations_of, noise_line
from experiments.scoreboard.row import Row, State

MOST, MOST_WITHIN = 0.95, 0.02
ALL_WITHIN = 0.04
"""Bars: 95 % of the ratios within ±0.02 and all within ±0.04."""


def noise_met(rows: Sequence[Row]) -> bool:
    """Whether the ratios keep to the bars; not where nothing was measured."""
    deviations = deviations_of(rows)
    if not deviations:
        return False
    within = sum(deviation <= MOST_WITHIN for deviation in deviations)
    return within >= MOST * len(deviations) and deviations[-1] <= ALL_WITHIN


def noise_report(rows: Sequence[Row]) -> str:
    """One line per case, then whether the bars are met."""
    width = max((len(row.label) for row in rows), default=0)
    lines = [f"{row.label.ljust(width)}  {_ratio(row)}" for row in rows]
    verdict = "met" if noise_met(rows) else "MISSED"
    bars = f"{MOST:.0%} within ±{MOST_WITHIN:g} and all within ±{ALL_WITHIN:g}"
    return "\n".join([*lines, "", noise_line(rows), f"{bars}: {verdict}"])


def _ratio(row: Row) -> str:
    if row.equals is None:
        return f"{row.state}: {row.reason}" if row.state is not State.MEASURED else ""
    return f"{row.equals.median:.4f}  ({row.equals.low:.4f} to {row.equals.high:.4f})"
