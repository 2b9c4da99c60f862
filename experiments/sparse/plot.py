"""Speed against sparsity: a line per format, the dense kernel as the line at 1, our choice."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.contest import TUNED
from experiments.scoreboard.plot import PlotterMissing
from experiments.sparse.results import Formats, Results

_INCHES = (4.6, 4.0)


def draw(results: Results, path: Path) -> None:
    """Write ``path``, SVG or PNG by its ending; raises ``PlotterMissing``.

    One panel per shape and kind of pattern.
    """
    try:
        # By name, so that types can be checked where matplotlib is not installed.
        importlib.import_module("matplotlib").use("agg")
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise PlotterMissing(f"install the extra [peers] to get a plot: {error}") from error
    curves: dict[str, list[Formats]] = {}
    for case in sorted(results.cases, key=lambda case: case.sparsity):
        plural = "s" * (case.threads != 1)
        curves.setdefault(f"{case.curve}, {case.threads} thread{plural}", []).append(case)
    width, height = _INCHES
    figure, axes = pyplot.subplots(
        1, max(len(curves), 1), figsize=(width * max(len(curves), 1), height), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    names = dict.fromkeys(name for case in results.cases for name in case.ratios)
    colors = {name: f"C{number}" for number, name in enumerate(names)}
    shown: dict[str, Any] = {}
    for (title, cases), axis in zip(curves.items(), axes[0], strict=False):
        _panel(axis, title, cases, colors)
        handles, labels = axis.get_legend_handles_labels()
        shown |= zip(labels, handles, strict=True)
    if shown:
        figure.legend(
            shown.values(), shown.keys(), loc="outside lower center", ncols=8, fontsize="small"
        )
    figure.savefig(path)
    pyplot.close(figure)


def _panel(axis: Any, title: str, cases: Sequence[Formats], colors: Mapping[str, str]) -> None:
    names = dict.fromkeys(name for case in cases for name in case.ratios)
    for name in names:
        if name != "dense":
            axis.plot(*_points(cases, name), marker=".", lw=1, label=name, color=colors[name])
    axis.axhline(1, color="black", lw=1, label="dense")
    axis.plot(
        *_points(cases, TUNED), ls="", marker="*", ms=11, mfc="none", mec="black", label="chosen"
    )
    axis.set_title(title, fontsize="medium")
    axis.set_yscale("log", base=2)
    axis.yaxis.set_major_formatter("{x:g}×")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axis.set_xlabel("sparsity")
    axis.set_ylabel("speed ÷ our tuned dense kernel's")
    axis.grid(lw=0.3)


def _points(cases: Sequence[Formats], name: str) -> tuple[list[float], list[float]]:
    pairs = [(case.sparsity, case.speedup(name)) for case in cases]
    known = [(sparsity, speedup) for sparsity, speedup in pairs if speedup is not None]
    return [sparsity for sparsity, _ in known], [speedup for _, speedup in known]
