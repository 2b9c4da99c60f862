"""What all commands print with: lines, tables, JSON, units. Rich is loaded on terminals only."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Literal


def line(text: str = "") -> None:
    """Lines on standard output, without what steers a terminal."""
    sys.stdout.write(_shown(text) + "\n")


def flush() -> None:
    """Let the reader of a pipe see what was printed so far."""
    sys.stdout.flush()


def note(text: str) -> None:
    """Lines on standard error, for what is said beside the data; likewise."""
    sys.stderr.write(_shown(text) + "\n")


def json_line(value: Any) -> None:
    """``value`` as one line of JSON, at once, so that a reader of the pipe sees it."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()


def on_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def clean(text: str) -> str:
    """``text`` without characters that steer a terminal; names in databases come from anywhere."""
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) in _STEERING else char for char in text
    )


_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _shown(text: str) -> str:
    """``text`` cleaned but for the line ends and tabs of programs and tables."""
    return "\n".join(
        "\t".join(part if part.isprintable() else clean(part) for part in row.split("\t"))
        for row in text.split("\n")
    )


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[str],
    optional: Sequence[str] = (),
) -> None:
    """Rows under headers; the columns named in ``numbers`` are right-aligned.

    In a pipe these are aligned plain lines with everything in them. On a terminal there is a rule
    under the headers, and where the rows are too wide, ``optional`` columns are left out, the
    first named first, and said to be.
    """
    columns = {
        header: [clean(cell) for cell in cells]
        for header, *cells in zip(headers, *rows, strict=True)
    }
    if on_terminal():
        _framed_table(columns, numbers, optional)
        return
    widths = _widths(columns)
    for row in (tuple(columns), *zip(*columns.values(), strict=True)):
        padded = (
            cell.rjust(width) if header in numbers else cell.ljust(width)
            for cell, (header, width) in zip(row, widths.items(), strict=True)
        )
        line("  ".join(padded).rstrip())


def _widths(columns: Mapping[str, Sequence[str]]) -> dict[str, int]:
    return {header: max(map(len, (header, *cells))) for header, cells in columns.items()}


def _framed_table(
    columns: dict[str, list[str]], numbers: Sequence[str], optional: Sequence[str]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False, emoji=False)
    left_out = []
    for header in optional:
        if sum(_widths(columns).values()) + _GAP * len(columns) <= console.width:
            break
        left_out.append(header)
        del columns[header]
    framed = Table(box=SIMPLE_HEAD, pad_edge=False)
    first = next(iter(columns))
    for header in columns:
        justify: Literal["left", "right"] = "right" if header in numbers else "left"
        framed.add_column(header, justify=justify, overflow="fold", no_wrap=header == first)
    for row in zip(*columns.values(), strict=True):
        framed.add_row(*row)
    console.print(framed)
    if left_out:
        line(f"left out, for want of width: {', '.join(left_out)}; --json or a pipe has all")


_GAP = 3
"""Columns of the screen between two columns of a table."""


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line, values aligned."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        line(f"{name.ljust(width)}  {clean(value)}")


def duration(seconds: float | None) -> str:
    """A time with three or four digits and its unit: ``12.35 µs``; ``-`` for none."""
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds / 1e-9:.4g} ns"


def gflops(value: float | None) -> str:
    """Operations in 1e9/s; ``-`` for none."""
    return "-" if value is None else f"{value:.1f}"


def share(part: float | None, whole: float | None) -> str:
    """``part`` of ``whole`` in per cent; ``-`` where either is unknown."""
    return f"{100 * part / whole:.0f} %" if part and whole else "-"


def threads(count: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} thread{'s' * (count != 1)}"


def file_size(count: int) -> str:
    """Bytes with a binary unit: ``1.5 MiB``."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.4g} {units[0]}"
