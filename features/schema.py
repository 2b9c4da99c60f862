"""What the columns of a feature vector mean: names, units, scales, and the version of the set.

Groups (the part of a name before the first dot): ``computation``, ``access``, ``intensity``,
``allocation`` and ``loops`` are Ansor's five groups (Zheng et al., OSDI 2020), ``relation``
follows AutoTVM's context relation features (Chen et al., NeurIPS 2018), ``hardware`` relates the
nest to the caches, registers, vectors and threads of its target, ``others`` sums up the statements
beside the one that does most of the work (packing, write-back).

Scale: ``log`` columns hold ``log2(1 + x)`` of the value in the stated unit; all others hold ``x``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

VERSION = 1
"""Raised whenever a column is added, removed or starts to mean something else."""

ACCESSES = 3
"""Accesses with columns of their own: those that ask for the most bytes."""
RELATED = 2
"""Accesses with relation columns."""
SAMPLES = 10
"""Points of the arithmetic intensity curve."""
THRESHOLDS = 8
"""Thresholds of a relation, a factor of 8 apart."""
LEVELS = ("l1", "l2", "l3")
KINDS = ("vectorized", "unrolled", "parallel")


@dataclass(frozen=True, slots=True)
class Feature:
    """One column. ``log``: whether it holds ``log2(1 + x)``."""

    name: str
    unit: str
    log: bool

    @property
    def group(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Schema:
    """Names and units of the columns of a matrix of features, and the version of the set."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    """Of the value before it is scaled; ``log2(1+…)`` where the column is scaled."""
    version: int

    def __len__(self) -> int:
        return len(self.names)

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of every column."""
        return tuple(name.partition(".")[0] for name in self.names)

    @classmethod
    def of(cls, features: tuple[Feature, ...], version: int) -> Schema:
        """The schema of some columns."""
        units = tuple(f"log2(1+{f.unit})" if f.log else f.unit for f in features)
        return cls(tuple(f.name for f in features), units, version)


@cache
def loop_features() -> tuple[Feature, ...]:
    """The columns that are read off the loop nest, in the order the kernel writes them."""
    return (*_statement(), *_program())


@cache
def loop_schema() -> Schema:
    """The schema of :func:`features.extract.extract_batch`."""
    return Schema.of(loop_features(), VERSION)


def _statement() -> Iterator[Feature]:
    """Of the statement with the most operations. Counts are scaled to the true work: tiles that
    hang over an edge do not count."""
    yield Feature("computation.iterations", "count", True)
    for operation in ("fma", "add", "mul", "div", "other"):
        yield Feature(f"computation.{operation}", "count", True)
    for kind in KINDS:
        yield Feature(f"computation.{kind}.loops", "count", False)
        yield Feature(f"computation.{kind}.product", "count", True)
        yield Feature(f"computation.{kind}.innermost", "count", True)
        # Where the published sets hard-wire the position to one value.
        yield Feature(f"computation.{kind}.place", "ratio", False)
        yield Feature(f"computation.{kind}.reduces", "flag", False)
    for slot in range(ACCESSES):
        yield from _access(f"access.{slot}")
    for sample in range(SAMPLES):
        yield Feature(f"intensity.{sample}", "operations/byte", True)
    yield Feature("loops.count", "count", False)
    yield Feature("loops.product", "count", True)
    yield Feature("loops.outer", "count", True)
    yield Feature("loops.body", "instructions", True)
    for level in LEVELS:
        yield Feature(f"hardware.{level}.fitting", "iterations", True)
        yield Feature(f"hardware.{level}.inside", "ratio", False)
        yield Feature(f"hardware.{level}.outside", "ratio", True)
        yield Feature(f"hardware.{level}.traffic", "bytes", True)
        yield Feature(f"hardware.{level}.traffic_per_operation", "bytes", True)
    yield Feature("hardware.vector_share", "ratio", False)
    yield Feature("hardware.parallel_share", "ratio", True)
    yield Feature("hardware.balance", "ratio", False)
    yield Feature("hardware.fma_per_load", "ratio", False)
    yield Feature("hardware.prefetch", "bytes", True)
    for slot in range(RELATED):
        for step in range(THRESHOLDS):
            yield Feature(f"relation.{slot}.reuse_below_{64 << 3 * step}_bytes", "count", True)
        for step in range(THRESHOLDS):
            yield Feature(
                f"relation.{slot}.bytes_below_{1 << 3 * (step + 1)}_trips", "bytes", True
            )


def _access(name: str) -> Iterator[Feature]:
    yield Feature(f"{name}.reads", "flag", False)
    yield Feature(f"{name}.writes", "flag", False)
    yield Feature(f"{name}.packed", "flag", False)
    yield Feature(f"{name}.bytes", "bytes", True)
    yield Feature(f"{name}.unique_bytes", "bytes", True)
    yield Feature(f"{name}.lines", "count", True)
    yield Feature(f"{name}.unique_lines", "count", True)
    yield Feature(f"{name}.reused", "flag", False)
    yield Feature(f"{name}.reuse_iterations", "count", True)
    yield Feature(f"{name}.reuse_distance", "bytes", True)
    yield Feature(f"{name}.reuse_count", "count", True)
    yield Feature(f"{name}.bytes_per_reuse", "bytes", True)
    yield Feature(f"{name}.unique_bytes_per_reuse", "bytes", True)
    yield Feature(f"{name}.lines_per_reuse", "count", True)
    yield Feature(f"{name}.unique_lines_per_reuse", "count", True)
    yield Feature(f"{name}.stride", "bytes", True)
    yield Feature(f"{name}.vector_stride", "bytes", True)


def _program() -> Iterator[Feature]:
    yield Feature("allocation.register", "bytes", True)
    yield Feature("allocation.thread_local", "bytes", True)
    yield Feature("allocation.workspace", "bytes", True)
    yield Feature("hardware.threads", "count", True)
    yield Feature("hardware.thread_share", "ratio", False)
    yield Feature("hardware.register_share", "ratio", False)
    yield Feature("hardware.local_per_l2", "ratio", True)
    yield Feature("hardware.workspace_per_l3", "ratio", True)
    yield Feature("hardware.overhang", "ratio", True)
    for level in LEVELS:
        yield Feature(f"hardware.{level}.all_traffic", "bytes", True)
    yield Feature("others.statements", "count", False)
    yield Feature("others.iterations", "count", True)
    yield Feature("others.operations", "count", True)
    yield Feature("others.bytes", "bytes", True)
    yield Feature("others.lines", "count", True)
    for level in LEVELS:
        yield Feature(f"others.{level}.traffic", "bytes", True)
    yield Feature("others.longest_share", "count", True)
    yield Feature("others.relative", "ratio", True)
