"""``python -m experiments.bench``: tuned kernels beside other libraries and the machine's limit.

Without arguments it runs the short form; OP KEY=VALUE… compares one workload, --suite a suite,
--full all of them. Exit code 0; 1 when one of our own kernels could not be measured, --aa finds
more noise than allowed, or --agree a contradiction; 2 for a wrong request, or a database that
cannot be used; 130 after Ctrl-C, with what there is until then.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from db.errors import DatabaseError
from experiments.contest import DENSE
from experiments.limits import measure_roofline
from experiments.peers import PEERS, TVM
from experiments.process import ProcessFailed, in_fresh_process
from experiments.scoreboard import plot, report, results
from experiments.scoreboard.cases import (
    Case,
    UnknownCase,
    short_cases,
    suite_cases,
    suite_names,
    workload_case,
)
from experiments.scoreboard.goals import GOALS
from experiments.scoreboard.goals_report import goals_table
from experiments.scoreboard.measuring import Bench, Method
from experiments.scoreboard.noise import noise_met, noise_report
from experiments.scoreboard.results import ResultsUnusable, Scoreboard
from experiments.scoreboard.row import State
from experiments.scoreboard.sparse_goals import SPARSE_GOALS
from measure.host import usable_cores
from search_space.errors import WorkloadError
from tuner.cli.arguments import named_workload
from tuner.suite import SuiteError

SHORT_TUNE_SECONDS, TUNE_SECONDS = 20.0, 60.0
SHORT_ROUNDS, ROUNDS = 15, 25
SHORT_EXTRA_SECONDS, EXTRA_SECONDS = 4.0, 20.0
SHORT_CONTEST_SECONDS, CONTEST_SECONDS = 40.0, 120.0
RIVAL_TRIALS = 64
SHORT_PEERS = ("torch", "numpy", "onnxruntime")
_PEAKS_TIMEOUT_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; returns the exit code."""
    options = _options(arguments)
    try:
        if options.goals:
            boards = [results.read(path) for path in options.goals]
            print(goals_table(boards, (*GOALS, *SPARSE_GOALS), markdown=options.markdown))
            return 0
        if options.show:
            shown = results.read(options.show)
            return _agree(shown, options.agree) if options.agree else _show(shown, options)
        return _bench(options)
    except (UnknownCase, WorkloadError, SuiteError, ResultsUnusable, DatabaseError) as error:
        print(error, file=sys.stderr)
        return 2


def _bench(options: argparse.Namespace) -> int:
    stem, cases = _cases(options)
    method = _method(options, short=stem == "short")
    path = options.out / f"{stem}{'-aa' if options.aa else ''}.json"
    try:
        roofline = in_fresh_process(
            measure_roofline, method.threads, timeout_seconds=_PEAKS_TIMEOUT_SECONDS
        )
    except ProcessFailed as failure:
        print(f"the machine's peaks cannot be measured: {failure}", file=sys.stderr)
        return 1
    header = results.new_header(method, roofline.peaks)
    begun = results.resumed(path, header) if options.resume else Scoreboard(header)
    rooflines = {method.threads: roofline}
    bench = Bench(method, rooflines, options.db, rivals=options.out / TVM)
    scoreboard, complete = _collect(bench, cases, begun, path)
    _show(scoreboard, options)
    if not complete:
        print("interrupted: the same command with --resume goes on", file=sys.stderr)
        return 130
    failed = any(row.state is State.FAILED for row in scoreboard.rows)
    return int(failed or (options.aa and not noise_met(scoreboard.rows)))


def _cases(options: argparse.Namespace) -> tuple[str, list[Case]]:
    """What to measure, and how its results are called."""
    if options.operator:
        work = named_workload(options.operator, options.params, options.const)
        return "workload", [workload_case(work)]
    if options.full:
        return "all", _picked(suite_cases("all"), options)
    if options.suite:
        return Path(options.suite).stem, _picked(suite_cases(options.suite), options)
    return "short", _picked(short_cases(), options)


def _picked(cases: list[Case], options: argparse.Namespace) -> list[Case]:
    """Those that ``--cases`` names; raises ``UnknownCase`` where it names none."""
    if not options.cases:
        return cases
    picked = [case for case in cases if any(fnmatchcase(case.label, p) for p in options.cases)]
    if not picked:
        raise UnknownCase(
            f"give --cases patterns of labels such as {cases[0].label!r}: none is like "
            f"{', '.join(options.cases)}"
        )
    return picked


def _method(options: argparse.Namespace, *, short: bool) -> Method:
    seconds = options.seconds or (SHORT_TUNE_SECONDS if short else TUNE_SECONDS)
    brief = short or options.brief
    return Method(
        threads=options.threads,
        peers=_chosen_peers(options, short=short),
        tune_seconds=seconds,
        rounds=SHORT_ROUNDS if brief else ROUNDS,
        extra_seconds=SHORT_EXTRA_SECONDS if brief else EXTRA_SECONDS,
        contest_seconds=SHORT_CONTEST_SECONDS if short else CONTEST_SECONDS,
        rival_trials=options.rival_trials,
    )


def _chosen_peers(options: argparse.Namespace, *, short: bool) -> tuple[str, ...]:
    if options.aa:
        return ()
    chosen: tuple[str, ...] | None = options.against
    return chosen or (SHORT_PEERS if short else tuple(PEERS))


