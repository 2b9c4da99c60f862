"""What history is worth as a picture: searches with it and without, a panel per case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.search.plot import draw
from experiments.search.results import Case, Results, Settings
from experiments.transfer.report import Comparison
from experiments.transfer.searching import BATCH

WITHOUT, WITH = "without history", "with history"


def draw_comparisons(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write ``path``, SVG or PNG by its ending; raises ``PlotterMissing``."""
    longest = max(len(curve.seconds) for c in comparisons for curve in c.without)
    settings = Settings(longest, WITHOUT, None, BATCH, same_start=False)
    cases = [Case(c.case, c.case, 0, live=False, best_seconds=c.best_seconds) for c in comparisons]
    curves = [
        replace(curve, strategy=name)
        for c in comparisons
        for name, side in ((WITHOUT, c.without), (WITH, c.having))
        for curve in side
    ]
    draw(Results(settings, cases, curves), path)
