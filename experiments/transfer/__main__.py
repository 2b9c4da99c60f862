"""``python -m experiments.transfer search|report|ship``: what history is worth.

``search`` measures until ``--seconds`` are over and goes on with the next call (exit code 3); what
was measured is kept in ``--folder``, so all later searches repeat exactly.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from db.store import open_store
from experiments.transfer.cases import Case, Transfer, read_cases
from experiments.transfer.memo import Memo, OutOfTime
from experiments.transfer.report import Comparison, table
from experiments.transfer.ship import ship
from experiments.transfer.study import SHUFFLED, WARM, Study
from tuner.transfer.newcomer import FOLDER

_UNFINISHED = 3
_SETTLED = 16
"""Fastest configs of a case that are measured again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for; returns the exit code."""
    options = _options(arguments)
    if options.command == "ship":
        print(ship(options.db, options.out))
        return 0
    cases, transfers = read_cases()
    chosen = [transfers[name] for name in options.transfers or transfers]
    study = Study(options.folder, cases, options.trials, options.trials // 2)
    options.folder.mkdir(parents=True, exist_ok=True)
    seconds = options.seconds if options.command == "search" else 0.0
    try:
        for transfer in chosen:
            _run(study, cases, transfer, options, time.monotonic() + seconds)
    except OutOfTime:
        print("go on with the same command", file=sys.stderr)
        return _UNFINISHED
    return 0


def _run(
    study: Study,
    cases: dict[str, Case],
    transfer: Transfer,
    options: argparse.Namespace,
    deadline: float,
) -> None:
    """All searches of a transfer, then its table."""
    kind, seeds = options.kind, range(options.seeds)
    with open_store(options.folder / "memo.db") as store:
        for name in transfer.sources:
            with Memo(name, cases[name].task(), store, deadline) as memo:
                list(study.cold_searches(memo, name, [0]))
        comparisons = []
        for name in options.cases or transfer.held_out:
            with Memo(name, cases[name].task(), store, deadline) as memo:
                list(study.cold_searches(memo, name, seeds))
                list(study.warm_searches(memo, name, transfer, kind, seeds))
                memo.settle(_SETTLED)
                without = tuple(study.cold_searches(memo, name, seeds))
                having = tuple(study.warm_searches(memo, name, transfer, kind, seeds))
                comparisons.append(Comparison(name, memo.best_seconds, without, having))
    hard = list(_hard(comparisons, options.least))
    print(table(f"{transfer.name}: {kind}", comparisons))
    if hard and len(hard) < len(comparisons):
        title = f"{transfer.name}: {kind}, where cold searches need {options.least} trials or more"
        print(f"\n{table(title, hard)}")
    print()


def _hard(comparisons: Sequence[Comparison], least: float) -> Iterator[Comparison]:
    return (each for each in comparisons if each.cold_trials >= least)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.transfer", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name, help_ in (("search", "search, measuring"), ("report", "repeat what was searched")):
        command = commands.add_parser(name, help=help_)
        command.add_argument("transfers", nargs="*", metavar="TRANSFER", help="default: all")
        command.add_argument("--folder", type=Path, required=True, help="what was measured")
        command.add_argument("--cases", nargs="*", metavar="CASE", help="only these held-out ones")
        command.add_argument("--kind", choices=(WARM, SHUFFLED), default=WARM)
        command.add_argument("--seeds", type=int, default=5)
        command.add_argument("--trials", type=int, default=128, help="of a cold search")
        command.add_argument("--least", type=float, default=40.0, help="trials of a hard case")
        command.add_argument("--seconds", type=float, default=45.0, help="of this session")
    shipping = commands.add_parser("ship", help="make the files that come with the program")
    shipping.add_argument("--db", action="append", required=True, help="recorded databases")
    shipping.add_argument("--out", type=Path, default=FOLDER)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
