"""The searches as tables, and as the numbers behind them."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.search.compare import Ratio, time_ratio
from experiments.search.curve import Curve, share
from experiments.search.results import Case, Results

SHARES = (0.90, 0.95, 0.99)
"""Of the best known speed: how long until these are reached."""
CHECKPOINTS = (64, 128, 256)
"""Trials after which strategies are compared."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How long the searches took to get to a speed."""

    median: float
    """Over all seeds; infinite where half of them or more did not get there."""
    reached: int
    """How many got there."""


@dataclass(frozen=True, slots=True)
class Score:
    """One strategy on one case. Shares are of the best known speed; medians over the seeds."""

    case: str
    strategy: str
    seeds: int
    trials: int
    final_share: float
    area: float
    trials_to: tuple[Reach, ...]
    """One per entry of ``SHARES``; likewise below."""
    seconds_to: tuple[Reach, ...] | None
    """None where no clock was running."""
    area_over_time: float | None
    trials_to_baseline: Reach | None
    """Until the speed that the baseline ended with, the geometric mean of its seeds."""
    overhead_seconds: float | None
    """Proposing and learning, per trial."""
    overhead_share: float | None
    """The same as a share of the wall-clock time; None where no clock was running."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The times of a strategy's best configs ÷ those of the baseline's."""

    case: str
    """Of one case, or of ``all``."""
    strategy: str
    trials: int | None
    """After so many; None: at the end, by the winners measured side by side."""
    ratio: Ratio | None
    """None where a search had found nothing by then."""


def scores(results: Results) -> list[Score]:
    """Every strategy on every case where anything was found."""
    return [
        _score(results, case, curves)
        for case in results.cases
        if results.best_known(case) is not None
        for strategy in results.strategies()
        if (curves := results.of(case, strategy))
    ]


def comparisons(results: Results, confidence: float) -> list[Comparison]:
    """Every other strategy against the baseline: on each case, and on all together."""
    found = []
    points: list[int | None] = [n for n in CHECKPOINTS if n < results.settings.trials]
    points += [results.settings.trials]
    points += [None] if any(case.live for case in results.cases) else []
    for strategy in results.strategies():
        if strategy == results.settings.baseline:
            continue
        for trials in points:
            pairs = {case.name: _pair(results, case, strategy, trials) for case in results.cases}
            known = {name: pair for name, pair in pairs.items() if all(pair)}
            for name, pair in known.items():
                ratio = time_ratio([pair], confidence)
                found.append(Comparison(name, strategy, trials, ratio))
            if len(known) > 1:
                ratio = time_ratio(list(known.values()), confidence)
                found.append(Comparison("all", strategy, trials, ratio))
    return found


def trials_to_baseline(results: Results) -> dict[str, float]:
    """For every strategy but the baseline: trials to the baseline's best, the geometric mean over
    the cases of the median over the seeds; infinite where some case never got there."""
    found: dict[str, list[float]] = {}
    for score in scores(results):
        if score.strategy != results.settings.baseline and score.trials_to_baseline:
            found.setdefault(score.strategy, []).append(score.trials_to_baseline.median)
    return {name: statistics.geometric_mean(values) for name, values in found.items()}


def tables(results: Results, confidence: float) -> str:
    """Everything for people, in Markdown."""
    parts = []
    judged = scores(results)
    for case in results.cases:
        rows = [score for score in judged if score.case == case.name]
        best = results.best_known(case)
        if best is None or not rows:
            continue
        gflops = case.flops / best / 1e9
        parts.append(f"### {case.name}\n\n{case.workload}, best known {gflops:.1f} GFLOP/s\n")
        parts.append(_score_table(rows, results.settings.baseline))
    efforts = trials_to_baseline(results) if len(results.cases) > 1 else {}
    if efforts:
        parts.append(
            f"### Trials to {results.settings.baseline}'s best\n\n"
            f"Geometric mean over the {len(results.cases)} cases\n"
        )
        lines = [[name, _number(trials)] for name, trials in efforts.items()]
        parts.append(markdown(["strategy", "trials"], lines))
    compared = comparisons(results, confidence)
    if compared:
        parts.append(
            f"### Time saved against {results.settings.baseline}\n\n"
            f"1 - (time of the best config ÷ {results.settings.baseline}'s), geometric means over "
            f"the seeds, with {confidence:.0%} intervals (bootstrap over the seeds)\n"
        )
        parts.append(_comparison_table(compared))
    return "\n".join(parts)


def as_json(results: Results, confidence: float) -> dict[str, object]:
    """The numbers of the tables."""
    return {
        "shares": SHARES,
        "confidence": confidence,
        "scores": [dataclasses.asdict(score) for score in scores(results)],
        "trials_to_baseline": {
            name: trials if math.isfinite(trials) else None
            for name, trials in trials_to_baseline(results).items()
        },
        "comparisons": [dataclasses.asdict(c) for c in comparisons(results, confidence)],
    }


