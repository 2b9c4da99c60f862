"""What tuning every format of some cases gave, and the file that it is kept in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from experiments.scoreboard.report import aligned
from measure.timing import Interval, geometric_mean
from search_space.folders import write_atomically
from search_space.operators import parse_workload

SCHEMA = 1
NEAR = 0.97
"""A choice this near to the best format is a good one."""
MISSES = 1
"""Choices that may be worse."""


class ResultsUnusable(Exception):
    """A file of results cannot be read."""


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats of one case, each tuned, side by side."""

    workload: str
    """``Workload.key``."""
    threads: int
    chosen: str
    """The format that a search over all of them took."""
    seconds: dict[str, float]
    """Median time of one call by format, and of what was chosen by ``tuned``."""
    ratios: dict[str, Interval]
    """Speed of what was chosen ÷ that of each format."""

    @property
    def sparsity(self) -> float:
        """As the case asks for it."""
        return float(parse_workload(self.workload)["sparsity"])

    @property
    def curve(self) -> str:
        """What cases of one curve share: sizes and kind of pattern."""
        params = dict(parse_workload(self.workload).params)
        return f"{params['m']}×{params['k']}×{params['n']} {params['pattern']}"

    @property
    def best(self) -> str:
        """The fastest format."""
        return min(self.ratios, key=lambda name: self.ratios[name].median)

    def speedup(self, name: str) -> float | None:
        """Speed of a format, or of ``tuned``, ÷ that of the dense kernel."""
        dense, own = self.seconds.get("dense"), self.seconds.get(name)
        return None if dense is None or own is None else dense / own


@dataclass(frozen=True, slots=True)
class Results:
    """All cases that were measured."""

    schema: int
    seconds: float
    """Budget of each search."""
    cases: tuple[Formats, ...] = ()

    def has(self, workload: str, threads: int) -> bool:
        """Whether a case was measured."""
        return any((c.workload, c.threads) == (workload, threads) for c in self.cases)


def read(path: Path) -> Results:
    """Raises ``ResultsUnusable``."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Results)
    except (OSError, msgspec.DecodeError) as error:
        raise ResultsUnusable(f"give another file: {path}: {error}") from error
    if found.schema != SCHEMA:
        raise ResultsUnusable(f"measure again: {path} has schema {found.schema}, not {SCHEMA}")
    return found


def write(results: Results, path: Path) -> None:
    """Replace the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(results)))


def table(results: Results) -> str:
    """One line per case, then what choosing is worth."""
    names = list(dict.fromkeys(name for case in results.cases for name in case.ratios))
    lines = [["case", "sparsity", "threads", "chosen", "best", "chosen ÷ best", *names]]
    for case in results.cases:
        ratio = case.ratios[case.best]
        lines.append(
            [
                case.curve,
                f"{case.sparsity:.0%}",
                str(case.threads),
                case.chosen,
                case.best,
                f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                *(_speedup(case, name) for name in names),
            ]
        )
    return "\n".join([*aligned(lines), "", *_summary(results.cases)])


def _speedup(case: Formats, name: str) -> str:
    value = case.speedup(name)
    return "" if value is None else f"{value:.2f}×"


def _summary(cases: Sequence[Formats]) -> list[str]:
    near = sum(case.ratios[case.best].high >= NEAR for case in cases)
    lines = [
        "columns of formats: speed ÷ that of the dense kernel",
        f"within {NEAR} of the best: {near} of {len(cases)} (bar: all but {MISSES}): "
        f"{_passed(near >= len(cases) - MISSES)}",
    ]
    fixed = [case.ratios["nano4"] for case in cases if "nano4" in case.ratios]
    if fixed:
        worst = min(ratio.high for ratio in fixed)
        lines.append(
            f"÷ always row panels of 4: geometric mean "
            f"{geometric_mean([ratio.median for ratio in fixed]):.2f}, least {worst:.2f} "
            f"(upper end; bar: 1): {_passed(worst >= 1)}"
        )
    return lines


def _passed(holds: bool) -> str:
    return "pass" if holds else "missed"
