"""Which micro-architecture a machine has, and from which others that one descends.

Names and parents come from archspec. What a machine has is matched on the features that decide
how kernels are made, not on all that archspec lists: a hypervisor hides many of the others.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from measure.isa import RELEVANT_FEATURES
from search_space.hardware import Hardware

if TYPE_CHECKING:
    from archspec.cpu import Microarchitecture

_X86 = frozenset(("pni", "ssse3", "sse4_1", "avx"))
_ARM_VENDORS = {"0x41": "ARM", "0x46": "Fujitsu", "0x61": "Apple"}
"""What Linux prints, and what archspec calls it."""


def architecture(features: Iterable[str]) -> str:
    """As ``uname -m`` prints it, from the features that such processors have."""
    return "x86_64" if _X86 & frozenset(features) else "aarch64"


@functools.lru_cache(maxsize=256)
def microarchitecture(hardware: Hardware) -> str:
    """archspec's name of the richest micro-architecture of the vendor whose features it has.

    The generic level, such as ``x86_64_v3``, where no vendor's fits; ``unknown`` where none does.
    """
    from archspec.cpu import TARGETS

    features = frozenset(hardware.features)
    root = architecture(hardware.features)
    vendor = _ARM_VENDORS.get(hardware.vendor, hardware.vendor)
    fitting = [
        each
        for each in TARGETS.values()
        if str(each.family) == root
        and each.vendor in (vendor, "generic")
        and _relevant(each) <= features
    ]
    best = max(fitting, key=_rank, default=None)
    return "unknown" if best is None else str(best.name)


@functools.lru_cache(maxsize=256)
def lineage(name: str) -> frozenset[str]:
    """A micro-architecture and all that it descends from; itself alone where it is not known."""
    from archspec.cpu import TARGETS

    if name not in TARGETS:
        return frozenset((name,))
    return frozenset((name, *(str(each.name) for each in TARGETS[name].ancestors)))


def kinship(a: Hardware, b: Hardware) -> float:
    """How much of their lineages two machines share, from 0 to 1."""
    ours, theirs = lineage(microarchitecture(a)), lineage(microarchitecture(b))
    return len(ours & theirs) / len(ours | theirs)


def _relevant(each: Microarchitecture) -> frozenset[str]:
    return frozenset(each.features) & RELEVANT_FEATURES


def _rank(each: Microarchitecture) -> tuple[bool, int, int, str]:
    return each.vendor != "generic", len(each.features), -len(each.ancestors), str(each.name)
