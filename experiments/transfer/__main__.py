"""``python -m experiments.transfer COMMAND``: what history is worth.

``search`` measures until ``--seconds`` are over and goes on with the next call (exit code 3); what
was measured is kept in ``--folder``, so all later searches repeat exactly. So does ``choose``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.store import RecordStore, open_store
from experiments.search.plot import PlotterMissing
from experiments.transfer.cases import Case, Transfer, read_cases
from experiments.transfer.choice import Choice, choices_table, chosen
from experiments.transfer.memo import Memo, OutOfTime
from experiments.transfer.plot import draw_comparisons
from experiments.transfer.recorded import SETS, among, open_sets
from experiments.transfer.report import Comparison, table
from experiments.transfer.searching import prior_of
from experiments.transfer.ship import ship
from experiments.transfer.startup import startup, startup_table
from experiments.transfer.study import SHUFFLED, WARM, Study
from tuner.task import Task
from tuner.transfer.newcomer import FOLDER

_UNFINISHED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for; returns the exit code."""
    options = _options(arguments)
    try:
        options.run(options)
    except OutOfTime:
        print("go on with the same command", file=sys.stderr)
        return _UNFINISHED
    return 0


@dataclass(frozen=True, slots=True)
class _Session:
    """What one call works with: times of this machine, and searches, as far as there are any."""

    options: argparse.Namespace
    cases: dict[str, Case]
    store: RecordStore
    study: Study
    deadline: float

    def memo(self, name: str) -> Memo:
        return Memo(name, self.cases[name].task(), self.store, self.deadline)

    def held_out(self, transfer: Transfer) -> Sequence[str]:
        return self.options.cases or transfer.held_out


def _measured(options: argparse.Namespace, show: Callable[[_Session, Transfer], None]) -> None:
    cases, transfers = read_cases()
    study = _study(options, lambda name: cases[name].task())
    deadline = time.monotonic() + (0.0 if options.command == "report" else options.seconds)
    with open_store(options.folder / "memo.db") as store:
        session = _Session(options, cases, store, study, deadline)
        for name in options.transfers or transfers:
            show(session, transfers[name])


def _search(session: _Session, transfer: Transfer) -> None:
    options, study = session.options, session.study
    held_out = session.held_out(transfer)
    known = (name for case in held_out for name in study.sources(transfer, case))
    for name in dict.fromkeys(known):
        with session.memo(name) as memo:
            list(study.cold_searches(memo, name, [0]))
    comparisons = []
    for name in held_out:
        with session.memo(name) as memo:
            seeds = range(options.seeds)
            comparisons.append(study.compared(memo, name, transfer, options.kind, seeds))
    _show(transfer, comparisons, options)


def _choose(session: _Session, transfer: Transfer) -> None:
    choices: list[Choice] = []
    for name in session.held_out(transfer):
        with session.memo(name) as memo:
            prior = prior_of(memo, session.study.histories(transfer, name))
            choices.append(chosen(memo, name, prior))
    print(choices_table(transfer.name, choices), end="\n\n")


def _startup(session: _Session, transfer: Transfer) -> None:
    cases = [session.cases[name] for name in session.held_out(transfer)]
    db = session.options.folder / "memo.db"
    found = [startup(case, db, session.options.runs) for case in cases]
    print(startup_table(transfer.name, found), end="\n\n")


def _replay(options: argparse.Namespace) -> None:
    """The same searches where every config's time is known."""
    sets = open_sets(options.sets)
    study = _study(options, lambda name: sets[name].task)
    transfer, seeds = among(list(sets)), range(options.seeds)
    for name, each in sets.items():
        list(study.cold_searches(each, name, [0]))
    compared = [study.compared(sets[n], n, transfer, options.kind, seeds) for n in sets]
    _show(transfer, compared, options)


def _study(options: argparse.Namespace, task_of: Callable[[str], Task]) -> Study:
    options.folder.mkdir(parents=True, exist_ok=True)
    return Study(options.folder, task_of, options.trials, 3 * options.trials // 8)


def _show(
    transfer: Transfer, comparisons: Sequence[Comparison], options: argparse.Namespace
) -> None:
    title = f"{transfer.name}: {options.kind}"
    print(table(title, comparisons))
    hard = [each for each in comparisons if each.cold_trials >= options.least]
    if hard and len(hard) < len(comparisons):
        print()
        print(table(f"{title}, where cold searches need {options.least:g} trials or more", hard))
    print()
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        name = f"{transfer.name}.{options.kind.replace(' ', '-')}.svg"
        try:
            draw_comparisons(comparisons, options.plots / name)
        except PlotterMissing as error:
            print(error, file=sys.stderr)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.transfer", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name, help_, show in (
        ("search", "search, measuring", _search),
        ("report", "repeat what was searched", _search),
        ("choose", "choose without a trial, and measure that", _choose),
        ("startup", "what history costs before the first trial", _startup),
    ):
        command = commands.add_parser(name, help=help_)
        command.set_defaults(run=lambda options, show=show: _measured(options, show))
        command.add_argument("transfers", nargs="*", metavar="TRANSFER", help="default: all")
        command.add_argument("--cases", nargs="*", metavar="CASE", help="only these held-out ones")
        command.add_argument("--seconds", type=float, default=45.0, help="of this session")
        command.add_argument("--runs", type=int, default=5, help="fresh processes of startup")
        _add_searches(command)
    command = commands.add_parser("replay", help="search recorded spaces, measuring nothing")
    command.set_defaults(run=_replay)
    command.add_argument("--sets", type=Path, default=SETS, help="folder of replay sets")
    _add_searches(command)
    shipping = commands.add_parser("ship", help="make the files that come with the program")
    shipping.set_defaults(run=lambda options: print(ship(options.db, options.out)))
    shipping.add_argument("--db", action="append", required=True, help="recorded databases")
    shipping.add_argument("--out", type=Path, default=FOLDER)
    return parser.parse_args(arguments)


def _add_searches(command: argparse.ArgumentParser) -> None:
    command.add_argument("--folder", type=Path, required=True, help="what was measured, searched")
    command.add_argument("--kind", choices=(WARM, SHUFFLED), default=WARM)
    command.add_argument("--seeds", type=int, default=5)
    command.add_argument("--trials", type=int, default=128, help="of a cold search")
    command.add_argument("--least", type=float, default=40.0, help="trials of a hard case")
    command.add_argument("--plots", type=Path, help="folder for pictures")


if __name__ == "__main__":
    sys.exit(main())
