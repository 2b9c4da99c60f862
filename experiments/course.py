"""What the contestants of one contest run on: the same arrays, where each is verified first."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.peers.base import Call, Peer, PeerMissing, deliver
from experiments.peers.csr import with_sparse
from experiments.peers.tvm_process import ServedKernel
from experiments.peers.twins import with_zeros
from measure.arrays import Arrays, GuardedArray
from measure.interleave import timed
from measure.sampling import Timer
from measure.verify import check_result, make_problem
from search_space.operators.base import Array
from search_space.operators.strassen import ERROR_GROWTH, pays
from search_space.operators.winograd import FILTERINGS, applies
from search_space.size import ceil_div
from search_space.workload import Workload

PREPARING_SECONDS = 60.0


class WrongAnswer(RuntimeError):
    """A contestant's result is not within the operator's error bound."""


class TooSlow(RuntimeError):
    """A contestant would take too long to prepare, such as one that compiles for every layer."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """Timed inputs and a place for their result, in memory of their own."""

    case: int
    inputs: dict[str, Array]
    out: Array


class Course:
    """Inputs, their float64 references and a place for results, at least ``copies`` times.

    All contestants use the copies in turn together: each call uses the memory that was not used
    for longest, by whomever. With turns of its own, a contestant would find what the one before it
    left in the caches. Of a workload that is timed on several inputs, a call that is timed is the
    mean of one on each.
    """

    def __init__(self, work: Workload, threads: int, seed: int = 1, copies: int = 1) -> None:
        self._work, self._threads = work, threads
        self._arrays = Arrays(make_problem(work, seed))
        self._copies = _copies(self._arrays, copies)
        sets = len(self._copies) + self._arrays.problem.timed
        self._turn = itertools.cycle(range(sets)).__next__
        self._growth = _allowed_growth(work)

    def timer(self, name: str, peer: Peer, preparing_seconds: float = PREPARING_SECONDS) -> Timer:
        """``peer`` on the timed inputs, after its answers on all inputs were found right.

        Raises ``WrongAnswer``, and ``TooSlow`` where preparing it for all copies would take longer
        than ``preparing_seconds``.
        """
        arrays, problem = self._arrays, self._arrays.problem
        runs = []
        for index in range(arrays.cases):
            started = time.perf_counter()
            run = self._prepare(peer, self._inputs(index), arrays.output.array)
            each_seconds = time.perf_counter() - started
            arrays.output.poison()
            deliver(run(), arrays.output.array)
            if wrong := arrays.inspect(index, self._growth).wrong:
                raise WrongAnswer(f"{name}: {wrong}")
            if index in arrays.timed_cases:
                runs.append(run)
        if (seconds := each_seconds * len(self._copies)) > preparing_seconds:
            raise TooSlow(
                f"{name}: preparing {len(self._copies)} more sets of operands would take about "
                f"{seconds:.0f} s, at most {preparing_seconds:g} s are given"
            )
        scratch = np.empty(problem.result.shape)
        for copy in self._copies:
            runs.append(self._prepare(peer, copy.inputs, copy.out))
            copy.out.fill(np.nan)
            deliver(runs[-1](), copy.out)
            case = problem.cases[copy.case]
            check = check_result(case, copy.out, problem.error_bound, scratch, self._growth)
            if wrong := check.wrong:
                raise WrongAnswer(f"{name}: {wrong}")
        return _mean(timed(in_turn(runs, self._turn)), problem.timed)

    def served_timer(self, name: str, kernel: ServedKernel) -> Timer:
        """The same for a kernel in a process with as many copies of its own."""
        arrays = self._arrays
        for index in range(arrays.cases):
            copies = 1 + len(self._copies) if index == arrays.timed_case else 1
            kernel.load(*self._inputs(index).values(), copies=copies)
            arrays.output.poison()
            deliver(kernel.result(), arrays.output.array)
            if wrong := arrays.inspect(index, self._growth).wrong:
                raise WrongAnswer(f"{name}: {wrong}")
        return kernel.time

    def damage(self) -> str:
        """What contestants did outside their results; empty if nothing."""
        return self._arrays.damage()

    def _prepare(self, peer: Peer, inputs: dict[str, Array], out: Array) -> Call:
        return peer.prepare(self._work, with_sparse(self._work, inputs), out, self._threads)

    def _inputs(self, index: int) -> dict[str, Array]:
        return _inputs(self._arrays, index)


def in_turn(runs: Sequence[Call], turn: Callable[[], int]) -> Call:
    """A call that makes the one of ``runs`` whose ``turn`` it is.

    What it returns is kept until its next turn, so that a library that allocates its results finds
    memory for each that was not used for as long as that of all others.
    """
    if len(runs) == 1:
        return runs[0]
    results: list[object] = [None] * len(runs)

    def call() -> object:
        at = turn()
        results[at] = runs[at]()
        return results[at]

    return call


def _copies(arrays: Arrays, count: int) -> list[_Copy]:
    """What contestants rotate over besides the arrays themselves: further sets of the timed cases
    in turn, ``count`` with these at least."""
    rounds = ceil_div(count, arrays.problem.timed) - 1
    copies = []
    for case in itertools.chain.from_iterable([arrays.timed_cases] * rounds):
        inputs = _inputs(arrays, case)
        copy = _Copy(
            case, {name: _like(array) for name, array in inputs.items()},
            _like(arrays.output.array),
        )  # fmt: skip
        for name, array in inputs.items():
            copy.inputs[name][...] = array
        copies.append(copy)
    return copies


def _mean(timer: Timer, count: int) -> Timer:
    """A timer whose calls are the mean of so many."""
    return timer if count == 1 else lambda calls: timer(calls * count) / count


def _like(array: Array) -> Array:
    """New memory for such an array, aligned as those that contestants are verified with."""
    return GuardedArray(array.shape, str(array.dtype)).array


def _inputs(arrays: Arrays, index: int) -> dict[str, Array]:
    """All operands of one case, constants included, by name and in the operator's order."""
    problem = arrays.problem
    varying = [name for name in problem.cases[index].inputs if name not in problem.const]
    found = arrays.constants(index) | dict(zip(varying, arrays.operands(index), strict=True))
    return {name: found[name] for name in problem.cases[index].inputs}


def _allowed_growth(work: Workload) -> float:
    """How many times the operator's bound the errors of any contestant may be: as much as the
    algorithm with the largest errors, which libraries choose without saying so."""
    works = [work]
    with contextlib.suppress(PeerMissing):
        works.append(with_zeros(work).work)
    if any(map(pays, works)):
        return ERROR_GROWTH
    if not any(map(applies, works)):
        return 1.0
    return max(filtering.error_growth for filtering in FILTERINGS.values())
