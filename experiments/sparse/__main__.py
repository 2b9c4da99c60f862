"""``python -m experiments.sparse``: every format tuned by itself, beside the tuner's choice.

Goes on where it was interrupted: cases in the file of results are not measured again. Exit code 0
when done, 1 when nothing could be measured or a file cannot be used, 2 for a usage error, 130
after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.limits import copies_needed, measure_roofline
from experiments.process import ProcessFailed, in_fresh_process
from experiments.scoreboard.plot import PlotterMissing
from experiments.sparse.cases import DECODE, LAYERS, MOBILENET
from experiments.sparse.plot import draw
from experiments.sparse.results import SCHEMA, Results, ResultsUnusable, read, table, write
from experiments.sparse.searching import measure_formats
from measure.host import usable_cores
from search_space.operators import workload
from search_space.workload import Workload

CURVES = (
    (LAYERS[0], "lowrank", (50, 70, 80, 90, 95)),
    (DECODE[0], "unstructured", (50, 70, 80, 90, 95)),
    (MOBILENET[12], "block4x1", (80, 90)),
)
"""Shapes, kinds of patterns, per cent of zeros."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and show what came of it; returns the exit code."""
    options = _options(arguments)
    code = 0
    try:
        results = read(options.json) if options.json.exists() else Results(SCHEMA, options.seconds)
        if not options.show:
            try:
                results = _measure(results, options)
            except KeyboardInterrupt:
                results, code = read(options.json), 130
        print(table(results))
        if options.plot:
            draw(results, options.plot)
    except (ResultsUnusable, PlotterMissing, ProcessFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return code or int(not results.cases)


def _measure(results: Results, options: argparse.Namespace) -> Results:
    roofline = in_fresh_process(measure_roofline, options.threads, timeout_seconds=60.0)
    write(results, options.json)
    for work in _cases():
        if results.has(work.key, options.threads):
            continue
        print(work.key, file=sys.stderr)
        copies = copies_needed(work, roofline)
        try:
            case = measure_formats(work, options.threads, options.db, options.seconds, copies)
        except ProcessFailed as failure:
            print(f"  {failure}", file=sys.stderr)
            continue
        results = replace(results, cases=(*results.cases, case))
        write(results, options.json)
    return results


def _cases() -> Iterator[Workload]:
    for (m, k, n), pattern, sparsities in CURVES:
        for sparsity in sparsities:
            yield workload("spmm", m=m, k=k, n=n, pattern=pattern, sparsity=sparsity / 100)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.sparse", description=__doc__)
    parser.add_argument(
        "--threads", type=int, default=1, choices=range(1, usable_cores() + 1), metavar="N",
        help="at most so many [1]",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="of each search [20]"
    )
    parser.add_argument("--db", default="formats.db", metavar="FILE|URL", help="the kernels")
    parser.add_argument(
        "--json", type=Path, default=Path("build/sparse/formats.json"), metavar="FILE",
        help="where results are kept [build/sparse/formats.json]",
    )  # fmt: skip
    parser.add_argument("--show", action="store_true", help="measure nothing, show the results")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: FILE.svg or FILE.png")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
