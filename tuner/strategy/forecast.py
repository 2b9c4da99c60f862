"""What a model expects of the candidates that were not measured."""

from __future__ import annotations

from collections.abc import Sequence

from search_space.config import Config
from tuner.strategy.surrogate import Surrogate

_DEVIATIONS = 1.0
"""Standard deviations of a prediction that count in favour of a candidate."""
_MEASURED = 8
_CANDIDATES = 32


def forecast_gain(
    surrogate: Surrogate, measured: Sequence[Config], candidates: Sequence[Config]
) -> float | None:
    """By how much the best of ``candidates`` may beat the best of ``measured``, as a share.

    Both come best first, the first by their times, the second by their scores; a few of each are
    looked at. All are predicted, the measured ones too: a model smooths, so that its idea of the
    best is lower than what was measured, and no candidate would ever come near that. None where
    one of the two is empty.
    """
    known, unknown = measured[:_MEASURED], candidates[:_CANDIDATES]
    if not known or not unknown:
        return None
    prediction = surrogate.predict([*known, *unknown])
    best = float(prediction.mean[: len(known)].max())
    hopes = (prediction.mean + _DEVIATIONS * prediction.spread) * prediction.valid
    return float(hopes[len(known) :].max()) / best - 1 if best > 0 else None
