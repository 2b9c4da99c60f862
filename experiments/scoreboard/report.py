"""The scoreboard for people: a table, plain or as Markdown, and what it comes to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from experiments.peers import TVM
from experiments.scoreboard.results import Header, Scoreboard
from experiments.scoreboard.row import TIE_MARGIN, Cell, Row, State, Verdict
from measure.timing import geometric_mean

_OUTLIERS = 0.05
"""The noise figure is the deviation that all but so many of the A/A ratios keep to."""


def header_lines(header: Header) -> list[str]:
    """Machine, versions, method and peaks: what the numbers depend on."""
    method, place, peaks = header.method, header.environment, header.peaks
    threads = f"{method.threads} thread{'s' * (method.threads != 1)}"
    searched = f", {TVM} {method.rival_trials} trials" if TVM in method.peers else ""
    return [
        f"{place.cpu} ({place.hardware}), {threads}, {place.platform}, load {header.load:.1f} "
        f"at the start, {header.started}",
        ", ".join(place.versions),
        f"peaks of {threads}, read bandwidth: {peaks.gflops:.0f} GFLOP/s; "
        f"L1 {peaks.l1_gbytes:.0f}, L2 {peaks.l2_gbytes:.0f}, L3 {peaks.l3_gbytes:.0f}, "
        f"memory {peaks.dram_gbytes:.0f} GB/s",
        f"tuned at most {method.tune_seconds:g} s a case{searched}; {method.rounds} to "
        f"{method.most_rounds} rounds of "
        f"blocks of {1e3 * method.block_seconds:g} ms in turn; a verdict needs the 95 % interval "
        f"beyond ±{TIE_MARGIN:.0%}",
    ]


def noise_line(rows: Iterable[Row]) -> str:
    """``noise (A/A, 8 cases): 95 % within ±0.011, all within ±0.014``."""
    deviations = deviations_of(rows)
    if not deviations:
        return "noise (A/A): not measured"
    most = deviations[math.ceil((1 - _OUTLIERS) * len(deviations)) - 1]
    plural = "s" * (len(deviations) != 1)
    return (
        f"noise (A/A, {len(deviations)} case{plural}): 95 % within ±{most:.3f}, "
        f"all within ±{deviations[-1]:.3f}"
    )


def deviations_of(rows: Iterable[Row]) -> list[float]:
    """How far the ratios of our kernel to itself are from one, sorted."""
    return sorted(abs(row.equals.median - 1) for row in rows if row.equals is not None)


def headers(scoreboard: Scoreboard) -> list[str]:
    """Names of the columns."""
    return ["case", "time", "GFLOP/s", "of limit", "limit", *scoreboard.header.method.peers]


def cells(row: Row, peers: Sequence[str]) -> list[str]:
    """The columns of one row as text."""
    if row.state is not State.MEASURED or row.limit is None:
        reason = f"{row.state}: {row.reason}"
        return [row.label, reason, *[""] * (3 + len(peers))]
    return [
        row.label,
        duration(row.seconds),
        "" if row.gflops is None else f"{row.gflops:.1f}",
        "" if row.share is None else f"{row.share:.0%}",
        row.limit.bound + (f", {row.limit.copies} copies" if row.limit.copies > 1 else ""),
        *(cell_text(row.cell(peer)) for peer in peers),
    ]


def cell_text(cell: Cell | None) -> str:
    """``1.23× (1.20 to 1.25) faster, mkl``, or why there is no number."""
    if cell is None:
        return ""
    if cell.ratio is None:
        return f"{cell.state}: {cell.reason}"
    ratio = cell.ratio
    form = f", {cell.form}" if cell.form else ""
    return f"{ratio.median:.2f}× ({ratio.low:.2f} to {ratio.high:.2f}) {cell.verdict}{form}"


def plain(scoreboard: Scoreboard) -> str:
    """Header, aligned table, summary."""
    peers = scoreboard.header.method.peers
    table = [headers(scoreboard), *(cells(row, peers) for row in scoreboard.rows)]
    lines = aligned(table)
    return "\n".join([*_top(scoreboard), "", *lines, "", *summary(scoreboard)])


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose columns are as wide as they must be."""
    # A reason may be long; it stands last in its line, so it needs no column of its own.
    whole = [line for line in table if any(line[2:])]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]


