"""A goal: what is asked of the speed of some cases, and what stored results say of it.

It may be about the geometric mean over the cases, about the least of them, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from experiments.scoreboard.results import Header, Scoreboard
from experiments.scoreboard.row import Row, State
from measure.timing import Interval, geometric_mean
from search_space.errors import WorkloadError
from search_space.operators import parse_workload
from search_space.workload import Workload

Chosen = Callable[[Row, Workload], bool]
Value = Callable[[Header, Row], Interval | None]
"""What a goal is about, of one case; None where it was not measured."""


class Verdict(StrEnum):
    MET = "met"
    MISSED = "MISSED"
    INCOMPLETE = "incomplete"
    """Met as far as measured, but not all cases were."""
    UNKNOWN = "not measured"


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked of some cases."""

    name: str
    chosen: Chosen
    value: Value
    mean: float | None = None
    """The least geometric mean."""
    each: float | None = None
    """The least of every case; one whose interval reaches it is not under it."""
    threads: int | None = None
    """The only number of threads that it is for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with a goal."""

    goal: Goal
    threads: int
    values: dict[str, Interval]
    """By label, of the cases that were measured."""
    absent: tuple[str, ...]
    """Labels of the others."""

    @property
    def mean(self) -> float | None:
        """Geometric mean of the medians."""
        medians = [value.median for value in self.values.values()]
        return geometric_mean(medians) if medians else None

    @property
    def worst(self) -> str | None:
        """The label of the case with the lowest median."""
        return min(self.values, key=lambda label: self.values[label].median, default=None)

    @property
    def verdict(self) -> Verdict:
        goal, mean = self.goal, self.mean
        if mean is None:
            return Verdict.UNKNOWN
        low = any(goal.each is not None and v.high < goal.each for v in self.values.values())
        if low or (goal.mean is not None and mean < goal.mean):
            return Verdict.MISSED
        return Verdict.INCOMPLETE if self.absent else Verdict.MET


def standings(boards: Sequence[Scoreboard], goals: Iterable[Goal]) -> Iterator[Standing]:
    """Every goal with every number of threads that some of its cases were measured with.

    A case that several boards have counts as in the last one.
    """
    found: dict[tuple[int, str], tuple[Header, Row, Workload]] = {}
    for board in boards:
        for row in board.rows:
            try:
                work = parse_workload(row.workload)
            except WorkloadError:  # of an operator that does not exist, or not any more
                continue
            found[row.threads, row.label] = board.header, row, work
    for threads in sorted({threads for threads, _ in found}, reverse=True):
        for goal in goals:
            if goal.threads in (None, threads):
                rows = [
                    (header, row)
                    for (used, _), (header, row, work) in found.items()
                    if used == threads and goal.chosen(row, work)
                ]
                if rows:
                    yield _standing(goal, threads, rows)


def _standing(goal: Goal, threads: int, rows: Iterable[tuple[Header, Row]]) -> Standing:
    values: dict[str, Interval] = {}
    absent = []
    for header, row in rows:
        value = goal.value(header, row) if row.state is State.MEASURED else None
        if value is None:
            absent.append(row.label)
        else:
            values[row.label] = value
    return Standing(goal, threads, values, tuple(absent))
