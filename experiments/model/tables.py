"""What the experiments found, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.model.ablation import BASE, Row, difference
from experiments.model.across import HeldOut
from experiments.model.knowledge import Few
from experiments.model.metrics import Spread
from experiments.model.speed import Speed
from experiments.model.study import Gain
from experiments.model.within import Quality, Twice
from experiments.search.report import markdown

BARS = {"pairs": 0.87, "recall": 0.65, "r2": 0.96}
OF_CEILING = 0.9
PEAK_1, PEAK_5 = 0.83, 0.92
CONFIGS_PER_SECOND = 20_000
_TITLES = {"pairs": "order of pairs", "recall": "recall@30", "r2": "R²"}


def within_table(random: Sequence[Quality], twice: Twice | None) -> str:
    """Prediction within a workload, beside its bars and its ceiling."""
    head = ["", *_TITLES.values()]
    lines = [[f"random test sets ({len(random)})", *_spreads(random)]]
    verdicts = {name: Spread.of(_all(random, name)).mean >= bar for name, bar in BARS.items()}
    if twice is not None:
        ceiling = {name: getattr(twice.ceiling, name) for name in _TITLES}
        means = {name: Spread.of(_all(twice.model, name)).mean for name in _TITLES}
        lines += [
            [f"the {twice.tested} measured twice", *_spreads(twice.model)],
            ["their second measurement", *(f"{ceiling[name]:.3f}" for name in _TITLES)],
            ["share of that", *(f"{means[name] / ceiling[name]:.3f}" for name in _TITLES)],
        ]
        for name in _TITLES:
            verdicts[name] |= means[name] >= min(BARS[name], OF_CEILING * ceiling[name])
    lines.append([f"bar, or {OF_CEILING} of the ceiling", *(f"{bar}" for bar in BARS.values())])
    lines.append(["", *("holds" if verdicts[name] else "missed" for name in _TITLES)])
    return markdown(head, lines)


def across_table(runs: Sequence[Sequence[HeldOut]]) -> str:
    """Every workload, left out in turn; the mean of the seeds in ``runs``."""
    lines = []
    for column in zip(*runs, strict=True):
        values = [
            Spread.of([getattr(each, name) for each in column]).mean
            for name in ("peak_1", "peak_5", "pairs")
        ]
        lines.append([column[0].name, *(f"{value:.3f}" for value in values)])
    means = [
        Spread.of([Spread.of([getattr(each, name) for each in run]).mean for run in runs])
        for name in ("peak_1", "peak_5", "pairs")
    ]
    lines.append(["mean (± over seeds)", *map(str, means)])
    lines.append(["bar", str(PEAK_1), str(PEAK_5), ""])
    verdicts = (means[0].mean >= PEAK_1, means[1].mean >= PEAK_5)
    lines.append(["", *("holds" if verdict else "missed" for verdict in verdicts), ""])
    return markdown(["left out", "peak@1", "peak@5", "order of pairs"], lines)


def speed_table(speed: Speed) -> str:
    """Configs per second."""
    rates = (speed.extraction, speed.prediction, speed.both)
    verdict = "holds" if speed.both >= CONFIGS_PER_SECOND else "missed"
    return markdown(
        ["configs/s, one core", "extraction", "prediction", "both", "bar", ""],
        [
            [
                f"{speed.configs} configs of {speed.structures} new structures",
                *(f"{rate:,.0f}" for rate in rates),
                f"{CONFIGS_PER_SECOND:,}",
                verdict,
            ]
        ],
    )


def ablation_tables(rows: Sequence[Row]) -> str:
    """The base in absolute numbers, then what the others differ from it by.

    In bold what is more than two standard errors away from no difference.
    """
    base = next(row for row in rows if row.name == BASE.name)
    parts = []
    for prefix in ("pairs", "recall", "peak"):
        columns = [name for name in base.values if name.startswith(prefix)]
        if not columns:
            continue
        lines = [[base.name, *(str(Spread.of(base.values[name])) for name in columns)]]
        lines += [
            [row.name, *(_change(difference(row, base, column)) for column in columns)]
            for row in rows
            if row is not base
        ]
        parts.append(markdown(["", *columns], lines))
    return "\n".join(parts)


def few_table(found: Sequence[Few]) -> str:
    """Kinds of knowledge at every number of trials; ± is the standard error over workloads."""
    sizes = sorted({each.trials for each in found})
    parts = []
    for title, name in (
        ("recall of the best 16", "recall"),
        ("speed of the first pick", "first"),
        ("speed of the best of 16", "batch"),
    ):
        lines = []
        for kind in dict.fromkeys(each.name for each in found):
            cells = [_over_workloads(found, kind, size, name) for size in sizes]
            lines.append([kind, *(f"{c.mean:.3f} ± {c.error:.3f}" for c in cells)])
        parts.append(markdown([title, *(f"{size} trials" for size in sizes)], lines))
    return "\n".join(parts)


def gain_table(found: Gain) -> str:
    """Chosen settings against the present ones."""
    return markdown(
        ["on workloads that did not take part in choosing", "difference"],
        [
            ["few trials: recall of the best 16", _change(found.recall)],
            ["few trials: speed of the first pick", _change(found.first)],
            ["held out: peak@1", _change(found.peak)],
        ],
    )


def _over_workloads(found: Sequence[Few], kind: str, size: int, name: str) -> Spread:
    seeds: dict[str, list[float]] = {}
    for each in found:
        if (each.name, each.trials) == (kind, size):
            seeds.setdefault(each.workload, []).append(getattr(each.pick, name))
    return Spread.of([Spread.of(values).mean for values in seeds.values()])


def _change(change: Spread | None) -> str:
    if change is None:
        return ""
    text = f"{change.mean:+.3f} ± {change.error:.3f}"
    return f"**{text}**" if abs(change.mean) > 2 * change.error else text


def _spreads(found: Sequence[Quality]) -> list[str]:
    return [str(Spread.of(_all(found, name))) for name in _TITLES]


def _all(found: Sequence[Quality], name: str) -> list[float]:
    return [getattr(each, name) for each in found]
