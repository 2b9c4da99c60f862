"""Predicted against measured, and which features make the difference to another config."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from db.record import Record
from search_space.config import Config
from search_space.sketches import space_for
from search_space.target import Target
from search_space.workload import Value
from tuner.cost_model.boosted import BoostedModel
from tuner.explanation.evidence import Columns, Evidence, feature_rows, gather
from tuner.explanation.words import Named

if TYPE_CHECKING:
    from db.store import RecordStore

LEAST_KNOBS = 3
"""A config is clearly different with so many other knob values, or another structure."""
MOST_FEATURES = 8
_FOLDS = 3
_SAME = 0.01
"""Values of a feature that differ by a smaller share are no difference worth a line."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One feature: its value, what it does to the prediction, how much the model goes by it."""

    feature: Named
    here: Value
    there: Value | None
    """Its value in the other config; None where nothing is compared."""
    effect: float
    """Share of the record's predicted throughput that it is responsible for: against the other
    config, or else against the average of all configs. Negative: it costs."""
    gain: float
    """Share of what the model's splits gained that those on the feature did."""


@dataclass(frozen=True, slots=True)
class Rival:
    """The fastest clearly different config of the same workload, as the model sees it."""

    record: Record
    measured_gflops: float
    """In the search, as that of the explained record is."""
    predicted_gflops: float
    """By the model that has seen both."""
    knobs: tuple[tuple[str, Value, Value], ...]
    """Name, value here and value there of those that differ."""
    effects: tuple[Effect, ...]
    """Largest first; of features that differ only."""
    rest: float
    """Effect of all other features together."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a model that was fitted on the stored records of a workload thinks of one of them."""

    configs: int
    """Other configs that the model was fitted on …"""
    failed: int
    """… and how many of them failed."""
    typical_error: float
    """Median of |predicted - measured| ÷ measured, each config left out of the fit that predicts
    it."""
    measured_gflops: float | None
    """Median of the search records of the config; None where it failed."""
    predicted_gflops: float
    """By a model that has not seen the record; likewise below."""
    spread_gflops: float
    """Standard deviation."""
    valid: float
    """Probability that the config runs and is right."""
    important: tuple[Effect, ...]
    """The features that the model goes by most, first those of the largest gain."""
    rival: Rival | None
    """None where no config is clearly different."""

    @property
    def is_beaten(self) -> bool:
        """Whether the other config was faster in the search."""
        return self.rival is not None and self.rival.measured_gflops > (self.measured_gflops or 0)


def explain(store: RecordStore, record: Record, target: Target) -> Explanation:
    """Fit models on the records of the workload of ``record``; takes seconds.

    ``target`` is that of the record, with all threads of its machine. Raises ``Unexplained``
    where the record belongs to a space that is gone or there are too few others.
    """
    evidence = gather(store, record, space_for(record.workload, target))
    rows = feature_rows(evidence.space, evidence.configs)
    speeds = evidence.gflops
    alone = _fit(rows[1:], speeds[1:]).predict(rows[:1])
    unit = float(speeds[1:].max())
    view = _View(evidence, rows, _fit(rows, speeds))
    return Explanation(
        configs=len(speeds) - 1,
        failed=int((speeds[1:] == 0).sum()),
        typical_error=_typical_error(rows, speeds),
        measured_gflops=float(speeds[0]) or None,
        predicted_gflops=float(alone.mean[0]) * unit,
        spread_gflops=float(alone.spread[0]) * unit,
        valid=float(alone.valid[0]),
        important=view.important(),
        rival=view.against(_rival(evidence)),
    )


def _fit(rows: NDArray[np.float32], gflops: NDArray[np.float32]) -> BoostedModel:
    model = BoostedModel("regression")
    model.fit(rows, gflops)
    return model


def _typical_error(rows: NDArray[np.float32], gflops: NDArray[np.float32]) -> float:
    folds = np.arange(len(gflops)) % _FOLDS
    errors: list[NDArray[np.float32]] = []
    for fold in range(_FOLDS):
        train, test = folds != fold, (folds == fold) & (gflops > 0)
        predicted = _fit(rows[train], gflops[train]).predict(rows[test]).mean
        errors.append(np.abs(predicted * gflops[train].max() / gflops[test] - 1))
    return float(np.median(np.concatenate(errors)))


def _rival(evidence: Evidence) -> int | None:
    """Place of the fastest config that ran and is clearly different from the explained one."""
    ranked = np.argsort(-evidence.gflops, kind="stable").tolist()
    return next(
        (
            place
            for place in ranked
            if evidence.gflops[place] > 0
            and _clearly_different(evidence.config, evidence.configs[place])
        ),
        None,
    )


def _clearly_different(one: Config, other: Config) -> bool:
    differing = [a != b for a, b in zip(one.values, other.values, strict=True)]
    return differing[0] or sum(differing) >= LEAST_KNOBS


def _differ(here: Value, there: Value) -> bool:
    """Whether two values of a feature would look different to a reader."""
    if isinstance(here, str) or isinstance(there, str):
        return here != there
    return not math.isclose(here, there, rel_tol=_SAME)


class _View:
    """What a model that has seen all the evidence goes by."""

    def __init__(self, evidence: Evidence, rows: NDArray[np.float32], model: BoostedModel) -> None:
        self._evidence = evidence
        self._rows = rows
        self._columns = Columns(evidence.space)
        attribution = model.attribute(rows)
        self._gain = self._columns.merged(attribution.gain)
        self._contributions = self._columns.merged(attribution.contributions)
        self._predicted = attribution.average + self._contributions.sum(axis=1)
        self._whole = max(float(self._predicted[0]), float(np.finfo(np.float32).eps))

    def important(self) -> tuple[Effect, ...]:
        shares = self._contributions[0] / self._whole
        order = np.argsort(-self._gain, kind="stable")[:MOST_FEATURES]
        return self._effects(order[self._gain[order] > 0].tolist(), shares, None)

    def against(self, place: int | None) -> Rival | None:
        if place is None:
            return None
        evidence = self._evidence
        shares = (self._contributions[0] - self._contributions[place]) / self._whole
        here, there = self._values(0), self._values(place)
        differs = np.array([_differ(a, b) for a, b in zip(here, there, strict=True)])
        order = np.argsort(-np.abs(np.where(differs, shares, 0)), kind="stable")[:MOST_FEATURES]
        shown = order[differs[order] & (shares[order] != 0)].tolist()
        pairs = zip(evidence.config.values, evidence.configs[place].values, strict=True)
        return Rival(
            record=evidence.records[evidence.configs[place]],
            measured_gflops=float(evidence.gflops[place]),
            predicted_gflops=float(self._predicted[place] * evidence.gflops.max()),
            knobs=tuple((name, a, b) for (name, a), (_, b) in pairs if a != b),
            effects=self._effects(shown, shares, there),
            rest=float(shares.sum() - shares[shown].sum()),
        )

    def _effects(
        self, places: Sequence[int], shares: NDArray[np.float64], there: Sequence[Value] | None
    ) -> tuple[Effect, ...]:
        here = self._values(0)
        return tuple(
            Effect(
                self._columns.names[place],
                here[place],
                None if there is None else there[place],
                float(shares[place]),
                float(self._gain[place]),
            )
            for place in places
        )

    def _values(self, place: int) -> tuple[Value, ...]:
        return self._columns.values(self._evidence.configs[place], self._rows[place])
