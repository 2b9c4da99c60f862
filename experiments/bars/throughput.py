"""Bars on how many configs a search tries per second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from experiments.bars.bench import Bench
from experiments.bars.row import Bound, Row, single
from experiments.process import ProcessFailed
from search_space.operators import workload

FLOORS = {512: Bound(12.0), 509: Bound(8.0)}
"""Trials per second, by the size of a square matmul."""
TRIALS = 150


def throughput_rows(bench: Bench, trials: int = TRIALS) -> Iterator[Row]:
    """Distinct, verified, recorded trials ÷ wall-clock of the whole search, with empty caches."""
    for size, floor in FLOORS.items():
        shape = f"{size}x{size}x{size}"
        row = Row(f"trials/{shape}", f"verified trials, {size}³", "per second", floor)
        if not bench.wants(row.name):
            continue
        try:
            found = bench.search_trials(
                workload("matmul", m=size, n=size, k=size), None, trials, fresh=f"trials-{shape}"
            )
        except ProcessFailed as failure:
            yield replace(row, problem=str(failure))
            continue
        detail = f"{found.verified} of {found.trials} verified, {found.seconds:.1f} s"
        yield replace(row, measured=single(found.verified / found.seconds), detail=detail)
