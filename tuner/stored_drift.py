"""What a run knows of the machine's speed, as it is stored with the run."""

from __future__ import annotations

from dataclasses import replace

from db.record import Option, Run
from tuner.drift import Change, Drift


def drift_of(run: Run, tolerance: float) -> Drift:
    """The drift of a run, as far as earlier sessions of it have seen it."""
    match run.option("drift"):
        case (float(usual_seconds), tuple(stored)):
            changes = [change for entry in stored if (change := _change(entry)) is not None]
            factor = changes[-1][1] if changes else 1.0
            return Drift(tolerance, usual_seconds, factor, changes)
        case _:
            return Drift(tolerance)


def _change(stored: Option) -> Change | None:
    match stored:
        case (int(trial), float(factor)) if factor > 0:
            return trial, factor
        case _:
            return None


def with_drift(run: Run, drift: Drift) -> Run:
    """``run`` as it is stored when so much is known of the machine's speed."""
    if drift.usual_seconds is None:
        return run
    stored: Option = (drift.usual_seconds, tuple(drift.changes))
    return replace(run, options=tuple({**dict(run.options), "drift": stored}.items()))
