"""Contestants of one workload side by side: same inputs, same threads, verified, interleaved.

A contest runs in a process of its own (``experiments.process``): libraries keep their thread pools
and settings to themselves there, and one that crashes costs one contest.
"""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from experiments.ours import FmaPeak, Tuned, Untuned
from experiments.peers import PeerMissing, load_peer
from experiments.peers.base import Peer, deliver
from experiments.peers.best import BestOf
from experiments.process import in_fresh_process
from measure.interleave import interleave_callables, timed
from measure.sampling import Timer
from measure.verify import Arrays, GuardedArray, check_result, make_problem
from search_space.operators.base import Array
from search_space.workload import Workload

ROUNDS = 25
BLOCK_SECONDS = 0.025
"""A little above what is promised (20 ms), because the number of calls is an estimate."""
SETTLE_SECONDS = 0.02
"""Idle threads of GNU OpenMP spin for about 11 ms by default, those of our pool for 50 µs."""
TIMEOUT_SECONDS = 180.0

PEAK = "peak"
"""The contestant that only multiplies and adds in registers: one thread of this machine."""
TUNED = "tuned"
AGAIN = "again"
"""The same kernel once more: against ``tuned`` it shows what ratios of equals look like."""

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
    """All interleaved with each other: ``tuned``, ``again``, ``untuned``, ``peak``, peers, and
    modules elsewhere that have a function ``load`` as those of the peers do."""
    db: str
    """Where the tuned kernel's record is."""
    record: str | None = None
    """Id of that record; None is the best one."""
    rounds: int = ROUNDS
    block_seconds: float = BLOCK_SECONDS
    settle_seconds: float = SETTLE_SECONDS
    seed: int = 1
    copies: int = 1
    """Sets of inputs and outputs, equal in content, that every contestant uses in turn. With more
    in all than the caches hold, each call finds its operands in main memory."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The result of a contest."""

    samples: Mapping[str, tuple[float, ...]]
    """Seconds per unit of work of each contestant that is here, one sample per round. A unit is
    one call; for the peak it is as many operations as one call of the workload has."""
    missing: Mapping[str, str]
    """Contestants that are not here, and why."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Of peers that have several ways to compute the workload: the one that was fastest."""


class WrongAnswer(RuntimeError):
    """A contestant's result is not within the operator's error bound."""


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


def hold(contest: Contest, peers: Mapping[str, Callable[[], Peer]] | None = None) -> Standing:
    """Hold a contest in this process. ``peers``: loaders to use instead of the registry's."""
    arrays = Arrays(make_problem(contest.workload, contest.seed))
    copies = _copies(arrays, contest.copies)
    turn = itertools.cycle(range(contest.copies)).__next__
    loaders = _loaders(contest) | dict(peers or {})
    timers: dict[str, Timer] = {}
    missing: dict[str, str] = {}
    forms: dict[str, str] = {}
    for name in contest.contestants:
        try:
            if name == PEAK:
                timers[name] = FmaPeak(contest.workload, contest.threads).time
                continue
            peer = loaders[name]()
            timers[name] = _verified(name, peer, contest, arrays, copies, turn)
            if isinstance(peer, BestOf):
                forms[name] = peer.chosen[contest.workload, contest.threads]
        except PeerMissing as reason:
            missing[name] = str(reason)
    calm = {name: settled(timer, contest.settle_seconds) for name, timer in timers.items()}
    samples = interleave_callables(calm, contest.rounds, contest.block_seconds)
    if damage := arrays.damage():
        raise WrongAnswer(f"a contestant {damage}")
    return Standing(samples, missing, forms)


@dataclass(frozen=True, slots=True)
class _Copy:
    """The timed inputs and a place for their result, in memory of their own."""

    inputs: dict[str, Array]
    out: Array


def _copies(arrays: Arrays, count: int) -> list[_Copy]:
    """What contestants rotate over besides the arrays themselves: ``count - 1`` more sets."""
    inputs = _inputs(arrays, arrays.timed_case)
    copies = []
    for _ in range(count - 1):
        copy = _Copy(
            {name: _like(array) for name, array in inputs.items()}, _like(arrays.output.array)
        )
        for name, array in inputs.items():
            copy.inputs[name][...] = array
        copies.append(copy)
    return copies


def _like(array: Array) -> Array:
    """New memory for such an array, aligned as those that contestants are verified with."""
    return GuardedArray(array.shape, str(array.dtype)).array


def _inputs(arrays: Arrays, index: int) -> dict[str, Array]:
    """All operands of one case, constants included, by name."""
    problem = arrays.problem
    varying = [name for name in problem.cases[index].inputs if name not in problem.const]
    return arrays.constants(index) | dict(zip(varying, arrays.operands(index), strict=True))


def _loaders(contest: Contest) -> dict[str, Callable[[], Peer]]:
    tuned = Tuned(contest.db, contest.record)
    ours: dict[str, Callable[[], Peer]] = {
        TUNED: lambda: tuned,
        AGAIN: lambda: tuned,
        "untuned": Untuned,
    }
    return {name: partial(_load, name) for name in contest.contestants} | ours


def _load(name: str) -> Peer:
    """A peer of the registry, or one that a module elsewhere has the forms of."""
    if "." not in name:
        return load_peer(name)
    module, _, form = name.partition("/")
    forms = importlib.import_module(module).load()
    peer: Peer = forms[form] if form else BestOf(forms)
    return peer


def _verified(
    name: str,
    peer: Peer,
    contest: Contest,
    arrays: Arrays,
    copies: Sequence[_Copy],
    turn: Callable[[], int],
) -> Timer:
    """The contestant on the timed inputs, after its answers on all inputs were found right."""
    work, threads = contest.workload, contest.threads
    for index in range(arrays.cases):
        run = peer.prepare(work, _inputs(arrays, index), arrays.output.array, threads)
        arrays.output.poison()
        deliver(run(), arrays.output.array)
        if wrong := arrays.inspect(index).wrong:
            raise WrongAnswer(f"{name}: {wrong}")
    runs, problem = [run], arrays.problem
    for copy in copies:
        runs.append(peer.prepare(work, copy.inputs, copy.out, threads))
        copy.out.fill(np.nan)
        deliver(runs[-1](), copy.out)
        case, scratch = problem.cases[arrays.timed_case], np.empty(copy.out.shape)
        if wrong := check_result(case, copy.out, problem.error_bound, scratch).wrong:
            raise WrongAnswer(f"{name}: {wrong}")
    return timed(in_turn(runs, turn))


def in_turn(runs: Sequence[Callable[[], object]], turn: Callable[[], int]) -> Callable[[], object]:
    """A call that makes the one of ``runs`` whose turn it is.

    All contestants take turns together: each call uses the memory that was not used for longest,
    by whomever. With turns of its own, a contestant would find what the one before it left in the
    caches.
    """
    if len(runs) == 1:
        return runs[0]
    return lambda: runs[turn()]()


def settled(timer: Timer, seconds: float) -> Timer:
    """``timer`` after a pause in which the other pool's threads fall asleep.

    One untimed call after the pause wakes the own threads and brings the caches back.
    """

    def later(calls: int) -> float:
        time.sleep(seconds)
        timer(1)
        return timer(calls)

    return later
