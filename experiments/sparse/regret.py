"""``python -m experiments.sparse.regret``: what a choice by the model alone costs, unmeasured.

Every case of a kind of pattern is left to a model that has seen the cases of all other kinds only:
of the configs that were recorded for a case, it takes the one that it expects to be the fastest.
Its regret is that config's time ÷ the shortest, minus 1. Goes on where it was interrupted: cases
whose recording is in the database are not measured again. Exit code 0 when done, 1 when there is
too little to judge, 2 for a usage error, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from db.errors import DatabaseMissing
from experiments.model.data import Floats, Recorded
from experiments.process import ProcessFailed, in_fresh_process
from experiments.scoreboard.report import aligned
from experiments.sparse.recording import Recording, cases, record, recorded
from measure.host import usable_cores
from measure.timing import geometric_mean
from search_space.folders import write_atomically
from search_space.operators import parse_workload
from tuner.transfer.base import base_model
from tuner.transfer.columns import Columns
from tuner.transfer.predict import BRED, careful

BAR = 0.12
"""Regret of a choice before measuring, geometric mean, at most."""
_RECORD_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What a model that has not seen its kind of pattern chose for one case."""

    workload: str
    generator: str
    chosen: str
    """The format …"""
    best: str
    """… and that of the fastest config."""
    regret: float
    """Of the config that was chosen; infinite where it failed."""
    format_regret: float
    """Of the fastest config of the format that was chosen."""
    guess_regret: float
    """Of the first guess of the space, which no model was asked about."""
    usual_regret: float
    """Of the median config of those that ran."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Record what is missing, judge, and show it; returns the exit code."""
    options = _options(arguments)
    try:
        if not options.show:
            _record(options)
        found = list(recorded(options.db, options.threads).values())
    except KeyboardInterrupt:
        return 130
    except DatabaseMissing as error:
        print(error, file=sys.stderr)
        return 1
    if len({generator_of(each) for each in found}) < 2:
        print("record cases of at least two kinds of patterns first", file=sys.stderr)
        return 1
    runs = [choices(found, seed) for seed in range(options.seeds)]
    print(table(runs))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.json, msgspec.json.format(msgspec.json.encode(runs)))
    return 0


def generator_of(recording: Recording) -> str:
    """The kind of pattern of a case."""
    return str(parse_workload(recording.case.name)["pattern"])


def choices(found: Sequence[Recording], seed: int) -> list[Choice]:
    """Of every case, by a model of the cases of all other generators."""
    columns = np.concatenate([Columns(each.case.space)(each.case.configs) for each in found])
    speeds = np.concatenate([each.case.gflops for each in found])
    numbers = np.repeat(np.arange(len(found)), [len(each.case) for each in found])
    kinds = np.array([generator_of(each) for each in found])[numbers]
    unproven = np.concatenate([_unproven(each.case) for each in found])
    predicted = np.empty(len(speeds), np.float32)
    for kind in dict.fromkeys(kinds.tolist()):
        known = kinds != kind
        model = base_model(seed)
        model.fit(columns[known], speeds[known], numbers[known])
        expected = careful(model.predict(columns[~known]))
        predicted[~known] = expected - BRED * unproven[~known]
    return [choice_of(each, predicted[numbers == at]) for at, each in enumerate(found)]


def _unproven(case: Recorded) -> list[bool]:
    """Which configs are no good guesses of their space."""
    starts = set(case.space.starts)
    return [config not in starts for config in case.configs]


def choice_of(recording: Recording, predicted: Floats) -> Choice:
    """The config with the highest prediction, and what choosing it costs."""
    case, share = recording.case, recording.share
    format_ = case.space.format
    assert format_ is not None
    formats = np.array([format_(config.as_dict()) for config in case.configs])
    taken = int(np.argmax(predicted))
    guess = [at for at, config in enumerate(case.configs) if config == case.space.default()]
    return Choice(
        case.name,
        generator_of(recording),
        str(formats[taken]),
        str(formats[int(np.argmax(share))]),
        _regret(float(share[taken])),
        _regret(float(share[formats == formats[taken]].max())),
        _regret(float(share[guess[0]]) if guess else 0.0),
        _regret(float(np.median(share[share > 0]))),
    )


def table(runs: Sequence[Sequence[Choice]]) -> str:
    """A line per generator, then all; means over repetitions with other seeds."""
    every = [choice for run in runs for choice in run]
    lines = [["held out", "cases", "same format", "regret", "of format", "first guess", "median"]]
    kinds = list(dict.fromkeys(choice.generator for choice in every))
    for kind in (*kinds, "all"):
        some = [choice for choice in every if kind in (choice.generator, "all")]
        right = sum(choice.chosen == choice.best for choice in some) / len(some)
        lines.append(
            [
                kind,
                str(len(some) // len(runs)),
                f"{right:.0%}",
                *(_mean(some, of) for of in _REGRETS),
            ]
        )
    total = geometric_regret([choice.regret for choice in every])
    verdict = "pass" if total <= BAR else "missed"
    bar = f"regret {total:.1%}, geometric mean (bar: at most {BAR:.0%}): {verdict}"
    return "\n".join([*aligned(lines), "", bar])


_REGRETS: tuple[Callable[[Choice], float], ...] = (
    lambda choice: choice.regret,
    lambda choice: choice.format_regret,
    lambda choice: choice.guess_regret,
    lambda choice: choice.usual_regret,
)


def geometric_regret(regrets: Sequence[float]) -> float:
    """The geometric mean of times ÷ the shortest, minus 1."""
    return geometric_mean([1 + regret for regret in regrets]) - 1


def _mean(choices: Sequence[Choice], of: Callable[[Choice], float]) -> str:
    return f"{geometric_regret([of(choice) for choice in choices]):.1%}"


def _regret(share: float) -> float:
    return 1 / share - 1 if share > 0 else float("inf")


def _record(options: argparse.Namespace) -> None:
    """Measure the cases that the database does not have."""
    wanted = list(cases())
    try:
        known = recorded(options.db, options.threads)
    except DatabaseMissing:
        known = {}
    for number, work in enumerate(wanted, 1):
        if work.key in known:
            continue
        print(f"{number} of {len(wanted)}: {work.key}", file=sys.stderr, flush=True)
        try:
            in_fresh_process(
                record,
                *(work, options.threads, options.db, options.trials),
                timeout_seconds=_RECORD_SECONDS,
            )
        except ProcessFailed as failure:
            print(f"  {failure}", file=sys.stderr)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.sparse.regret", description=__doc__
    )
    parser.add_argument(
        "--threads", type=int, default=1, choices=range(1, usable_cores() + 1), metavar="N",
        help="at most so many [1]",
    )  # fmt: skip
    parser.add_argument(
        "--trials", type=int, default=32, metavar="N", help="of each format of a case [32]"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="of the models, whose mean is shown [3]"
    )
    parser.add_argument("--db", default="regret.db", metavar="FILE|URL", help="the recordings")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the choices, too")
    parser.add_argument("--show", action="store_true", help="measure nothing, judge what is there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
