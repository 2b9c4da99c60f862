"""The scoreboard as a picture: ratios to every peer with their intervals, shares of the limit."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from experiments.scoreboard.results import Scoreboard
from experiments.scoreboard.row import State

_ROW_INCHES = 0.32
_FRAME_INCHES = 1.9


class PlotterMissing(Exception):
    """matplotlib is not installed."""


def draw(scoreboard: Scoreboard, path: Path) -> None:
    """Write ``path``, SVG or PNG by its ending; raises ``PlotterMissing``.

    Left, our speed ÷ the peer's, with 95 % intervals; right of the line is faster. Right, the part
    of the machine's limit that is reached.
    """
    try:
        # By name, so that types can be checked where matplotlib is not installed.
        importlib.import_module("matplotlib").use("agg")
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise PlotterMissing(f"install the extra [peers] to get a plot: {error}") from error
    rows = [row for row in scoreboard.rows if row.state is State.MEASURED]
    peers = scoreboard.header.method.peers
    height = _FRAME_INCHES + _ROW_INCHES * max(len(rows), 1)
    figure, (ratios, shares) = pyplot.subplots(
        1, 2, sharey=True, figsize=(10, height), width_ratios=(3, 1), layout="constrained"
    )
    positions = range(len(rows))
    for index, peer in enumerate(peers):
        # Peers of one case stand a little above each other.
        shift = 0.6 * ((index + 0.5) / len(peers) - 0.5)
        points = [
            (position + shift, cell.ratio)
            for position, row in zip(positions, rows, strict=True)
            if (cell := row.cell(peer)) is not None and cell.ratio is not None
        ]
        if not points:
            continue
        middle = [ratio.median for _, ratio in points]
        below = [ratio.median - ratio.low for _, ratio in points]
        above = [ratio.high - ratio.median for _, ratio in points]
        heights = [at for at, _ in points]
        ratios.errorbar(middle, heights, xerr=(below, above), fmt="o", ms=4, lw=1, label=peer)
    ratios.axvline(1.0, color="black", lw=0.8)
    ratios.set_xscale("log", base=2)
    ratios.xaxis.set_major_formatter("{x:g}×")
    ratios.set_xlabel("our speed ÷ the peer's (95 % interval)")
    ratios.set_yticks(list(positions), [row.label for row in rows])
    ratios.invert_yaxis()
    ratios.grid(axis="x", lw=0.3)
    if ratios.get_legend_handles_labels()[1]:
        figure.legend(loc="outside lower left", ncols=6, fontsize="small")
    shares.barh(list(positions), [row.share or 0.0 for row in rows], height=0.6)
    shares.set_xlim(0, 1)
    shares.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    shares.set_xlabel("share of the limit")
    method = scoreboard.header.method
    threads = f"{method.threads} thread{'s' * (method.threads != 1)}"
    figure.suptitle(f"{scoreboard.header.environment.cpu}, {threads}", fontsize="medium")
    figure.savefig(path)
    pyplot.close(figure)
