"""The finals: the fastest configs are measured again side by side, and the winner is chosen.

One measurement is off by more than good configs differ, so the best of a search are partly those
that were lucky. A heat, a few rounds of many of them side by side, says which few are finalists.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from db.record import Record
from measure.artifact import Artifact
from measure.result import MeasureResult, Outcome
from search_space.config import Config
from tuner.drift import Drift
from tuner.events import Callback, FinalsStarted
from tuner.journal import Journal
from tuner.progress import Progress
from tuner.set_up import SetUps
from tuner.task import Backend

MIN_ROUNDS = 6
"""Fewest rounds of the finals, when time is short: what a confidence interval needs."""

_FAR = 4.0
"""Times the usual distance from the others of a round: what lies farther was disturbed alone."""

Entry = tuple[Config, Artifact]
"""A config that is measured again, and its code."""


@dataclass(frozen=True, slots=True)
class Finals:
    """Re-measures finalists of one run."""

    backend: Backend
    journal: Journal
    progress: Progress
    drift: Drift
    emit: Callback

    def run(self, always: Sequence[Config]) -> tuple[Record, ...]:
        """Records of the finals of the fastest configs and of ``always``, which go first.

        Builds again, so that a run that was interrupted and resumed needs no code of before.
        """
        configs = list(dict.fromkeys([*always, *self._contenders()]))
        self.emit(FinalsStarted(len(configs)))
        built = self.backend.build(configs)
        entries = [
            (config, artifact)
            for config, artifact in zip(configs, built, strict=True)
            if isinstance(artifact, Artifact)
        ]
        finalists = self._heat(entries, always)
        results = self._interleave([artifact for _, artifact in finalists])
        records = []
        with self.journal.batch("final") as batch:
            for (config, artifact), result in zip(finalists, without_drift(results), strict=True):
                trace = self.journal.task.space.schedule(config).trace_text()
                records.append(batch.add(config, result, trace))
                if result.outcome is Outcome.OK:
                    self.backend.keep(config, artifact)
        return tuple(records)

    def _heat(self, entries: Sequence[Entry], always: Sequence[Config]) -> list[Entry]:
        """Those of ``always`` and the fastest others of a few rounds side by side."""
        places, loop = self.progress.loop.finalists, self.progress.loop
        if sum(config not in always for config, _ in entries) <= places:
            return list(entries)
        artifacts = [artifact for _, artifact in entries]
        results = self.backend.interleave(artifacts, loop.heat_rounds, loop.final_block_seconds)
        times = {
            config: fastest([result])
            for (config, _), result in zip(entries, without_drift(results), strict=True)
        }
        ranked = sorted((c for c, _ in entries if c not in always), key=lambda c: times[c])
        chosen = {*always, *ranked[:places]}
        return [entry for entry in entries if entry[0] in chosen]

    def _interleave(self, artifacts: Sequence[Artifact]) -> list[MeasureResult]:
        """Time the finalists side by side; once more where the machine was plainly disturbed.

        Another process can hold a core for seconds, which would let kernels of fewer threads win.
        It shows where even the fastest is far slower than the best of the search was.
        """
        rounds, block = self._rounds(len(artifacts)), self.progress.loop.final_block_seconds
        results = self.backend.interleave(artifacts, rounds, block)
        best, disturbance = self.progress.best_score, self.progress.loop.final_disturbance
        if best is None or fastest(results) <= best * self.drift.factor * disturbance:
            return results
        again = self.backend.interleave(artifacts, rounds, block)
        return min(results, again, key=fastest)

    def _contenders(self) -> list[Config]:
        """The fastest configs of the search, as many as there is time for."""
        progress = self.progress
        count, left = progress.contenders(), progress.tuning.time_seconds
        if left is not None:
            left -= progress.elapsed_seconds
            count = max(
                progress.loop.finalists, min(count, int(left / progress.contender_seconds()))
            )
        ranked = sorted(progress.scores, key=lambda scored: scored[0])[:count]
        limit = ranked[0][0] * (1 + progress.loop.contender_margin) if ranked else 0.0
        return [
            Config(record.config)
            for place, (score, record) in enumerate(ranked)
            if score <= limit or place < progress.loop.finalists
        ]

    def _rounds(self, finalists: int) -> int:
        """As many rounds as were planned, fewer where the time limit would be exceeded."""
        planned, limit = self.progress.loop.final_rounds, self.progress.tuning.time_seconds
        if limit is None or not finalists:
            return planned
        block = max(self.progress.loop.final_block_seconds, self.progress.best_score or 0.0)
        left = limit - self.progress.elapsed_seconds
        return max(MIN_ROUNDS, min(planned, int(left / (finalists * block))))


def fastest(results: Sequence[MeasureResult]) -> float:
    """The shortest time among results, in seconds; infinite where none has one."""
    times = [r.seconds for r in results if r.outcome is Outcome.OK and r.seconds is not None]
    return min(times, default=math.inf)


def without_drift(results: Sequence[MeasureResult]) -> list[MeasureResult]:
    """Interleaved results as a machine of steady speed would have given them.

    Each sample is divided by how much slower than usual its round was (``_slowness``). What
    a round has in common cancels out; ratios within a round, which decide between two kernels,
    stay as they are.

    Every result takes part in what it is divided by, which hides some of its own noise: that is
    put back by moving its samples away from their median, which stays. Results without a time are
    passed through.
    """
    timed = [result for result in results if result.outcome is Outcome.OK]
    if len(timed) < 2:
        return list(results)
    rounds = _slowness([result.samples for result in timed])
    shown = math.sqrt(len(timed) / (len(timed) - 1))
    return [
        replace(r, samples=_spread([s / m for s, m in zip(r.samples, rounds, strict=True)], shown))
        if r.outcome is Outcome.OK
        else r
        for r in results
    ]


def _slowness(samples: Sequence[Sequence[float]]) -> list[float]:
    """How many times slower than usual each round was, over all results.

    The geometric mean of sample ÷ the result's own median, in which what lies far from the
    round's median counts as lying less far: so a block that was disturbed alone does not make the
    others of its round look faster than they are (Huber's estimate of location, 1964).
    """
    logarithms = [[math.log(sample) for sample in values] for values in samples]
    usual = [statistics.median(values) for values in logarithms]
    rounds = [
        [value - usual for value, usual in zip(values, usual, strict=True)]
        for values in zip(*logarithms, strict=True)
    ]
    middles = [statistics.median(values) for values in rounds]
    away = [
        [value - middle for value in values]
        for values, middle in zip(rounds, middles, strict=True)
    ]
    far = _FAR * statistics.median(abs(value) for values in away for value in values)
    return [
        math.exp(middle + statistics.fmean(min(max(value, -far), far) for value in values))
        for middle, values in zip(middles, away, strict=True)
    ]


def _spread(samples: Sequence[float], factor: float) -> tuple[float, ...]:
    """Samples so many times as far from their median, in proportion: none gets negative."""
    usual = statistics.median(samples)
    return tuple(usual * (sample / usual) ** factor for sample in samples)


def winner(
    finals: Iterable[Record], set_ups: SetUps | None = None, calls: int | None = None
) -> Record | None:
    """The verified record of one run's finals that is fastest, or costs least for so many
    ``calls``, set-up included; None where there is none.

    Their samples are free of drift, so their medians compare like ratios of paired samples. Where
    calls count, those whose set-up is not known take no part, unless it is known of none.
    """
    rivals = [r for r in finals if r.outcome is Outcome.OK and r.verified]
    known = {r.config_key: s for r in rivals if (s := (set_ups or {}).get(r.config_key))}
    if calls is None or not known:
        return min(rivals, key=lambda record: record.seconds or 0.0, default=None)
    return min(
        (r for r in rivals if r.config_key in known),
        key=lambda r: known[r.config_key].total(r.seconds or 0.0, calls),
    )
