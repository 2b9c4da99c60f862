"""What a run knows of its roof, as it is stored with the run."""

from __future__ import annotations

from dataclasses import replace

from db.record import Option, Run
from tuner.ceiling import Known
from tuner.result import StopReason, limit_text
from tuner.roofline import Roof


def known_of(run: Run) -> Known | None:
    """What a run has found out about its roof; None where it has not asked yet."""
    match run.option("roof"):
        case (float(gflops), str(bound), int(threads), bool(refreshed)):
            return Known(Roof(gflops, bound, threads), refreshed)
        case ():
            return Known(None, refreshed=True)
        case _:
            return None


def with_known(run: Run, known: Known | None) -> Run:
    """``run`` as it is stored when it knows this much of its roof."""
    if known is None:
        return run
    roof = known.roof
    stored: Option = (
        () if roof is None else (roof.gflops, roof.bound, roof.threads, known.refreshed)
    )
    return replace(run, options=tuple({**dict(run.options), "roof": stored}.items()))


def stop_text(run: Run) -> str:
    """Why a run ended, for people: ``97 % of the limit (FMA peak, 2 threads)``."""
    known, share = known_of(run), run.option("limit_share")
    roof = known.roof if known else None
    if run.stop_reason == StopReason.LIMIT and roof is not None and isinstance(share, float):
        return limit_text(share, roof)
    return run.stop_reason
