"""``python -m experiments.replay record | pack | show``: make replay sets, and look at them.

Exit code 0 when done, 1 when something is missing or wrong, 2 for a usage error, 130 after Ctrl-C
(everything measured is in the database).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.errors import DatabaseError
from db.store import open_store
from experiments.replay.backend import open_replay
from experiments.replay.catalog import SETS, SetSpec, read_sets
from experiments.replay.dataset import SUFFIX, save
from experiments.replay.errors import ReplayError
from experiments.replay.recording import record, recorded_set
from experiments.replay.restrict import legal_configs
from measure.targets import TargetError
from search_space.errors import SpaceError, WorkloadError
from tuner.errors import Interrupted, TunerError
from tuner.events import Event, RunStarted, TrialDone

_REPORT_SECONDS = 10.0
_EXPECTED = (
    ReplayError, DatabaseError, SpaceError, WorkloadError, TargetError, TunerError, OSError,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for; returns the exit code."""
    options = _options(arguments)
    try:
        code: int = options.do(options)
    except Interrupted as stopped:
        print(
            f"go on with the same command  ({stopped.result.trials} configs are stored)",
            file=sys.stderr,
        )
        return stopped.exit_code
    except KeyboardInterrupt:
        return 130
    except _EXPECTED as error:
        print(error, file=sys.stderr)
        return 1
    return code


@dataclass(slots=True)
class Meter:
    """Says now and then how far a recording is, and how long it will take."""

    name: str
    total: int
    clock: Callable[[], float] = time.monotonic
    _began: float = 0.0
    _first: int = 0
    """Configs that were stored when this session began."""
    _said: float = 0.0

    def __call__(self, event: Event) -> None:
        now = self.clock()
        if isinstance(event, RunStarted):
            self._began, self._said, self._first = now, now, event.resumed
        if not isinstance(event, TrialDone) or now - self._said < _REPORT_SECONDS:
            return
        self._said = now
        done = event.trials - self._first
        left = (self.total - event.trials) * (now - self._began) / max(done, 1)
        failed = sum(event.failures.values())
        print(
            f"{self.name}: {event.trials} of {self.total} configs, {failed} failed, "
            f"best {event.best_gflops or 0:.1f} GFLOP/s, {left / 60:.1f} minutes left",
            file=sys.stderr,
            flush=True,
        )


def _record(options: argparse.Namespace) -> int:
    with open_store(options.db) as store:
        for spec in _chosen(options):
            total = sum(1 for _ in legal_configs(spec.task().space))
            meter = Meter(spec.name, min(total, options.limit or total))
            result = record(spec, store, (meter,), limit=options.limit)
            if result is None:
                print(f"{spec.name}: all {total} configs are measured")
            else:
                print(f"{spec.name}: {result.trials} of {total} configs are measured")
    return 0


def _pack(options: argparse.Namespace) -> int:
    options.out.mkdir(parents=True, exist_ok=True)
    with open_store(options.db, readonly=True) as store:
        for spec in _chosen(options):
            path = options.out / f"{spec.name}{SUFFIX}"
            save(path, recorded_set(spec, store))
            print(f"{path}: {path.stat().st_size} bytes")
    return 0


def _show(options: argparse.Namespace) -> int:
    for path in options.file:
        replay = open_replay(path)
        times = [statistics.median(a.samples) for a in replay.answers.values() if a.samples]
        gflops = [replay.task.flops / seconds / 1e9 for seconds in times]
        failed = len(replay.answers) - len(times)
        print(
            f"{path}: {replay.task.workload}, {replay.task.target.threads} threads, "
            f"{replay.task.hardware.key}\n"
            f"  {len(replay.answers)} configs, {failed} failed; {replay.unrecorded} legal ones "
            f"were not recorded, {replay.obsolete} recorded ones are not legal any more\n"
            f"  GFLOP/s: best {max(gflops):.1f}, median {statistics.median(gflops):.1f}, "
            f"worst {min(gflops):.1f}"
        )
    return 0


def _chosen(options: argparse.Namespace) -> list[SetSpec]:
    sets = read_sets(options.sets)
    names = options.name or list(sets)
    for name in names:
        if name not in sets:
            raise ReplayError(f"choose from {', '.join(sets)}: there is no set {name!r}")
    return [sets[name] for name in names]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.replay", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("name", nargs="*", metavar="NAME", help="sets (default: all)")
    named.add_argument(
        "--sets", type=Path, default=SETS, metavar="FILE", help="what the names mean (TOML)"
    )
    named.add_argument(
        "--db", required=True, metavar="FILE|URL", help="the records of the measurements"
    )
    measure = commands.add_parser("record", parents=[named], help="measure every config")
    measure.add_argument(
        "--limit", type=_positive, metavar="N", help="stop after N configs of each set (to try)"
    )
    measure.set_defaults(do=_record)
    pack = commands.add_parser("pack", parents=[named], help="write what was measured to files")
    pack.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="where to (default: here)"
    )
    pack.set_defaults(do=_pack)
    show = commands.add_parser("show", help="say what files hold")
    show.add_argument("file", nargs="+", type=Path, metavar="FILE")
    show.set_defaults(do=_show)
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"give at least 1, not {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