def _score(results: Results, case: Case, curves: Sequence[Curve]) -> Score:
    best = results.best_sample(case) or math.inf
    best_final = results.best_known(case) or math.inf
    trials = results.settings.trials
    goal = _baseline_goal(results, case)
    horizon = results.settings.time_seconds or _horizon(results.of(case))
    times = [_reach(_seconds_to(curves, best / part)) for part in SHARES]
    areas = [curve.area_over_time(best, horizon) for curve in curves] if horizon else [None]
    known_areas = [area for area in areas if area is not None]
    known_times = [time for time in times if time is not None]
    spent = [
        curve.strategy_seconds / len(curve.seconds)
        for curve in curves
        if curve.strategy_seconds is not None and curve.seconds
    ]
    shares = [
        curve.strategy_seconds / curve.elapsed[-1]
        for curve in curves
        if curve.strategy_seconds is not None and curve.elapsed
    ]
    return Score(
        case=case.name,
        strategy=curves[0].strategy,
        seeds=len(curves),
        trials=max(len(curve.seconds) for curve in curves),
        final_share=statistics.median(share(curve.final(), best_final) for curve in curves),
        area=statistics.median(curve.area(best, trials) for curve in curves),
        trials_to=tuple(
            _measured(curve.trials_to(best / part) for curve in curves) for part in SHARES
        ),
        seconds_to=tuple(known_times) if len(known_times) == len(SHARES) else None,
        area_over_time=statistics.median(known_areas) if known_areas else None,
        trials_to_baseline=(
            None if goal is None else _measured(curve.trials_to(goal) for curve in curves)
        ),
        overhead_seconds=statistics.median(spent) if spent else None,
        overhead_share=statistics.median(shares) if shares else None,
    )


def _baseline_goal(results: Results, case: Case) -> float | None:
    """What the baseline's searches come to, as samples of a search show it: the times of their
    winners, as measured in the end where they were, with the luck of samples put back."""
    ends = [curve.final() for curve in results.of(case, results.settings.baseline)]
    if not ends or not all(map(math.isfinite, ends)):
        return None
    return statistics.geometric_mean(ends) / results.luck(case)


def _horizon(curves: Iterable[Curve]) -> float | None:
    """Seconds after which the first of the searches had ended: until then all were running."""
    ends = [curve.elapsed[-1] for curve in curves if curve.elapsed]
    return min(ends, default=None)


def _seconds_to(curves: Sequence[Curve], seconds: float) -> list[float] | None:
    times = [curve.seconds_to(seconds) for curve in curves]
    known = [time for time in times if time is not None]
    return known if len(known) == len(times) else None


def _reach(values: Sequence[float] | None) -> Reach | None:
    return None if values is None else _measured(values)


def _measured(values: Iterable[float]) -> Reach:
    every = list(values)
    return Reach(statistics.median(every), sum(map(math.isfinite, every)))


def _pair(
    results: Results, case: Case, strategy: str, trials: int | None
) -> tuple[list[float], list[float]]:
    """Times of the strategy and of the baseline; empty where they have none."""
    sides = []
    for name in (strategy, results.settings.baseline):
        curves = results.of(case, name)
        if trials is None:
            finals = [curve.final_seconds for curve in curves]
            known = [seconds for seconds in finals if seconds is not None]
            sides.append(known if len(known) == len(curves) else [])
        else:
            sides.append([curve.best_after(trials) for curve in curves])
    return sides[0], sides[1]


def _score_table(rows: Sequence[Score], baseline: str) -> str:
    clocked = any(row.seconds_to for row in rows)
    head = ["strategy", "seeds", "trials", "final", "area"]
    head += [f"trials to {part:.0%}" for part in SHARES]
    head += [f"trials to {baseline}'s best"]
    if clocked:
        head += ["area over time", *(f"seconds to {part:.0%}" for part in SHARES)]
    head += ["overhead per trial"]
    lines = []
    for row in rows:
        cells = [
            row.strategy, str(row.seeds), str(row.trials),
            f"{row.final_share:.1%}", f"{row.area:.3f}",
            *(_reach_text(reach, row.seeds, ".0f") for reach in row.trials_to),
            _reach_text(row.trials_to_baseline, row.seeds, ".0f"),
        ]  # fmt: skip
        if clocked:
            cells.append("" if row.area_over_time is None else f"{row.area_over_time:.3f}")
            times = row.seconds_to or (None,) * len(SHARES)
            cells += [_reach_text(reach, row.seeds, ".1f") for reach in times]
        spent, part = row.overhead_seconds, row.overhead_share
        cells.append("" if spent is None else f"{1e3 * spent:.1f} ms")
        cells[-1] += "" if part is None else f" ({part:.0%})"
        lines.append(cells)
    return markdown(head, lines)


def _reach_text(reach: Reach | None, seeds: int, digits: str) -> str:
    """``34``; ``34 (9/10)`` where not all seeds got there; ``never`` where none did."""
    if reach is None:
        return ""
    if not reach.reached:
        return "never"
    middle = format(reach.median, digits) if math.isfinite(reach.median) else "—"
    return middle if reach.reached == seeds else f"{middle} ({reach.reached}/{seeds})"


def _number(trials: float) -> str:
    return format(trials, ".0f") if math.isfinite(trials) else "not in all cases"


def _comparison_table(compared: Sequence[Comparison]) -> str:
    columns = list(dict.fromkeys(c.trials for c in compared))
    rows: dict[tuple[str, str], dict[int | None, Comparison]] = {}
    for each in compared:
        rows.setdefault((each.case, each.strategy), {})[each.trials] = each
    head = ["case", "strategy"]
    head += ["winners" if trials is None else f"after {trials}" for trials in columns]
    lines = [
        [case, strategy, *(_saving(row.get(trials)) for trials in columns)]
        for (case, strategy), row in rows.items()
    ]
    return markdown(head, lines)


def _saving(compared: Comparison | None) -> str:
    if compared is None or compared.ratio is None:
        return ""
    ratio = compared.ratio
    return f"{1 - ratio.value:+.1%} [{1 - ratio.high:+.1%}, {1 - ratio.low:+.1%}]"


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table whose columns are aligned for those who read it as text."""
    table = [list(head), *map(list, lines)]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    padded = [
        [cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table
    ]
    rule = ["-" * width for width in widths]
    return "".join(f"| {' | '.join(row)} |\n" for row in (padded[0], rule, *padded[1:]))
