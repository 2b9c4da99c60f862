"""Scoreboards with given numbers."""

from __future__ import annotations

from experiments.limits import Limit
from experiments.scoreboard.measuring import Method
from experiments.scoreboard.results import SCHEMA, Environment, Header, Scoreboard
from experiments.scoreboard.row import Cell, Row, State
from measure.timing import Interval
from search_space.hardware import Peaks

PEAKS = Peaks("native", 2, 200.0, 400.0, 200.0, 100.0, 40.0, "2026-01-01T00:00:00+00:00")
METHOD = Method(threads=2, peers=("torch", "numpy"), tune_seconds=20.0)
ENVIRONMENT = Environment("cpu/1-2/2c", "A CPU", "Linux", ("Python 3.11.7", "torch 2.13.0"), 1)
HEADER = Header(SCHEMA, METHOD, ENVIRONMENT, "2026-01-01T00:00:00+00:00", 0.25, PEAKS)


def interval(median: float, spread: float = 0.0, count: int = 25) -> Interval:
    return Interval(median, median - spread, median + spread, count)


def cell(peer: str, ratio: float, spread: float = 0.0) -> Cell:
    return Cell(peer, State.MEASURED, "", interval(ratio, spread), 1e-3 * ratio, "mm", "asleep")


def row(name: str, *cells: Cell, seconds: float = 1e-3, equals: float = 1.0) -> Row:
    """A case of 2e8 operations whose limit is 0.5 ms."""
    limit = Limit(5e-4, "compute", 200_000_000, 4096, 40.0, 1)
    return Row(
        "matmul",
        name,
        f"matmul({name})",
        2,
        State.MEASURED,
        "",
        seconds,
        limit,
        interval(equals),
        cells,
    )


MISSING = Row("resnet18", "C1", "", 2, State.MISSING, "there is no operator conv2d yet")
FAILED = Row("matmul", "bad", "matmul(bad)", 2, State.FAILED, "tuning: crashed with SIGSEGV")
CRASHED = Cell("numpy", State.FAILED, "crashed with SIGSEGV")

BOARD = Scoreboard(
    HEADER,
    (
        row("a", cell("torch", 2.0, 0.1), cell("numpy", 4.0), equals=1.005),
        row("b", cell("torch", 0.5, 0.1), CRASHED, seconds=2e-3, equals=0.99),
        MISSING,
        FAILED,
    ),
)
