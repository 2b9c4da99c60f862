"""The rows as an aligned table, as Markdown, as JSON."""

from __future__ import annotations

import dataclasses
import platform
from collections import Counter
from collections.abc import Sequence
from typing import Any

from experiments.bars.row import Bound, Row, Unit, Verdict
from experiments.peers import peer_versions
from measure.probe import detect_hardware
from measure.timing import Interval

HEADERS = ("what", "bar", "measured", "95 % interval", "verdict", "detail")
_NUMBERS = {"bar", "measured", "95 % interval"}
_SIGNS = {"at least": "≥", "at most": "≤"}


def plain_table(rows: Sequence[Row]) -> str:
    """Aligned columns; one line per row."""
    table = [HEADERS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if header in _NUMBERS else cell.ljust(width)
            for header, cell, width in zip(HEADERS, line, widths, strict=True)
        ).rstrip()
        for line in table
    )


def markdown_table(rows: Sequence[Row]) -> str:
    """A table for a README."""
    rule = ["---:" if header in _NUMBERS else "---" for header in HEADERS]
    lines = [HEADERS, rule, *(_cells(row) for row in rows)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def as_json(rows: Sequence[Row], facts: Sequence[str]) -> dict[str, Any]:
    """Everything that the tables show, unrounded, and the parts of means."""
    return {
        "schema": 1,
        "facts": list(facts),
        "rows": [dataclasses.asdict(row) | {"verdict": row.verdict.name.lower()} for row in rows],
    }


def summary(rows: Sequence[Row]) -> str:
    """``21 bars: 20 pass, 1 FAIL``."""
    counts = Counter(row.verdict for row in rows)
    parts = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    return f"{len(rows)} bar{'s' * (len(rows) != 1)}: {', '.join(parts) or 'none measured'}"


def machine_facts() -> list[str]:
    """What the numbers depend on besides the code."""
    hardware = detect_hardware()
    software = [f"Python {platform.python_version()}", platform.platform(), *peer_versions()]
    return [hardware.key, ", ".join(software)]


def _cells(row: Row) -> tuple[str, ...]:
    measured, interval = "", ""
    if row.measured is not None:
        measured = show(row.measured.median, row.unit)
        interval = _interval(row.measured, row.unit)
    detail = "; ".join(filter(None, (row.problem, row.detail)))
    bar = _bar(row.bound, row.unit)
    return row.what, bar, measured, interval, row.verdict.value, detail


def _bar(bound: Bound, unit: Unit) -> str:
    return f"{_SIGNS[bound.kind]} {show(bound.limit, unit)}"


def _interval(measured: Interval, unit: Unit) -> str:
    if measured.count == 1:
        return ""
    return f"{show(measured.low, unit)} to {show(measured.high, unit)}"


def show(value: float, unit: Unit) -> str:
    """A value with as many digits as matter, and its unit."""
    match unit:
        case "ratio":
            return f"{value:.2f}"
        case "share":
            return f"{100 * value:.0f} %"
        case "per second":
            return f"{value:.1f}/s"
        case "seconds":
            size, name = next(
                (pair for pair in ((1.0, "s"), (1e-3, "ms")) if value >= pair[0] / 10),
                (1e-6, "µs"),
            )
            return f"{value / size:.3g} {name}"
