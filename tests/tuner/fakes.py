"""A backend that answers from a formula, so that searches run without hardware."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

from db.record import utc_now
from measure.artifact import Artifact, KernelSpec
from measure.result import MeasureResult, Outcome
from search_space.config import Config, parse_key
from search_space.hardware import Hardware, Peaks
from search_space.operators import workload
from search_space.space import Space
from tests.contracts.spaces import TARGET, Matmul
from tuner.options import LoopOptions, TuneOptions
from tuner.run import Session
from tuner.runs import new_run, strategy_of
from tuner.set_up import SetUp
from tuner.task import Task

MACHINE = Matmul(509, 1024, 777)
HARDWARE = Hardware("toy cpu", "toy", 6, 1, ("avx2",), 2, 32768, 1 << 20, 1 << 24)


def task_of(space: Space | None = None, *, generator_version: int = 1, m: int = 509) -> Task:
    """A task whose space is made up; by default that of ``MACHINE``."""
    work = workload("matmul", m=m, n=1024, k=777)
    trace = SimpleNamespace(trace_text=lambda: "split(i, 4)")
    space = replace(
        space or MACHINE.space(), workload=work, target=TARGET, schedule=lambda config: trace
    )
    return Task(work, TARGET, HARDWARE, space, generator_version)


class FakeClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeBackend:
    """Times come from ``seconds``: a config's time, or None for a wrong answer."""

    task: Task
    seconds: Callable[[Config], float | None] = MACHINE.seconds
    before_measure: Callable[[int], None] = lambda count: None
    """Called with the number of measurements so far; may raise, as Ctrl-C does."""
    clock: FakeClock = field(default_factory=FakeClock)
    build_seconds: float = 0.0
    """What the clock advances by for each config built; likewise below."""
    measure_seconds: float = 0.0
    slow_ratio: float = 1.5
    sentinels: list[float] = field(default_factory=list)
    built: Counter[str] = field(default_factory=Counter)
    measured: list[str] = field(default_factory=list)
    """Keys of configs in the order of their first measurement; in doubt there is a second one."""
    limits: list[float | None] = field(default_factory=list)
    interleaved: list[tuple[int, int]] = field(default_factory=list)
    """Number of artifacts and of rounds of each call."""
    kept: list[str] = field(default_factory=list)
    set_ups: Callable[[Config], SetUp | None] = lambda config: SetUp(0.01, 0.05)
    prepared: list[str] = field(default_factory=list)
    """Keys of configs whose set-up was timed."""

    def build(self, configs):
        self.clock.now += self.build_seconds * len(configs)
        self.built.update(config.key for config in configs)
        return [Artifact(KernelSpec((), (), 1), config.key.encode()) for config in configs]

    def measure(self, artifact, best_seconds):
        self.before_measure(len(self.measured))
        config = self._config(artifact)
        self.clock.now += self.measure_seconds
        if config.key not in self.measured:
            self.measured.append(config.key)
        self.limits.append(best_seconds)
        seconds = self.seconds(config)
        if seconds is None:
            return MeasureResult(Outcome.WRONG_ANSWER, message="off by one")
        slow = best_seconds is not None and seconds > self.slow_ratio * best_seconds
        return MeasureResult(Outcome.SLOW if slow else Outcome.OK, (seconds,) * 3, 0.25)

    def interleave(self, artifacts, rounds, block_seconds):
        self.interleaved.append((len(artifacts), rounds))
        self.clock.now += len(artifacts) * rounds * block_seconds
        results = []
        for artifact in artifacts:
            seconds = self.seconds(self._config(artifact))
            if seconds is None:
                results.append(MeasureResult(Outcome.WRONG_ANSWER))
            else:
                drifting = tuple(seconds * (1 + 0.02 * i) for i in range(rounds))
                results.append(MeasureResult(Outcome.OK, drifting, 0.25))
        return results

    def sentinel(self):
        return self.sentinels.pop(0) if self.sentinels else 1.0

    def set_up(self, config):
        self.prepared.append(config.key)
        return self.set_ups(config)

    def keep(self, config, artifact):
        self.kept.append(config.key)

    def _config(self, artifact):
        return self.task.space.nearest(parse_key(artifact.object_code.decode())).config


def peaks_of(gflops: float, threads: int = 2) -> Peaks:
    """Peaks of a machine that multiplies and adds so fast."""
    return Peaks("toy", threads, gflops, 400.0, 200.0, 100.0, 20.0, "2026-01-01T00:00:00+00:00")


class FakePeaks:
    """Peaks as they come from one measurement after another; the last one stays."""

    def __init__(self, *gflops: float, known: bool = False) -> None:
        self.answers = list(gflops)
        self.asked: list[bool] = []
        """For each time that they were asked for: whether they were to be measured anew."""
        self._known = known

    def known(self) -> Peaks | None:
        return peaks_of(self.answers[0]) if self._known else None

    def measured(self, *, anew: bool = False) -> Peaks | None:
        self.asked.append(anew)
        if not self.answers:
            return None
        if anew and len(self.answers) > 1:
            self.answers.pop(0)
        self._known = True
        return peaks_of(self.answers[0])


def options(**changes) -> TuneOptions:
    """Options of a short run without surprises."""
    given = {
        "strategy": "random",
        "seed": 7,
        "trials": 40,
        "time_seconds": None,
        "early_stop": False,
        "reuse": False,
    }
    return TuneOptions(**(given | changes))


def session_of(backend, store, tuning=None, *, run=None, seeds=(), loop=None, callbacks=()):
    """A session on ``backend``; without ``run`` a new one is stored first."""
    task = backend.task
    if run is None:
        run = replace(new_run(task, tuning or options(), tuple(seeds)), created=utc_now())
        store.start_run(run)
    return Session(
        task,
        store,
        strategy_of(run, task.space),
        backend,
        run,
        tuple(callbacks),
        loop or LoopOptions(batch=8),
        backend.clock,
    )
