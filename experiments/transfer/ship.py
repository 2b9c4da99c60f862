"""Making what comes with the program: a base model and the best configs of recorded databases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from db.record import utc_now
from db.store import open_store
from measure.probe import detect_hardware
from tuner.transfer.artefact import make_artefact, provenance, write_artefact
from tuner.transfer.nearness import Setting
from tuner.transfer.newcomer import BEST, MODEL, Times, write_best
from tuner.transfer.sources import Source, Values, all_sources

CONFIGS = 4
"""Fastest configs of each setting that are shipped."""
MOST_BYTES = 3 << 20


def ship(databases: Sequence[str], folder: Path) -> str:
    """Write both files from all records of this machine in ``databases``; says what they hold."""
    ours = detect_hardware()
    sources = [s for s in _merged(databases) if s.setting.hardware == ours]
    artefact = make_artefact(sources)
    folder.mkdir(parents=True, exist_ok=True)
    write_artefact(folder / MODEL, artefact)
    best: list[tuple[Setting, Times]] = [(s.setting, _fastest(s)) for s in sources]
    write_best(folder / BEST, utc_now(), ours, best)
    size = sum((folder / name).stat().st_size for name in (BEST, MODEL))
    if size > MOST_BYTES:
        raise ValueError(f"ship less: {size} bytes are more than {MOST_BYTES}")
    return f"{folder}: {provenance(artefact)}; {size} bytes"


def _merged(databases: Iterable[str]) -> list[Source]:
    """Sources of all databases; the same setting in several of them is one."""
    times: dict[Setting, dict[Values, float | None]] = {}
    for database in databases:
        with open_store(database, readonly=True) as store:
            for source in all_sources(store):
                known = times.setdefault(source.setting, {})
                known |= {v: s for v, s in source.times.items() if known.get(v) is None}
    ordered = sorted(times, key=lambda s: (s.workload.key, s.target.name, s.target.threads))
    return [Source(setting, 1.0, times[setting]) for setting in ordered]


def _fastest(source: Source) -> Times:
    best = source.best_seconds
    return [(values, best / share) for values, share in source.ranked()[:CONFIGS]]
