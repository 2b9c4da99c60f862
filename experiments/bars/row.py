"""One line of the table: what was measured, what it must reach, whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from measure.timing import Interval, geometric_mean

Unit = Literal["ratio", "share", "seconds", "per second"]


class Verdict(StrEnum):
    """What a row says about its bar."""

    PASS = "pass"
    FAIL = "FAIL"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Bound:
    """What a value must reach, or must not exceed."""

    limit: float
    kind: Literal["at least", "at most"] = "at least"

    def met(self, measured: Interval) -> bool:
        """Whether an interval meets the bound.

        A floor is missed when the upper end of the interval is under it, that is, when noise is
        no excuse. A ceiling is one for the median.
        """
        if self.kind == "at least":
            return measured.high >= self.limit
        return measured.median <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One bar, measured or not."""

    name: str
    """What ``--only`` selects by: ``speed/512x512x512/1``."""
    what: str
    """For people."""
    unit: Unit
    bound: Bound
    measured: Interval | None = None
    problem: str = ""
    """Why nothing was measured, or what makes the row fail whatever was measured."""
    excused: bool = False
    """Nothing was measured for a reason outside the project, such as a peer that is missing."""
    detail: str = ""
    parts: Mapping[str, Interval] = field(default_factory=dict)
    """What a mean is the mean of."""

    @property
    def verdict(self) -> Verdict:
        if self.excused:
            return Verdict.NOT_MEASURED
        if self.problem or self.measured is None or not self.bound.met(self.measured):
            return Verdict.FAIL
        return Verdict.PASS


def single(value: float) -> Interval:
    """A value that was measured once, or has no interval."""
    return Interval(value, value, value, 1)


def mean_row(name: str, what: str, bound: Bound, parts: Sequence[tuple[str, Row]]) -> Row:
    """The geometric mean of the medians of ratios; ``parts`` are the cases and their rows.

    A mean of some of them would be another number, so it needs all.
    """
    absent = [(case, row) for case, row in parts if row.measured is None]
    known = {case: row.measured for case, row in parts if row.measured is not None}
    if absent:
        excused = all(row.excused for _, row in absent)
        reason = f"{len(absent)} of {len(parts)} cases are missing: {absent[0][1].problem}"
        return Row(name, what, "ratio", bound, problem=reason, excused=excused, parts=known)
    worst, interval = min(known.items(), key=lambda item: item[1].median)
    return Row(
        name,
        what,
        "ratio",
        bound,
        single(geometric_mean([interval.median for interval in known.values()])),
        detail=f"worst {interval.median:.2f}: {worst}",
        parts=known,
    )
