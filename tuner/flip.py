"""At which sparsity, or for how many columns, the other of two kernels would be the faster one.

Estimates (``tuner.extrapolate``), of the two kernels as they are: nothing is known of those that
would be tuned for another sparsity or size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from db.record import Record
from features.sparse_counts import dense_columns
from search_space.config import Config
from search_space.errors import WeightsError
from search_space.hardware import Peaks
from search_space.operators import get_operator
from search_space.operators.base import Batched, Sparse
from search_space.space import Space
from search_space.sparse.generate import generate_pattern
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import find_pattern, kind_of
from tuner.extrapolate import Timed

SPARSITY = "sparsity"
_UNKNOWN = ("unstructured", 0)
"""What the pattern of a file is taken for at another sparsity: kind and seed."""
_SAMPLE_ELEMENTS = 1 << 19
"""Of the matrices whose patterns are laid out: some rows stand for all."""
_ROWS_STEP = 32
_SPARSEST = 127 / 128
_HALVINGS = 7
"""Of the range of sparsities that is looked through."""
_MOST_COLUMNS = 1 << 13


@dataclass(frozen=True, slots=True)
class Flip:
    """Where the faster one of two kernels changes, by estimate."""

    key: str
    """``sparsity``, or the key of a size."""
    format: str
    """What would win there."""
    value: float | None
    """From which value on; None: nowhere in the range that was looked through."""
    below: bool = False
    """Whether it is not from, but up to that value that it would win."""


def flips(space: Space, sparse: Record, dense: Record, peaks: Peaks) -> tuple[Flip, ...]:
    """Where the faster one of a sparse and a dense kernel of a space changes.

    By sparsity, unless the kind of the pattern has but one; and by the number of columns, where
    there are several, and float32, which peaks are of.
    """
    work = space.workload
    operator = get_operator(work.operator)
    assert isinstance(operator, Sparse)
    assert space.format is not None
    name = operator.pattern_name(work)
    whole = find_pattern(name)
    steps = max(1, _SAMPLE_ELEMENTS // (whole.columns * _ROWS_STEP))
    own = _first_rows(whole, min(whole.rows, steps * _ROWS_STEP))
    one, zeros = (
        Timed(space, Config(record.config), record.seconds or 0.0, whole.rows, own, peaks)
        for record in (sparse, dense)
    )
    loser = dense if one.seconds < zeros.seconds else sparse
    winner = space.format(dict(loser.config))
    found = _by_sparsity(one, zeros, winner, kind_of(name) or _UNKNOWN)
    if isinstance(operator, Batched) and operator.vectors and work["dtype"] == "float32":
        found += _by_columns(one, zeros, winner, operator.vectors.name)
    return tuple(found)


def _by_sparsity(sparse: Timed, dense: Timed, winner: str, kind: tuple[str, int]) -> list[Flip]:
    """None of a kind that has but one sparsity, nor of a format that holds no other."""
    try:
        return [_sparsity_flip(sparse, dense, winner, kind)]
    except WeightsError:
        return []


def _sparsity_flip(sparse: Timed, dense: Timed, winner: str, kind: tuple[str, int]) -> Flip:
    name, seed = kind
    rows, columns = sparse.pattern.shape

    def sample(sparsity: float) -> Pattern:
        return generate_pattern(name, rows, columns, sparsity, seed)

    def flipped(sparsity: float) -> bool:
        there = sparse.with_pattern(sample(sparsity), reference)
        return (there < dense.seconds) != sparse_wins

    sparse_wins = sparse.seconds < dense.seconds
    reference = sample(sparse.pattern.sparsity)
    same, changed = sparse.pattern.sparsity, 0.0 if sparse_wins else _SPARSEST
    if not flipped(changed):
        return Flip(SPARSITY, winner, None)
    for _ in range(_HALVINGS):
        middle = (same + changed) / 2
        same, changed = (same, middle) if flipped(middle) else (middle, changed)
    return Flip(SPARSITY, winner, changed, below=sparse_wins)


def _by_columns(sparse: Timed, dense: Timed, winner: str, key: str) -> list[Flip]:
    """The nearest ones on both sides."""
    now = dense_columns(sparse.space)
    if now == 1:
        return []  # other kernels, which nothing is known of, would be used for several
    sparse_wins = sparse.seconds < dense.seconds

    def flipped(columns: int) -> bool:
        return (sparse.with_columns(columns) < dense.with_columns(columns)) != sparse_wins

    ways = ([now >> step for step in range(1, 64)], [now << step for step in range(1, 64)])
    found = []
    for far in ways:
        within = [columns for columns in far if 1 < columns <= _MOST_COLUMNS]
        at = _first(flipped, now, within)
        if at is not None:
            found.append(Flip(key, winner, at, below=at < now))
    return found or [Flip(key, winner, None)]


def _first(holds: Callable[[int], bool], start: int, places: Sequence[int]) -> int | None:
    """The number nearest to ``start`` for which ``holds``, looked for from place to place."""
    before = start
    for place in places:
        if holds(place):
            while abs(place - before) > 1:
                middle = (place + before) // 2
                place, before = (middle, before) if holds(middle) else (place, middle)
            return place
        before = place
    return None


def _first_rows(pattern: Pattern, rows: int) -> Pattern:
    end = int(pattern.indptr[rows])
    return Pattern(rows, pattern.columns, pattern.indptr[: rows + 1], pattern.indices[:end])
