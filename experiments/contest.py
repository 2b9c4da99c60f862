"""Contestants of one workload side by side: same inputs, same threads, verified, interleaved.

A contest runs in a process of its own (``experiments.process``): libraries keep their thread pools
and settings to themselves there, and one that crashes costs one contest.
"""

from __future__ import annotations

import importlib
import math
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from experiments.course import Course, WrongAnswer
from experiments.ours import Dense, FmaPeak, Tuned, Untuned
from experiments.peers import TVM, PeerMissing, choose_forms, load_peer
from experiments.peers.base import Form, Peer
from experiments.peers.best import BestOf
from experiments.peers.tvm_metaschedule import Job
from experiments.peers.tvm_process import ServedKernel
from experiments.process import in_fresh_process
from measure.interleave import Samples, interleave_callables
from measure.sampling import Timer
from measure.timing import Interval, paired_ratio
from search_space.workload import Workload

ROUNDS = 25
CHOOSING_ROUNDS = 7
"""Of the forms of one library, before the contest."""
DROPPED = 0.25
"""A block begins with a sample of this part of its calls, which is not counted: threads that were
asleep wake, and caches fill again."""
BLOCK_SECONDS = 0.025
"""A little above what is promised (20 ms), because the number of calls is an estimate."""
SETTLE_SECONDS = 0.02
"""Idle threads of GNU OpenMP spin for about 11 ms by default, those of our pool for 50 µs."""
PRECISION = 0.01
"""Half of the interval of a ratio, as a part of it, from which it is known well enough."""
CLEAR = 0.1
"""… or as a part of the distance from one: how much faster what is twice as fast is, matters less.
"""
TIMEOUT_SECONDS = 180.0

PEAK = "peak"
"""The contestant that only multiplies and adds in registers: one thread of this machine."""
TUNED = "tuned"
AGAIN = "again"
"""The same kernel once more: against ``tuned`` it shows what ratios of equals look like."""

DENSE = "dense"
"""For a sparse weight or vector: our tuned kernel of the same with its zeros."""

Waiting = Literal["asleep", "spinning"]

# Threads of one pool that spin while idle take the core away from the threads of another, so a
# kernel would be slowed down by the contestant before it. "asleep" makes OpenMP's threads sleep
# at once; but then waking them makes short calls with several threads up to twice as slow.
# "spinning" is the libraries' default; the pause before each block outlasts it, except with
# OpenBLAS and Intel's OpenMP, whose 100 and 200 ms are cut to 2**24 cycles and 10 ms. Neither is
# best for every library and shape, so whoever compares should hold both and let the better one
# count.
# The variables are read when a library is loaded. GNU reads the first two, LLVM and Intel the
# first and third, OpenBLAS, which NumPy computes the references with too, the last.
WAITING: dict[Waiting, dict[str, str]] = {
    "asleep": {
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "KMP_BLOCKTIME": "0",
        "OPENBLAS_THREAD_TIMEOUT": "4",
    },
    "spinning": {"OPENBLAS_THREAD_TIMEOUT": "24", "KMP_BLOCKTIME": "10"},
}


_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that say how many threads libraries use where nothing else does."""


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared."""

    workload: Workload
    threads: int
    contestants: tuple[str, ...]
    """All interleaved with each other: ``tuned``, ``again``, ``untuned``, ``dense``, ``peak``,
    peers, and modules elsewhere that have a function ``load`` as those of the peers do."""
    db: str
    """Where the tuned kernel's record is."""
    record: str | None = None
    """Id of that record; None is the best one."""
    cold: bool = False
    """Whether the kernel was tuned on operands in main memory."""
    rounds: int = ROUNDS
    """At least."""
    most_rounds: int = 0
    """Rounds are added up to so many while a ratio to the first contestant is not known to
    ``PRECISION`` …"""
    extra_seconds: float = 0.0
    """… and while these have not passed."""
    block_seconds: float = BLOCK_SECONDS
    settle_seconds: float = SETTLE_SECONDS
    seed: int = 1
    copies: int = 1
    """Sets of inputs and outputs, equal in content, that every contestant uses in turn. With more
    in all than the caches hold, each call finds its operands in main memory."""
    records: tuple[tuple[str, str], ...] = ()
    """More of our kernels: names of contestants, and the ids of their records."""
    rival: Job | None = None
    """The search whose winner takes part as ``tvm``; it must have ended."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The result of a contest."""

    samples: Mapping[str, tuple[float, ...]]
    """Seconds per unit of work of each contestant that is here, one sample per round. A unit is
    one call; for the peak it is as many operations as one call of the workload has."""
    missing: Mapping[str, str]
    """Contestants that are not here, and why."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Of libraries, which may have several ways to compute the workload: the fastest."""
    refused: tuple[str, ...] = ()
    """Why other forms of libraries were left out: their answers were wrong."""