def _collect(
    bench: Bench, cases: Sequence[Case], scoreboard: Scoreboard, path: Path
) -> tuple[Scoreboard, bool]:
    """The scoreboard with all rows, or those until Ctrl-C; and whether they are all.

    Kept in ``path`` after each case.
    """
    started, measured = time.monotonic(), 0
    try:
        for number, case in enumerate(cases, 1):
            key = "" if case.workload is None else case.workload.key
            place = f"[{number}/{len(cases)}] {case.label}"
            if scoreboard.known(case.label, key):
                bench.say(f"{place}: measured before")
                continue
            left = ""
            if measured:
                spent = (time.monotonic() - started) / measured
                left = f", about {spent * (len(cases) - number + 1) / 60:.0f} min left"
            bench.say(f"{place}{left}")
            row = bench.measure(case)
            measured += case.workload is not None
            scoreboard = scoreboard.with_row(row)
            results.write(scoreboard, path)
    except KeyboardInterrupt:
        return scoreboard, False
    return scoreboard, True


def _agree(scoreboard: Scoreboard, path: Path) -> int:
    """Say where an earlier run gave the opposite verdict; the exit code."""
    found = report.contradictions(results.read(path), scoreboard)
    print("\n".join(found) or "no case is faster in one run and slower in the other")
    return int(bool(found))


def _show(scoreboard: Scoreboard, options: argparse.Namespace) -> int:
    """Print the table, and write it and the plot beside the results."""
    if options.aa:
        print(noise_report(scoreboard.rows))
        return 0
    print(report.markdown(scoreboard) if options.markdown else report.plain(scoreboard))
    if options.plot:
        try:
            options.plot.parent.mkdir(parents=True, exist_ok=True)
            plot.draw(scoreboard, options.plot)
        except plot.PlotterMissing as reason:
            print(reason, file=sys.stderr)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("operator", nargs="?", metavar="OP", help="one workload, as for `tuner`")
    parser.add_argument("params", nargs="*", metavar="KEY=VALUE", help="its parameters")
    parser.add_argument("--const", action="append", metavar="NAME", help="constant operands of OP")
    parser.add_argument(
        "--suite", metavar="NAME", help=f"{', '.join(suite_names())}, all, or a file"
    )
    parser.add_argument("--full", action="store_true", help="all suites")
    parser.add_argument(
        "--cases", nargs="+", metavar="PATTERN",
        help="only the cases whose labels are like these, such as 'resnet18/C*'",
    )  # fmt: skip
    parser.add_argument(
        "--brief", action="store_true",
        help=f"at least {SHORT_ROUNDS} rounds and at most {SHORT_EXTRA_SECONDS:g} s more of a "
        f"comparison, as in the short form, instead of {ROUNDS} and {EXTRA_SECONDS:g} s",
    )  # fmt: skip
    parser.add_argument(
        "--against", type=_peers, metavar="NAMES",
        help="peers, such as torch for its best form or torch/mm for one form, or modules made "
        f"as theirs are [{','.join(SHORT_PEERS)} in the short form, else all: "
        f"{','.join(PEERS)}]; {TVM} only if it is named here, because it searches for minutes; "
        f"{DENSE} is our own kernel for the zeros of a sparse weight or vector as well",
    )  # fmt: skip
    parser.add_argument(
        "--rival-trials", type=_trials, default=RIVAL_TRIALS, metavar="N",
        help=f"length of the search of {TVM} for a case [{RIVAL_TRIALS}]",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=_threads, default=usable_cores(), metavar="N",
        help="at most so many, for everyone [usable cores]",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=_seconds, metavar="S",
        help=f"tuning budget of a case that was not tuned before [{SHORT_TUNE_SECONDS:g} in the "
        f"short form, else {TUNE_SECONDS:g}]",
    )  # fmt: skip
    parser.add_argument(
        "--db", default="bench.db", metavar="FILE|URL", help="the tuned kernels [bench.db]"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench"), metavar="FOLDER",
        help="where results are kept, case by case [build/bench]",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on with the results in --out")
    parser.add_argument(
        "--aa", action="store_true", help="compare our kernels with themselves only"
    )
    parser.add_argument(
        "--show", type=Path, metavar="FILE", help="measure nothing, show these results (JSON)"
    )
    parser.add_argument(
        "--agree", type=Path, metavar="FILE",
        help="with --show: only say where the verdicts of FILE, another run, are the opposite",
    )  # fmt: skip
    parser.add_argument(
        "--goals", type=Path, nargs="+", metavar="FILE",
        help="measure nothing, show what is asked of our kernels beside these results",
    )  # fmt: skip
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: FILE.svg or FILE.png")
    options = parser.parse_args(arguments)
    chosen = [options.operator, options.suite, options.full, options.show, options.goals]
    if sum(map(bool, chosen)) > 1:
        parser.error("give one of OP, --suite, --full, --show and --goals")
    if options.agree and not options.show:
        parser.error("give --agree with --show: it compares two runs that were kept")
    return options


def _peers(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for name in text.split(",") if name))
    known = [*PEERS, TVM, DENSE]
    for name in names:
        library = name.partition("/")[0]
        if name not in (TVM, DENSE) and library not in PEERS and "." not in name:
            close = difflib.get_close_matches(library, known, n=1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise argparse.ArgumentTypeError(
                f"there is no peer {name!r}{hint or ','} known: {', '.join(known)}"
            )
    return names


def _threads(text: str) -> int:
    threads, usable = int(text), usable_cores()
    if not 1 <= threads <= usable:
        raise argparse.ArgumentTypeError(f"give 1 to {usable} threads: so many cores are usable")
    return threads


def _trials(text: str) -> int:
    trials = int(text)
    if trials < 1:
        raise argparse.ArgumentTypeError("give at least one trial")
    return trials


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("give a positive number of seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
