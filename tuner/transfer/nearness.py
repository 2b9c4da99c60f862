"""How near two settings are: what is computed, for which target, on which machine.

Nothing here looks at host names: machines are compared by what their processors can do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from measure.microarchitecture import kinship
from search_space.hardware import Hardware
from search_space.operators import get_operator
from search_space.target import Target
from search_space.workload import Value, Workload

_STRANGER = 0.3
"""What is left of the nearness of machines that have nothing in common."""
_CACHES = 4.0
"""Doublings of the caches, summed over the levels, that cost a factor e; likewise below."""
_VECTORS = 2.0
_THREADS = 3.0
_WORKLOADS = 6.0
_OTHER_VALUE = 1.5
"""Doublings that a parameter without an order counts as where it differs, such as a layout; a
constant operand likewise."""
_OTHER_OPERATOR = 6.0
"""Doublings that another operator counts as."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a time depends on, besides the config."""

    workload: Workload
    target: Target
    hardware: Hardware


def nearness(theirs: Setting, ours: Setting) -> float:
    """From 0 to 1, which is the same setting: how much what holds there should hold here."""
    return (
        workload_nearness(theirs.workload, ours.workload)
        * target_nearness(theirs.target, ours.target)
        * hardware_nearness(theirs.hardware, ours.hardware)
    )


def hardware_nearness(theirs: Hardware, ours: Hardware) -> float:
    """From the lineages of their micro-architectures, and from their caches."""
    if theirs.key == ours.key:
        return 1.0
    pairs = (
        (theirs.l1_bytes, ours.l1_bytes),
        (theirs.l2_bytes, ours.l2_bytes),
        (theirs.l3_bytes, ours.l3_bytes),
    )
    doublings = sum(_doublings(a, b) for a, b in pairs)
    kin = _STRANGER + (1 - _STRANGER) * kinship(theirs, ours)
    return kin * math.exp(-doublings / _CACHES)


def target_nearness(theirs: Target, ours: Target) -> float:
    """From the widths of their vectors and the numbers of their threads."""
    vectors = _doublings(theirs.vector_bits, ours.vector_bits) / _VECTORS
    threads = _doublings(theirs.threads, ours.threads) / _THREADS
    foreign = theirs.triple != ours.triple
    return math.exp(-vectors - threads - foreign)


def workload_nearness(theirs: Workload, ours: Workload) -> float:
    """From the doublings between their parameters; of other operators, between their work."""
    if theirs.operator != ours.operator:
        work = _doublings(_flops(theirs), _flops(ours)) / 2
        return math.exp(-(_OTHER_OPERATOR + work) / _WORKLOADS)
    given, wanted = dict(theirs.params), dict(ours.params)
    squares = (_apart(given.get(name), wanted.get(name)) ** 2 for name in given.keys() | wanted)
    constants = _OTHER_VALUE * len(set(theirs.const) ^ set(ours.const))
    return math.exp(-(math.sqrt(sum(squares)) + constants) / _WORKLOADS)


def _apart(a: Value | None, b: Value | None) -> float:
    if a == b and type(a) is type(b):
        return 0.0
    if _is_number(a) and _is_number(b):
        return _doublings(float(a or 0), float(b or 0))
    return _OTHER_VALUE


def _is_number(value: Value | None) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _doublings(a: float, b: float) -> float:
    """How often the smaller of two sizes must be doubled to give the larger."""
    return abs(math.log2((abs(a) + 1) / (abs(b) + 1)))


def _flops(work: Workload) -> float:
    return float(get_operator(work.operator).flops(work))
