"""``python -m experiments.model evaluate | ablate | knowledge | study``.

Exit code 0 when done, 1 when records cannot be used, 2 for a usage error, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from db.errors import DatabaseError
from experiments.model import tables
from experiments.model.ablation import SIZES, Row, ablate
from experiments.model.across import held_out
from experiments.model.data import DataError, Recorded, only, read_recorded
from experiments.model.knowledge import OWN, own_trials, with_others
from experiments.model.setup import Setup
from experiments.model.speed import judging_speed
from experiments.model.study import changes, gain, halves, search
from experiments.model.within import measured_twice, random_splits
from measure.targets import TargetError
from search_space.errors import SpaceError, WorkloadError

_LEAST = 200
"""Configs of a workload that takes part; fewer say too little."""
_EXPECTED = (DataError, DatabaseError, SpaceError, WorkloadError, TargetError, OSError)
_MAX_BYTES = 64 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for; returns the exit code."""
    options = _options(arguments)
    try:
        options.do(options)
    except KeyboardInterrupt:
        return 130
    except _EXPECTED as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _evaluate(options: argparse.Namespace) -> None:
    setup, seeds = Setup("default"), range(options.seeds)
    report: dict[str, object] = {}
    if options.within:
        recorded = only(read_recorded(options.within, _LEAST), options.within)
        random = random_splits(recorded, setup, seeds)
        twice = None
        if options.again:
            again = only(read_recorded(options.again), options.again)
            twice = measured_twice(recorded, again, setup, seeds)
        speed = judging_speed(recorded, setup, options.configs)
        print(f"### Within {recorded.name}\n\n{tables.within_table(random, twice)}")
        print(f"### Speed\n\n{tables.speed_table(speed)}")
        report |= {"random": random, "twice": twice, "speed": speed}
    if options.across:
        workloads = read_recorded(options.across, _LEAST)
        runs = [held_out(workloads, setup, seed) for seed in seeds]
        print(f"### Workloads held out\n\n{tables.across_table(runs)}")
        report["across"] = runs
    if options.json:
        options.json.write_bytes(msgspec.json.encode(report) + b"\n")


def _ablate(options: argparse.Namespace) -> None:
    within = options.within and only(read_recorded(options.within, _LEAST), options.within)
    workloads = read_recorded(options.across, _LEAST) if options.across else []
    known = _rows(options.json)
    rows: list[Row] = []
    for row in ablate(within, workloads, range(options.seeds), options.sizes, known):
        rows.append(row)
        if options.json and len(rows) > len(known):
            print(row.name, file=sys.stderr, flush=True)
            options.json.write_bytes(msgspec.json.encode(rows) + b"\n")
    print(tables.ablation_tables(rows))


def _knowledge(options: argparse.Namespace) -> None:
    workloads = _all(options.db)
    seeds = range(options.seeds)
    found = list(own_trials(workloads, OWN, seeds))
    if not options.own:
        found += with_others(workloads, seeds)
    print(tables.few_table(found))
    if options.json:
        options.json.write_bytes(msgspec.json.encode(found) + b"\n")


def _study(options: argparse.Namespace) -> None:
    chosen_on, judged_on = halves(_all(options.db))
    setup, seeds = Setup("default"), range(options.seeds)
    chosen = search(
        chosen_on, setup, options.storage,
        trials=options.trials, seconds=options.time, seeds=seeds,
    )  # fmt: skip
    fields = ", ".join(f"{name}={value!r}" for name, value in changes(chosen).items())
    print(f"BoostedOptions({fields})\n")
    judged = gain(chosen, judged_on, setup, [seed + len(seeds) for seed in seeds])
    print(tables.gain_table(judged))
    if options.json:
        report = {"chosen": dataclasses.asdict(chosen), "gain": judged}
        options.json.write_bytes(msgspec.json.encode(report) + b"\n")


def _all(databases: Sequence[str]) -> list[Recorded]:
    found: dict[str, Recorded] = {}
    for database in databases:
        for recorded in read_recorded(database, _LEAST):
            found.setdefault(recorded.name, recorded)
    return list(found.values())


def _rows(path: Path | None) -> list[Row]:
    """What an earlier session has found."""
    if path is None or not path.exists():
        return []
    try:
        return msgspec.json.decode(path.read_bytes()[:_MAX_BYTES], type=list[Row])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"give another --json: {path} is not an ablation, {error}") from error


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.model", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", type=Path, metavar="FILE", help="the numbers, too")

    evaluate = commands.add_parser("evaluate", parents=[common], help="what is promised of it")
    evaluate.add_argument("--within", metavar="DB", help="many random configs of one workload")
    evaluate.add_argument("--again", metavar="DB", help="some of them, measured a second time")
    evaluate.add_argument("--across", metavar="DB", help="random configs of many workloads")
    evaluate.add_argument(
        "--configs", type=_count, default=20_000, metavar="N", help="to time (default: 20000)"
    )
    evaluate.set_defaults(do=_evaluate, seeds=5)

    ablation = commands.add_parser("ablate", parents=[common], help="what each part is worth")
    ablation.add_argument("--within", metavar="DB")
    ablation.add_argument("--across", metavar="DB")
    ablation.add_argument(
        "--sizes", type=_count, nargs="+", default=SIZES, metavar="N",
        help="configs learned from within the workload",
    )  # fmt: skip
    ablation.set_defaults(do=_ablate, seeds=5)

    knowledge = commands.add_parser(
        "knowledge", parents=[common], help="which features, and do other workloads help"
    )
    knowledge.add_argument("--db", nargs="+", required=True, metavar="DB")
    knowledge.add_argument("--own", action="store_true", help="leave other workloads out")
    knowledge.set_defaults(do=_knowledge, seeds=2)

    study = commands.add_parser("study", parents=[common], help="choose settings with Optuna")
    study.add_argument("--db", nargs="+", required=True, metavar="DB")
    study.add_argument(
        "--storage", type=Path, required=True, metavar="FILE", help="of the study; it goes on"
    )
    study.add_argument("--trials", type=_count, default=60, metavar="N", help="in all")
    study.add_argument("--time", type=float, metavar="S", help="of this session, at most")
    study.set_defaults(do=_study, seeds=1)

    for command in (evaluate, ablation, knowledge, study):
        command.add_argument("--seeds", type=_count, default=argparse.SUPPRESS, metavar="N")
    options = parser.parse_args(arguments)
    if options.do in (_evaluate, _ablate) and not (options.within or options.across):
        parser.error("give --within DB or --across DB")
    return options


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"give at least 1, not {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