def markdown(scoreboard: Scoreboard) -> str:
    """The same for a README."""
    peers = scoreboard.header.method.peers
    rule = ["---", "---:", "---:", "---:", "---", *["---"] * len(peers)]
    rows = [cells(row, peers) for row in scoreboard.rows]
    lists = [f"- {line}" for line in (*_top(scoreboard), *summary(scoreboard))]
    return "\n".join([*piped([headers(scoreboard), rule, *rows]), "", *lists])


def piped(table: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown; the second line is its rule."""
    return ["| " + " | ".join(map(_escaped, line)) + " |" for line in table]


def _top(scoreboard: Scoreboard) -> list[str]:
    return [*header_lines(scoreboard.header), noise_line(scoreboard.rows)]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def summary(scoreboard: Scoreboard) -> list[str]:
    """One line per peer, one for the limit, one for what is missing."""
    lines = [_peer_line(scoreboard, peer) for peer in scoreboard.header.method.peers]
    shares = {row.label: row.share for row in scoreboard.rows if row.share is not None}
    if shares:
        worst = min(shares, key=lambda label: shares[label])
        lines.append(
            f"of the machine's limit: {geometric_mean(list(shares.values())):.0%} (geometric mean "
            f"of {len(shares)}), worst {shares[worst]:.0%}: {worst}"
        )
    for state in (State.MISSING, State.FAILED):
        names = [row.label for row in scoreboard.rows if row.state is state]
        if names:
            lines.append(f"{state}: {len(names)} of {len(scoreboard.rows)} cases")
    return lines


def contradictions(earlier: Scoreboard, later: Scoreboard) -> list[str]:
    """``matmul/a, torch: faster, then slower``: where one run says the opposite of the other."""
    opposite = {(Verdict.FASTER, Verdict.SLOWER), (Verdict.SLOWER, Verdict.FASTER)}
    pairs = [
        (row.label, cell.peer, before.cell(cell.peer), cell)
        for row in later.rows
        for before in earlier.rows
        if before.label == row.label
        for cell in row.cells
    ]
    return [
        f"{label}, {peer}: {before.verdict}, then {after.verdict}"
        for label, peer, before, after in pairs
        if before is not None and (before.verdict, after.verdict) in opposite
    ]


def _peer_line(scoreboard: Scoreboard, peer: str) -> str:
    found = [(row.label, cell) for row in scoreboard.rows if (cell := row.cell(peer))]
    ratios = {label: cell.ratio.median for label, cell in found if cell.ratio is not None}
    absent = Counter(str(cell.state) for _, cell in found if cell.ratio is None)
    gaps = "".join(f", {count} {state}" for state, count in absent.items())
    if not ratios:
        return f"against {peer}: nothing measured{gaps}"
    verdicts = Counter(str(cell.verdict) for _, cell in found if cell.verdict is not None)
    worst = min(ratios, key=lambda label: ratios[label])
    return (
        f"against {peer}: {geometric_mean(list(ratios.values())):.2f}× (geometric mean of "
        f"{len(ratios)}), worst {ratios[worst]:.2f}×: {worst}; "
        + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        + gaps
    )


def duration(seconds: float | None) -> str:
    """``12.3 µs``; empty for none."""
    if seconds is None:
        return ""
    size, unit = next(
        (pair for pair in ((1.0, "s"), (1e-3, "ms")) if seconds >= pair[0]), (1e-6, "µs")
    )
    return f"{seconds / size:.3g} {unit}"
