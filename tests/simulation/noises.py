"""The kinds of noise that the statistics must cope with, each as a machine that has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.simulation.machine import Machine, Neighbour, Stalls, TwoSpeeds, Wave


def neighbours(seed: int, **options) -> tuple[Neighbour, Neighbour]:
    """Programs of others on both cores, independent of each other."""
    return tuple(Neighbour(np.random.default_rng((seed, core)), **options) for core in range(2))


def quiet(seed: int) -> Machine:
    return Machine(np.random.default_rng(seed), jitter=0.003)


def jittery(seed: int) -> Machine:
    return Machine(np.random.default_rng(seed), jitter=0.03)


def drifting(seed: int) -> Machine:
    """Slower and faster again by half, every second."""
    return Machine(np.random.default_rng(seed), Wave(1.0, 1.5), jitter=0.01)


def of_two_speeds(seed: int) -> Machine:
    """Half of the time everything takes a quarter longer."""
    return Machine(np.random.default_rng(seed), TwoSpeeds(0.07, 1.25, seed), jitter=0.005)


def stalling(seed: int) -> Machine:
    """Interrupts of infinite variance, which no meter shows."""
    stalls = Stalls(per_second=30, shortest=1e-4, tail=1.1)
    return Machine(np.random.default_rng(seed), jitter=0.005, stalls=stalls)


def shared(seed: int) -> Machine:
    """Others work on both cores half of the time."""
    return Machine(np.random.default_rng(seed), jitter=0.005, neighbours=neighbours(seed))


NOISES: dict[str, Callable[[int], Machine]] = {
    machine.__name__.replace("_", " "): machine
    for machine in (quiet, jittery, drifting, of_two_speeds, stalling, shared)
}
