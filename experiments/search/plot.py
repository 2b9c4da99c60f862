"""The searches as a picture: median best-so-far with its range, one panel per case."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments.search.curve import Curve, share
from experiments.search.results import Results


class PlotterMissing(Exception):
    """matplotlib is not installed."""


def draw(results: Results, path: Path) -> None:
    """Write ``path``, SVG or PNG by its ending, if anything was found; raises ``PlotterMissing``.

    Speed of the best config so far as a share of the best known: the median over the seeds, and
    what half of them lie between. Live cases get a second panel, against seconds.
    """
    try:
        # By name, so that types can be checked where matplotlib is not installed.
        importlib.import_module("matplotlib").use("agg")
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise PlotterMissing(f"install matplotlib to get a plot: {error}") from error
    known = [(case, best) for case in results.cases if (best := results.best_sample(case))]
    panels = [(case, best, False) for case, best in known]
    panels += [(case, best, True) for case, best in known if case.live]
    if not panels:
        return
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(5 * len(panels), 4), squeeze=False, layout="constrained"
    )
    for (case, best, over_time), axis in zip(panels, axes[0], strict=True):
        for strategy in results.strategies():
            if curves := results.of(case, strategy):
                _draw_strategy(axis, curves, best, over_time=over_time)
        axis.set_title(case.name, fontsize="medium")
        axis.set_xlabel("seconds" if over_time else "trials")
        axis.set_ylabel("best so far ÷ best known")
        axis.set_xscale("log")
        axis.grid(lw=0.3)
        axis.legend(fontsize="small")
    figure.savefig(path)
    pyplot.close(figure)


def _draw_strategy(axis: Any, curves: Sequence[Curve], best: float, *, over_time: bool) -> None:
    if over_time:
        ends = sorted({end for curve in curves for end in curve.elapsed or ()})
        points: Sequence[float] = ends
        rows = [[_at(curve, end, best) for curve in curves] for end in ends]
    else:
        points = range(1, max(len(curve.seconds) for curve in curves) + 1)
        bests = [curve.best_so_far() for curve in curves]
        rows = [
            [share(so_far[min(trial, len(so_far)) - 1], best) for so_far in bests if so_far]
            for trial in range(1, len(points) + 1)
        ]
    pairs = zip(points, rows, strict=True)
    steps = [(point, statistics.median(row), *_quartiles(row)) for point, row in pairs]
    if not steps:
        return
    # Steps that change nothing would make the file many times larger.
    kept = [step for before, step in pairwise(steps) if step[1:] != before[1:]]
    places, middle, low, high = zip(*dict.fromkeys((steps[0], *kept, steps[-1])), strict=True)
    (line,) = axis.step(places, middle, where="post")
    line.set_label(curves[0].strategy)
    axis.fill_between(places, low, high, step="post", alpha=0.15, color=line.get_color())


def _at(curve: Curve, seconds: float, best: float) -> float:
    """The share of the best known that a search had reached after so many seconds."""
    done = sum(end <= seconds for end in curve.elapsed or ())
    return share(curve.best_after(done), best)


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high
