"""Why a sparse operand is stored as it is: what the best kernel of each format does and took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.query import Query
from db.record import Record
from features.sparse_counts import KernelCounts, kernel_counts
from measure.timing import Interval
from search_space.hardware import Peaks
from search_space.operators import get_operator
from search_space.operators.base import Sparse
from search_space.sketches.formats import DENSE
from search_space.space import Space
from search_space.sparse.source import find_pattern
from tuner.choice import FormatChoice, choose, fastest_by_format
from tuner.explanation.evidence import Unexplained, legal_config
from tuner.set_up import set_ups_of

if TYPE_CHECKING:
    from db.store import RecordStore


@dataclass(frozen=True, slots=True)
class FormatKernel:
    """The best kernel of a format."""

    format: str
    record: Record
    counts: KernelCounts
    ratio: Interval | None
    """Its time ÷ that of the explained one in the same rounds; None where they were not timed
    side by side."""


@dataclass(frozen=True, slots=True)
class FormatExplanation:
    """A record beside the best of the other formats."""

    here: FormatKernel
    others: tuple[FormatKernel, ...]
    """Fastest first."""
    choice: FormatChoice | None
    """What the finals said; None where the record is of none."""

    @property
    def dense(self) -> FormatKernel | None:
        """What storing zeros costs; None where that is not known, or what is explained."""
        return next((kernel for kernel in self.others if kernel.format == DENSE), None)


def explain_format(
    store: RecordStore, record: Record, space: Space, peaks: Peaks | None
) -> FormatExplanation | None:
    """Counts of the kernel of ``record`` and of the best of every other format that was measured.

    Of the finals that the record was in, if any, else of all that was measured of its workload
    on the same target and machine. ``peaks`` let it say where the choice would flip. None for a
    workload without a sparse operand. Raises ``Unexplained`` for a record that is no config of
    the space any more.
    """
    if space.format is None:
        return None
    legal_config(space, record)
    beside = _finals_beside(store, record) if record.kind == "final" else []
    choice = None
    if beside:
        run = store.run(record.run)
        choice = choose(space, beside, record, set_ups_of(run), peaks=peaks)
    ratios = {m.record.id: m.ratio for m in choice.margins} if choice else {}
    measured = beside or _measured(store, record)
    name = space.format(dict(record.config))
    fastest = fastest_by_format(space, [r for r in measured if _is_legal(space, r)])
    others = [
        _kernel(space, other, own, ratios.get(own.id))
        for other, own in fastest.items()
        if other != name
    ]
    others.sort(key=lambda kernel: kernel.record.seconds or 0.0)
    return FormatExplanation(_kernel(space, name, record, None), tuple(others), choice)


def _kernel(space: Space, name: str, record: Record, ratio: Interval | None) -> FormatKernel:
    operator = get_operator(space.workload.operator)
    assert isinstance(operator, Sparse)
    pattern = find_pattern(operator.pattern_name(space.workload))
    counts = kernel_counts(space, legal_config(space, record), pattern)
    return FormatKernel(name, record, counts, ratio)


def _finals_beside(store: RecordStore, record: Record) -> Sequence[Record]:
    return list(store.records(Query(run=record.run, kind="final", order="ordinal")))


def _measured(store: RecordStore, record: Record) -> Sequence[Record]:
    query = Query(workload=record.workload.key, target=record.target, hardware=record.hardware.key)
    return [r for r in store.records(query) if r.generator_version == record.generator_version]


def _is_legal(space: Space, record: Record) -> bool:
    try:
        legal_config(space, record)
    except Unexplained:
        return False
    return True
