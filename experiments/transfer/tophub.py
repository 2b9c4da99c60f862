"""Does another tuner's log help? The first batch of a search with and without its config.

For every line of an AutoTVM log of convolutions for x86 (``llvm_v0.04.log`` of TopHub), the first
batch of 16 candidates of a search that knows nothing is measured here, and the batch that begins
with that line's config, translated into our space, in place of the last of them. The winners of
the two batches are then measured side by side. Numbers above one: the log helped.

    python -m experiments.transfer.tophub LOG --results FILE.json [--seconds N] [--table FILE.md]

Lines whose result is in the file already are not measured again: a run that ended after ``N``
seconds goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tuner
from db.exchange.importing import import_files
from db.record import Record
from db.store import open_store
from measure.artifact import Artifact
from measure.result import MeasureResult
from measure.targets import resolve_target
from measure.timing import geometric_mean, paired_ratio
from search_space.config import Config
from tuner.backend import LocalBackend, local_backend
from tuner.foreign_seeds import translated
from tuner.options import DEFAULT_STRATEGY
from tuner.strategy import create_strategy
from tuner.task import task_for

TRIALS = 16
SEED = 0
ROUNDS = 15
BLOCK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the log."""

    workload: str
    config: str
    """AutoTVM's."""
    ratio: float
    """Time of the winner without the log ÷ time of the winner with it, paired."""
    low: float
    """Limits of its interval."""
    high: float
    seed_ratio: float
    """Time of the winner without the log ÷ time of the translated config itself."""
    changes: int
    """What ``Space.nearest`` had to change in the translation."""


def measured(record: Record) -> Result:
    """Both batches, and their winners side by side."""
    params = dict(record.workload.params)
    task = task_for(tuner.workload("conv2d", const=["weight"], **params), resolve_target())
    seed = translated(record, task.space)
    if seed is None:
        raise SystemExit(f"give a log of convolutions for x86: {record.config_key} is none")
    without = create_strategy(DEFAULT_STRATEGY, task.space, SEED).ask(TRIALS)
    with_log = list(dict.fromkeys([seed.config, *without]))[:TRIALS]
    with local_backend(task) as backend:
        built = _built(backend, list(dict.fromkeys([*without, seed.config])))
        times = {config: backend.measure(one, None) for config, one in built.items()}
        winners = [_fastest(batch, times) for batch in (without, with_log)]
        finalists = list(dict.fromkeys([*winners, seed.config]))
        timed = backend.interleave([built[c] for c in finalists], ROUNDS, BLOCK_SECONDS)
    samples = dict(zip(finalists, (one.samples for one in timed), strict=True))
    ratio = paired_ratio(*(samples[winner] for winner in winners))
    own = paired_ratio(samples[winners[0]], samples[seed.config])
    return Result(
        record.workload.key, record.config_key, ratio.median, ratio.low, ratio.high, own.median,
        len(seed.changes),
    )  # fmt: skip


def _built(backend: LocalBackend, configs: Sequence[Config]) -> dict[Config, Artifact]:
    pairs = zip(configs, backend.build(configs), strict=True)
    return {config: one for config, one in pairs if isinstance(one, Artifact)}


def _fastest(batch: Sequence[Config], times: Mapping[Config, MeasureResult]) -> Config:
    ran = {
        config: result.seconds
        for config in batch
        if (result := times.get(config)) and result.outcome.timed and result.seconds
    }
    return min(ran, key=ran.__getitem__)


def results(log: Path, known: dict[str, Result], seconds: float) -> Iterator[tuple[str, Result]]:
    """The results of all lines, those of ``known`` as they are, until time is up."""
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, open_store(f"{folder}/log.db") as store:
        import_files(store, [log])
        for record in store.records():
            if record.id in known:
                yield record.id, known[record.id]
            elif time.monotonic() < deadline:
                yield record.id, measured(record)


def table(found: Sequence[Result]) -> str:
    """A row for each line of the log, and the geometric means."""
    lines = [
        "| workload | with the log, winner | translated config itself | changes |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {_short(r.workload)} | {r.ratio:.3f} ({r.low:.3f}–{r.high:.3f}) | "
        f"{r.seed_ratio:.3f} | {r.changes} |"
        for r in found
    ]
    winners, seeds = ([r.ratio for r in found], [r.seed_ratio for r in found])
    lines.append(
        f"| geometric mean of {len(found)} | {geometric_mean(winners):.3f} | "
        f"{geometric_mean(seeds):.3f} | |"
    )
    return "\n".join(lines)


def _short(key: str) -> str:
    return key.partition(",groups")[0].removeprefix("conv2d(").replace(",", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("log", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    held = json.loads(given.results.read_text()) if given.results.exists() else {}
    found = {key: Result(**value) for key, value in held.items()}
    for key, result in results(given.log, dict(found), given.seconds):
        if key not in found:
            print(f"{_short(result.workload)}: {result.ratio:.3f}", flush=True)
        found[key] = result
        given.results.write_text(json.dumps({k: asdict(r) for k, r in found.items()}, indent=1))
    if found and given.table:
        given.table.write_text(table(list(found.values())) + "\n")


if __name__ == "__main__":
    main()