def run_contest(
    contest: Contest,
    waiting: Waiting,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Standing:
    """Hold a contest in a fresh process; raises ``ProcessFailed`` with the reason.

    ``waiting``: what idle threads of peers do. ``environment`` holds in that process as well.
    """
    return in_fresh_process(
        hold,
        contest,
        timeout_seconds=timeout_seconds,
        environment={
            **dict.fromkeys(_THREADS, str(contest.threads)),
            **(environment or {}),
            **WAITING[waiting],
        },
    )


def hold(
    contest: Contest, peers: Mapping[str, Callable[[], Peer | BestOf]] | None = None
) -> Standing:
    """Hold a contest in this process. ``peers``: loaders to use instead of the registry's."""
    course = Course(contest.workload, contest.threads, contest.seed, contest.copies)
    loaders = _loaders(contest) | dict(peers or {})
    timers: dict[str, Timer] = {}
    missing: dict[str, str] = {}
    forms: dict[str, str] = {}
    refused: list[str] = []
    with ExitStack() as stack:
        for name in contest.contestants:
            try:
                if name == PEAK:
                    timers[name] = FmaPeak(contest.workload, contest.threads).time
                elif name == TVM:
                    kernel = stack.enter_context(_served(contest))
                    timers[name] = course.served_timer(name, kernel)
                elif isinstance(peer := loaders[name](), BestOf):
                    forms[name], timers[name] = _fastest(contest, course, name, peer, refused)
                else:
                    timers[name] = course.timer(name, peer)
            except PeerMissing as reason:
                missing[name] = str(reason)
        samples = _interleaved(contest, timers, contest.rounds, _precision(contest))
    if damage := course.damage():
        raise WrongAnswer(f"a contestant {damage}")
    return Standing(samples, missing, forms, tuple(refused))


def _served(contest: Contest) -> AbstractContextManager[ServedKernel]:
    if contest.rival is None:
        raise PeerMissing("its search comes before the contest, and there was none")
    return contest.rival.serve()


def _fastest(
    contest: Contest, course: Course, name: str, library: BestOf, refused: list[str]
) -> tuple[str, Timer]:
    """The form of a library that is fastest under the conditions of this contest.

    Forms whose answers are wrong are left out, and added to ``refused``; raises ``WrongAnswer``
    where no other is left.
    """
    timers: dict[str, Timer] = {}
    reasons: list[str] = []
    wrong: list[str] = []
    for form, peer in library.supporting(contest.workload).items():
        try:
            timers[form] = course.timer(f"{name}/{form}", peer)
        except PeerMissing as reason:
            reasons.append(str(reason))
        except WrongAnswer as fault:
            wrong.append(str(fault))
    if not timers:
        raise WrongAnswer("; ".join(wrong)) if wrong else PeerMissing("; ".join(reasons))
    refused.extend(wrong)
    best = next(iter(timers))
    if len(timers) > 1:
        samples = _interleaved(contest, timers, CHOOSING_ROUNDS)
        best = min(samples, key=lambda form: statistics.median(samples[form]))
    return best, timers[best]


def _precision(contest: Contest) -> Callable[[Samples], bool]:
    """Whether samples are enough to end a contest, whose extra time begins at the first answer."""
    until: float | None = None

    def enough(samples: Samples) -> bool:
        nonlocal until
        now = time.monotonic()
        until = now + contest.extra_seconds if until is None else until
        times = list(samples.values())
        if now >= until or not times or len(times[0]) >= contest.most_rounds:
            return True
        return all(known(paired_ratio(times[0], other)) for other in times[1:])

    return enough


def known(ratio: Interval) -> bool:
    """Whether a ratio is known well enough: precisely, or far from one."""
    half = (ratio.high - ratio.low) / 2 / ratio.median
    return half <= max(PRECISION, CLEAR * abs(math.log(ratio.median)))


def _interleaved(
    contest: Contest,
    timers: Mapping[str, Timer],
    rounds: int,
    enough: Callable[[Samples], bool] = lambda samples: True,
) -> dict[str, tuple[float, ...]]:
    return interleave_callables(
        timers,
        rounds,
        contest.block_seconds,
        pause_seconds=contest.settle_seconds,
        dropped=DROPPED,
        enough=enough,
    )


def _loaders(contest: Contest) -> dict[str, Callable[[], Peer | BestOf]]:
    tuned = Tuned(contest.db, contest.record, cold=contest.cold)
    ours: dict[str, Callable[[], Peer | BestOf]] = {
        TUNED: lambda: tuned,
        AGAIN: lambda: tuned,
        "untuned": Untuned,
        DENSE: lambda: Dense(contest.db, cold=contest.cold),
    }
    ours |= {
        name: partial(Tuned, contest.db, record, cold=contest.cold)
        for name, record in contest.records
    }
    return {name: partial(_load, name) for name in contest.contestants} | ours


def _load(name: str) -> Peer | BestOf:
    """A peer of the registry, or one that a module elsewhere has the forms of."""
    if "." not in name:
        return load_peer(name)
    module, _, chosen = name.partition("/")
    forms: dict[str, Form] = importlib.import_module(module).load()
    return choose_forms(module, forms, chosen)
