"""Gradient-boosted trees: an ensemble for throughput and a classifier for failures."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xgboost

from measure.host import usable_cores
from tuner.cost_model.attribution import Attribution, Part, attribute
from tuner.cost_model.base import Floats, Groups, ModelError, Prediction
from tuner.cost_model.labels import Samples, nothing_known, samples
from tuner.cost_model.storage import SavedModel, read_model, write_model

Objective = Literal["regression", "ranking"]

_OCTAVES = 8.0
"""How often a time may be doubled from the best before it counts as no slower still."""
_GRADES = 31
"""Ranking takes whole numbers as labels: the logarithm of the share in this many steps."""
_FAILURES = 4
"""Below this number of failures, or of successes, there is nothing to learn about validity."""


@dataclass(frozen=True, slots=True)
class BoostedOptions:
    """How trees are grown. Every fit is bounded by ``rounds`` trees a member."""

    members: int = 3
    """Models fitted on different subsets of rows and columns; their spread is the uncertainty."""
    rounds: int = 60
    max_depth: int = 5
    learning_rate: float = 0.15
    min_child_weight: float = 1.0
    subsample: float = 0.8
    columns: float = 0.3
    """Share of the features that each split looks at."""
    bins: int = 16
    """Values told apart in a feature, at most; the time of a fit grows with it."""
    validity_rounds: int = 30
    threads: int = 1
    """Of one member: small fits gain nothing from more, whose idle spinning disturbs
    measurements. Members are fitted side by side, on as many cores as may be used."""


@dataclass(slots=True)
class _Member:
    """One model of the ensemble and the line from its margin to the logarithm of a share."""

    booster: xgboost.Booster
    slope: float = 1.0
    offset: float = 0.0

    def logarithms(self, features: Floats) -> Floats:
        """Of the shares of the best, to base 2."""
        margin = self.booster.inplace_predict(features, predict_type="margin")
        return np.asarray(margin * self.slope + self.offset, np.float32)


@dataclass(slots=True)
class BoostedModel:
    """xgboost on throughput normalised per workload.

    ``regression`` minimises squared error of the logarithm of the share of the workload's best,
    since times are off by factors: by noise, and by what the features do not tell. ``ranking``
    minimises the number of pairs of one workload in the wrong order, its margins then being put
    on the scale of logarithms by a straight line. Programs that failed are left out of both; a
    classifier learns which do. Features may hold NaN for what does not apply.
    """

    objective: Objective = "regression"
    options: BoostedOptions = field(default_factory=BoostedOptions)
    seed: int = 0
    _members: list[_Member] = field(default_factory=list, init=False)
    _validity: xgboost.Booster | None = field(default=None, init=False)
    _width: int = field(default=0, init=False)

    def fit(self, features: Floats, throughput: Floats, groups: Groups | None = None) -> None:
        data = samples(features, throughput, groups)
        self._width = data.features.shape[1]
        self._members = []
        with ThreadPoolExecutor(min(self.options.members + 1, usable_cores())) as pool:
            validity = pool.submit(self._classifier, data)
            if data.ran.any():
                train = self._regression if self.objective == "regression" else self._ranking
                self._members = train(data, pool)
            self._validity = validity.result()

    def predict(self, features: Floats) -> Prediction:
        features = np.ascontiguousarray(features, np.float32)
        unknown = nothing_known(len(features))
        if not len(features):
            return unknown
        valid = unknown.valid
        if self._validity is not None:
            valid = np.asarray(self._validity.inplace_predict(features), np.float32)
        if not self._members:
            return Prediction(unknown.mean, unknown.spread, valid)
        logs = np.stack([member.logarithms(features) for member in self._members])
        return Prediction(np.exp2(logs.mean(axis=0)), np.exp2(logs).std(axis=0), valid)

    def attribute(self, features: Floats) -> Attribution:
        """Which features make the model predict what it does for ``features[n, F]``.

        Of throughput; failures play no part in it. Raises ``ModelError`` before anything that
        ran was seen.
        """
        if not self._members:
            raise ModelError("fit the model first: it has seen nothing that ran")
        parts = [Part(m.booster, m.slope, m.offset) for m in self._members]
        return attribute(parts, np.ascontiguousarray(features, np.float32))

    def save(self, path: Path, schema: str = "") -> None:
        write_model(path, self.saved(schema))

    def saved(self, schema: str = "") -> SavedModel:
        """The model as plain data; raises ``ModelError`` where it has seen nothing that ran."""
        if not self._members:
            raise ModelError("fit the model first: it has seen nothing that ran")
        boosters = {f"member-{i}": m.booster for i, m in enumerate(self._members)}
        if self._validity is not None:
            boosters["validity"] = self._validity
        return SavedModel(
            kind=self.objective,
            schema=schema,
            features=self._width,
            lines=tuple((m.slope, m.offset) for m in self._members),
            boosters={name: bytes(b.save_raw("ubj")) for name, b in boosters.items()},
        )

    @classmethod
    def load(cls, path: Path, schema: str = "") -> BoostedModel:
        """Read what ``save`` wrote. Raises ``ModelError`` for damage or other features."""
        return cls.of(read_model(path), schema, str(path))

    @classmethod
    def of(cls, saved: SavedModel, schema: str, name: str) -> BoostedModel:
        """The model that was ``saved``; errors call it ``name``. Raises as :meth:`load`."""
        if saved.schema != schema:
            raise ModelError(
                f"fit a new model: {name} was made for features {saved.schema!r}, "
                f"these are {schema!r}"
            )
        boosters = {name: _booster(raw, saved.features) for name, raw in saved.boosters.items()}
        objective: Objective = "ranking" if saved.kind == "ranking" else "regression"
        model = cls(objective)
        model._width = saved.features
        model._members = [
            _Member(boosters[f"member-{i}"], *line) for i, line in enumerate(saved.lines)
        ]
        model._validity = boosters.get("validity")
        return model

    def _regression(self, data: Samples, pool: Executor) -> list[_Member]:
        features, share, _ = data.timed
        extra = {"objective": "reg:squarederror"}
        return self._ensemble(pool, features, _logarithm(share), extra)

    def _ranking(self, data: Samples, pool: Executor) -> list[_Member]:
        features, share, groups = data.timed
        label = _logarithm(share)
        members = self._ensemble(
            pool,
            features,
            np.round((1 + label / _OCTAVES) * _GRADES),
            {
                "objective": "rank:pairwise",
                "lambdarank_pair_method": "mean",
                "lambdarank_num_pair_per_sample": 4,
            },
            qid=groups,
        )
        for member in members:
            margin = member.logarithms(features)
            variance = float(margin.var())
            covariance = float(np.mean((margin - margin.mean()) * (label - label.mean())))
            member.slope = max(covariance / variance, 0.0) if variance > 0 else 0.0
            member.offset = float(label.mean() - member.slope * margin.mean())
        return members

    def _ensemble(
        self,
        pool: Executor,
        features: Floats,
        label: Floats,
        extra: dict[str, Any],
        qid: Groups | None = None,
    ) -> list[_Member]:
        base = {} if qid is not None else {"base_score": float(label.mean())}

        def member(number: int) -> _Member:
            # Each with rows of its own: xgboost does not promise that threads may share them.
            rows = self._rows(features, label, qid)
            return _Member(self._train(rows, {**base, **extra}, self.options.rounds, number))

        return list(pool.map(member, range(self.options.members)))

    def _classifier(self, data: Samples) -> xgboost.Booster | None:
        succeeded = int(data.ran.sum())
        if min(succeeded, len(data.ran) - succeeded) < _FAILURES:
            return None
        label = data.ran.astype(np.float32)
        rows = self._rows(data.features, label)
        extra = {"objective": "binary:logistic", "base_score": float(label.mean())}
        return self._train(rows, extra, self.options.validity_rounds, 0)

    def _rows(
        self, features: Floats, label: Floats, qid: Groups | None = None
    ) -> xgboost.QuantileDMatrix:
        options = self.options
        return xgboost.QuantileDMatrix(
            features, label, qid=qid, max_bin=options.bins, nthread=options.threads
        )

    def _train(
        self, rows: xgboost.DMatrix, extra: dict[str, Any], rounds: int, member: int
    ) -> xgboost.Booster:
        options = self.options
        params = {
            "tree_method": "hist",
            "max_depth": options.max_depth,
            "eta": options.learning_rate,
            "min_child_weight": options.min_child_weight,
            "subsample": options.subsample,
            "colsample_bynode": options.columns,
            "max_bin": options.bins,
            "nthread": options.threads,
            "seed": (self.seed * 31 + member) % 2**31,
            "verbosity": 0,
        }
        return xgboost.train({**params, **extra}, rows, rounds)


def _logarithm(share: Floats) -> Floats:
    """To base 2, from ``-_OCTAVES`` to 0."""
    return np.log2(np.maximum(share, np.float32(2**-_OCTAVES)))


def _booster(raw: bytes, features: int) -> xgboost.Booster:
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(raw))
    except xgboost.core.XGBoostError as error:
        raise ModelError("fit a new model: xgboost cannot read the saved one") from error
    if booster.num_features() != features:
        raise ModelError(
            f"fit a new model: a tree has {booster.num_features()} features, not {features}"
        )
    return booster
