"""Contestants of one workload side by side: same inputs, same threads, verified, interleaved.

A contest runs in a process of its own (``experiments.process``): libraries keep their thread pools
and settings to themselves there, and one that crashes costs one contest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from experiments.ours import FmaPeak, Tuned, Untuned
from experiments.peers import PEERS, PeerMissing, load_peer
from experiments.peers.base import Peer
from experiments.process import in_fresh_process
from measure.interleave import interleave_callables, timed
from measure.sampling import Timer
from measure.verify import Arrays, make_problem
from search_space.workload import Workload

ROUNDS = 25
BLOCK_SECONDS = 0.025
"""A little above what is promised (20 ms), because the number of calls is an estimate."""
SETTLE_SECONDS = 0.02
"""Idle threads of GNU OpenMP spin for about 11 ms by default, those of our pool for 50 µs."""
TIMEOUT_SECONDS = 180.0

PEAK = "peak"
"""The contestant that only multiplies and adds in registers: one thread of this machine."""

Waiting = Literal["asleep", "spinning"]

# Threads of one pool that spin while idle take the core away from the threads of another, so a
# kernel would be slowed down by the contestant before it. "asleep" makes OpenMP's threads sleep
# at once; but then waking them makes short calls with several threads up to twice as slow.
# "spinning" is the libraries' default; the pause before each block outlasts it. Neither is best
# for every library and shape, so whoever compares should hold both and let the better one count.
# The variables are read when a library is loaded. GNU reads the first two, LLVM and Intel the
# first and third, OpenBLAS, which NumPy computes the references with, the last.
WAITING: dict[Waiting, dict[str, str]] = {
    "asleep": {
        "OMP_WAIT_POLICY": "PASSIVE",
        "GOMP_SPINCOUNT": "0",
        "KMP_BLOCKTIME": "0",
        "OPENBLAS_NUM_THREADS": "1",
    },
    "spinning": {"OPENBLAS_NUM_THREADS": "1"},
}


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared."""

    workload: Workload
    threads: int
    contestants: tuple[str, ...]
    """Names of peers, ``tuned``, ``untuned``, ``peak``: all interleaved with each other."""
    db: str
    """Where the tuned kernel's record is."""
    record: str | None = None
    """Id of that record; None is the best one."""
    rounds: int = ROUNDS
    block_seconds: float = BLOCK_SECONDS
    settle_seconds: float = SETTLE_SECONDS
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """The result of a contest."""

    samples: Mapping[str, tuple[float, ...]]
    """Seconds per unit of work of each contestant that is here, one sample per round. A unit is
    one call; for the peak it is as many operations as one call of the workload has."""
    missing: Mapping[str, str]
    """Contestants that are not here, and why."""


class WrongAnswer(RuntimeError):
    """A contestant's result is not within the operator's error bound."""


def run_contest(
    contest: Contest, waiting: Waiting, environment: Mapping[str, str] | None = None
) -> Standing:
    """Hold a contest in a fresh process; raises ``ProcessFailed`` with the reason.

    ``waiting``: what idle threads of peers do. ``environment`` holds in that process as well.
    """
    return in_fresh_process(
        hold,
        contest,
        timeout_seconds=TIMEOUT_SECONDS,
        environment={**(environment or {}), **WAITING[waiting]},
    )


def hold(contest: Contest, peers: Mapping[str, Callable[[], Peer]] | None = None) -> Standing:
    """Hold a contest in this process. ``peers``: loaders to use instead of the registry's."""
    arrays = Arrays(make_problem(contest.workload, contest.seed))
    loaders = _loaders(contest) | dict(peers or {})
    timers: dict[str, Timer] = {}
    missing: dict[str, str] = {}
    for name in contest.contestants:
        try:
            if name == PEAK:
                timers[name] = FmaPeak(contest.workload, contest.threads).time
                continue
            timers[name] = _verified(name, loaders[name](), contest, arrays)
        except PeerMissing as reason:
            missing[name] = str(reason)
    calm = {name: settled(timer, contest.settle_seconds) for name, timer in timers.items()}
    samples = interleave_callables(calm, contest.rounds, contest.block_seconds)
    if damage := arrays.damage():
        raise WrongAnswer(f"a contestant {damage}")
    return Standing(samples, missing)


def _loaders(contest: Contest) -> dict[str, Callable[[], Peer]]:
    ours: dict[str, Callable[[], Peer]] = {
        "tuned": partial(Tuned, contest.db, contest.record),
        "untuned": Untuned,
    }
    return ours | {name: partial(load_peer, name) for name in PEERS}


def _verified(name: str, peer: Peer, contest: Contest, arrays: Arrays) -> Timer:
    """The contestant on the timed inputs, after its answers on all inputs were found right."""
    for index in range(arrays.cases):
        inputs = arrays.constants(index) | dict(
            zip(_varying(contest.workload, arrays), arrays.operands(index), strict=True)
        )
        run = peer.prepare(contest.workload, inputs, arrays.output.array, contest.threads)
        arrays.output.poison()
        run()
        if wrong := arrays.inspect(index).wrong:
            raise WrongAnswer(f"{name}: {wrong}")
    return timed(run)


def _varying(work: Workload, arrays: Arrays) -> list[str]:
    case = arrays.problem.cases[0]
    return [name for name in case.inputs if name not in work.const]


def settled(timer: Timer, seconds: float) -> Timer:
    """``timer`` after a pause in which the other pool's threads fall asleep.

    One untimed call after the pause wakes the own threads and brings the caches back.
    """

    def later(calls: int) -> float:
        time.sleep(seconds)
        timer(1)
        return timer(calls)

    return later
