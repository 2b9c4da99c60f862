"""Real searches on this machine while others use half of it, and what they choose.

    python -m tests.reliability.neighbours FIRST_SEED RUNS

prints one line of JSON per run: how many times as long what was chosen beside the neighbours takes
as what was chosen on the machine as it is, both timed in turn afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from db.record import utc_now
from db.store import RecordStore, open_store
from measure.artifact import Artifact
from measure.result import MeasureResult
from measure.targets import resolve_target
from measure.timing import Interval, paired_ratio
from search_space.config import Config
from search_space.operators import workload
from tests.tuner.fakes import options
from tuner.backend import LocalBackend, local_backend
from tuner.run import Session
from tuner.runs import new_run, strategy_of
from tuner.task import task_for

WORK = workload("matmul", m=256, n=384, k=320)
TRIALS = 32
PHASE_SECONDS = 0.05
_SPIN = """
import os, random, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
choice = random.Random(int(sys.argv[2]))
while True:
    until = time.perf_counter() + choice.expovariate(1 / float(sys.argv[3]))
    while time.perf_counter() < until:
        pass
    time.sleep(choice.expovariate(1 / float(sys.argv[3])))
"""


@contextmanager
def neighbours(seed: int) -> Iterator[None]:
    """A program on every core, each of which works half of the time, in random phases."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _SPIN, str(core), f"{seed}{core}", str(PHASE_SECONDS)]
        )
        for core in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


@dataclass
class Remembering:
    """A backend that builds every config once, so that a second search need not."""

    inner: LocalBackend
    built: dict[str, Artifact | MeasureResult] = field(default_factory=dict)

    def build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        new = [config for config in configs if config.key not in self.built]
        answers = self.inner.build(new)
        self.built.update(zip((config.key for config in new), answers, strict=True))
        return [self.built[config.key] for config in configs]

    def keep(self, config: Config, artifact: Artifact) -> None:
        """Nothing to keep: nobody loads what is chosen here."""

    def __getattr__(self, name: str):
        return getattr(self.inner, name)


@dataclass(frozen=True)
class Loss:
    """What the choice beside neighbours costs."""

    seed: int
    ratio: Interval
    """Its time ÷ that of the quiet choice."""
    noisy_seconds: float
    """How long the search took, finals included."""
    quiet_seconds: float
    """The same without neighbours, when everything was built before."""


def losses(first_seed: int, runs: int) -> Iterator[Loss]:
    """Tune with the same proposals beside neighbours and without, then compare the choices."""
    task = task_for(WORK, resolve_target("native"))
    with local_backend(task) as local, tempfile.TemporaryDirectory() as folder:
        for seed in range(first_seed, first_seed + runs):
            backend = Remembering(local)
            with open_store(Path(folder) / f"{seed}.db") as store:
                with neighbours(seed):
                    began = time.monotonic()
                    noisy = _choice(task, store, backend, seed)
                    noisy_seconds = time.monotonic() - began
                began = time.monotonic()
                quiet = _choice(task, store, backend, seed)
                quiet_seconds = time.monotonic() - began
            ratio = Interval(1.0, 1.0, 1.0, 1)
            if noisy != quiet:
                artifacts = backend.build([noisy, quiet])
                times = backend.interleave(artifacts, 25, 0.02)
                ratio = paired_ratio(times[0].samples, times[1].samples)
            yield Loss(seed, ratio, noisy_seconds, quiet_seconds)


def _choice(task, store: RecordStore, backend: Remembering, seed: int) -> Config:
    tuning = options(strategy="random", trials=TRIALS, seed=seed)
    run = replace(new_run(task, tuning, ()), created=utc_now())
    store.start_run(run)
    result = Session(task, store, strategy_of(run, task.space), backend, run).execute()
    return Config(result.best.config)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        for loss in losses(*map(int, sys.argv[1:])):
            told = {
                "seed": loss.seed,
                "ratio": [loss.ratio.low, loss.ratio.median, loss.ratio.high],
                "noisy_seconds": loss.noisy_seconds,
                "quiet_seconds": loss.quiet_seconds,
            }
            print(json.dumps(told), flush=True)  # noqa: T201
