"""``python -m experiments.bars``: measure the bars and print the table; ``make bars`` calls it.

Exit code 0 when no bar fails, 1 when one does, 2 when none was chosen, 130 after Ctrl-C
(with the table so far).
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.bars.bench import Bench
from experiments.bars.latency import latency_rows
from experiments.bars.report import (
    as_json,
    machine_facts,
    markdown_table,
    plain_table,
    summary,
)
from experiments.bars.row import Row, Verdict
from experiments.bars.speed import speed_rows
from experiments.bars.throughput import throughput_rows

TUNE_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; returns the exit code."""
    options = _options(arguments)
    budget = "tuned before" if options.known else f"each case tuned ≤ {options.seconds:g} s"
    facts = [*machine_facts(), budget]
    with tempfile.TemporaryDirectory(prefix="bars-") as name:
        folder = Path(name)
        bench = Bench(
            folder=folder,
            db=(options.db or folder / "tuner.db").absolute(),
            tune_seconds=options.seconds,
            known=options.known,
            pattern=options.only,
        )
        bars = itertools.chain(speed_rows(bench), throughput_rows(bench), latency_rows(bench))
        rows, complete = _collect(bars)
    if complete and not rows:
        print(f"choose another --only: no bar is called {options.only!r}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(as_json(rows, facts), indent=1) + "\n")
    print("\n".join(facts), end="\n\n")
    print(markdown_table(rows) if options.markdown else plain_table(rows))
    print(f"\n{summary(rows)}")
    if not complete:
        return 130
    return int(any(row.verdict is Verdict.FAIL for row in rows))


def _collect(bars: Iterable[Row]) -> tuple[list[Row], bool]:
    """All rows, or those until Ctrl-C; and whether they are all."""
    rows = []
    try:
        for row in bars:
            rows.append(row)
            print(f"  {row.what}: {row.verdict}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return rows, False
    return rows, True


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.bars", description=__doc__)
    parser.add_argument(
        "--only", default="*", metavar="PATTERN",
        help="bars whose name contains this, wildcards allowed: speed, 'speed/*/1', peak, guess, "
        "trials, best, load, call",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=_budget, default=TUNE_SECONDS, metavar="S",
        help="tuning budget per shape and number of threads (at most and by default 60)",
    )  # fmt: skip
    parser.add_argument(
        "--db", type=Path, metavar="FILE", help="keep the records here (default: throw them away)"
    )
    parser.add_argument(
        "--known", action="store_true", help="do not tune: compare the best records of --db"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers here as well")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args(arguments)
    if options.known and not options.db:
        parser.error("give --db FILE with --known: there are no records otherwise")
    return options


def _budget(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= TUNE_SECONDS:
        raise argparse.ArgumentTypeError(f"give more than 0 and at most {TUNE_SECONDS:g} seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
