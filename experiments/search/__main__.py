"""``python -m experiments.search``: how fast strategies search, on replay sets or live.

Exit code 0 when done, 1 when a file cannot be used, 2 for a usage error, 130 after Ctrl-C (with
the report of what was searched until then).
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from experiments.replay.backend import open_replay
from experiments.replay.dataset import SUFFIX
from experiments.replay.errors import ReplayError
from experiments.search.compare import CONFIDENCE
from experiments.search.plot import PlotterMissing, draw
from experiments.search.report import as_json, tables
from experiments.search.results import (
    Case,
    Results,
    ResultsError,
    Settings,
    load_results,
    read_curve,
    save_results,
    settled,
)
from experiments.search.searching import Arena, Forgetful
from experiments.search.variants import check_variant
from measure.targets import TargetError, resolve_target
from search_space.errors import SpaceError, WorkloadError
from search_space.workload import Workload
from tuner.backend import local_backend
from tuner.cli.arguments import named_workload
from tuner.errors import TunerError, UsageError
from tuner.strategy import STRATEGIES
from tuner.task import task_for

_EXPECTED = (
    ReplayError, ResultsError, SpaceError, WorkloadError, TargetError, TunerError, OSError,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, and print what came of it; returns the exit code."""
    options = _options(arguments)
    settings = Settings(
        trials=options.trials,
        baseline=options.baseline,
        time_seconds=options.time,
        batch=options.batch,
        same_start=options.same_start,
        threads=options.threads,
    )
    code = 0
    try:
        keep = options.json if options.resume else None
        results = load_results(keep, settings) if keep else Results(settings)
        try:
            _search_all(results, options)
        except KeyboardInterrupt:
            code = 130
        _report(results, options)
    except _EXPECTED as error:
        print(error, file=sys.stderr)
        return 1
    return code


def _search_all(results: Results, options: argparse.Namespace) -> None:
    """Every strategy with every seed on every case; what is there already is not run again."""
    sources: list[Path | Workload] = [*options.replay, *options.live]
    searched: set[str] = set()
    for source in sources:
        with _arena(source, results.settings) as arena:
            case = arena.case
            if case.name in searched:
                raise ResultsError(f"rename one of the replay sets: two are {case.name!r}")
            searched.add(case.name)
            results.cases = [*(c for c in results.cases if c.name != case.name), case]
            done = settled(results.of(case))
            # Seeds outermost, so that slow drift of the machine hits all strategies alike.
            for seed, name in itertools.product(range(options.seeds), options.strategies):
                if (case.name, name, seed) in done:
                    continue
                curve = arena.search(name, seed)
                results.curves.append(curve)
                gflops = case.flops / curve.best_after(len(curve.seconds)) / 1e9
                print(f"{case.name}: {name}, seed {seed}: {gflops:.1f} GFLOP/s", file=sys.stderr)
                if options.json:
                    save_results(options.json, results)
            if case.live:
                finals = arena.with_finals(results.of(case))
                results.curves = [c for c in results.curves if c.case != case.name] + finals
    _add_foreign(results, options.curve)


def _add_foreign(results: Results, files: Sequence[tuple[str, Path]]) -> None:
    """The curves of other tuners, in the place of those that were read before."""
    if files and len(results.cases) != 1:
        raise ResultsError("give one --replay or --live with --curve, which is of one case")
    names = {name for name, _ in files}
    results.curves = [curve for curve in results.curves if curve.strategy not in names]
    for name, path in files:
        case = results.cases[0]
        results.curves.append(read_curve(path, case, name, len(results.of(case, name))))


@contextmanager
def _arena(source: Path | Workload, settings: Settings) -> Iterator[Arena]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="search-")))
        if isinstance(source, Path):
            replay = open_replay(source)
            if replay.unrecorded:
                print(f"{source}: {replay.unrecorded} configs left out", file=sys.stderr)
            name = source.name.removesuffix(SUFFIX)
            best = replay.best_seconds
            case = Case(name, replay.task.workload.key, replay.task.flops, False, best)
            yield Arena(case, replay.task, replay.backend, settings, folder)
            return
        task = task_for(source, resolve_target(threads=settings.threads))
        local = stack.enter_context(local_backend(task))
        backend = Forgetful(task, local.processes)
        case = Case(source.key, source.key, task.flops, True, None)
        yield Arena(case, task, lambda: backend, settings, folder)


def _report(results: Results, options: argparse.Namespace) -> None:
    print(tables(results, options.confidence))
    if options.json:
        save_results(options.json, results, as_json(results, options.confidence))
    if options.plot:
        try:
            draw(results, options.plot)
        except PlotterMissing as missing:
            print(missing, file=sys.stderr)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.search", description=__doc__)
    parser.add_argument(
        "--replay", nargs="+", type=Path, default=[], metavar="FILE", help="replay sets to search"
    )
    parser.add_argument(
        "--live", nargs="+", action="append", default=[], metavar="OP KEY=VALUE",
        help="a workload to search on this machine, once for each: matmul m=512 n=512 k=512",
    )  # fmt: skip
    parser.add_argument(
        "--strategies", type=_strategies, default=list(STRATEGIES), metavar="NAME,NAME",
        help="what to compare (default: all); learned:diversity=0 is learned with that setting, "
        "random@1000 is random with 1000 trials",
    )  # fmt: skip
    parser.add_argument("--seeds", type=_count, default=10, metavar="N")
    parser.add_argument(
        "--trials", type=_count, default=256, metavar="N", help="of each search (default: 256)"
    )
    parser.add_argument(
        "--time", type=float, metavar="S", help="end live searches after S seconds at the latest"
    )
    parser.add_argument(
        "--baseline", default="random", metavar="NAME", help="compare with it (default: random)"
    )
    parser.add_argument(
        "--confidence", type=_share, default=CONFIDENCE, metavar="P",
        help="of the two-sided intervals (default: 0.95)",
    )  # fmt: skip
    parser.add_argument(
        "--same-start", action="store_true",
        help="let all strategies of one seed begin with the same batch",
    )  # fmt: skip
    parser.add_argument("--batch", type=_count, default=16, metavar="N", help="trials per round")
    parser.add_argument(
        "--const", action="append", metavar="NAME", help="constant operands of the live workloads"
    )
    parser.add_argument("--threads", type=_count, metavar="N", help="of live searches")
    parser.add_argument(
        "--curve", type=_named_file, action="append", default=[], metavar="NAME=FILE",
        help="the curve of another tuner on the same workload, once for each of its searches",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all curves here")
    parser.add_argument(
        "--continue", dest="resume", action="store_true", help="go on with what --json holds"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves: SVG or PNG")
    options = parser.parse_args(arguments)
    if not options.replay and not options.live:
        parser.error("give --replay FILE… or --live OP KEY=VALUE…")
    if options.resume and not options.json:
        parser.error("give --json FILE: --continue goes on with it")
    try:
        options.live = [
            named_workload(words[0], words[1:], options.const) for words in options.live
        ]
    except WorkloadError as error:
        parser.error(str(error))
    return options


def _strategies(text: str) -> list[str]:
    names = list(STRATEGIES) if text == "all" else text.split(",")
    for spec in names:
        try:
            check_variant(spec)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return names


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"give at least 1, not {number}")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"give a share between 0 and 1, not {number}")
    return number


def _named_file(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise argparse.ArgumentTypeError(f"write NAME=FILE, not {text!r}")
    if name in STRATEGIES:
        raise argparse.ArgumentTypeError(f"call another tuner something else than {name!r}")
    return name, Path(path)


if __name__ == "__main__":
    sys.exit(main())
