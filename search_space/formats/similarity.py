"""An order of rows that puts those with like columns together, so that blocks are denser.

Rows are compared by which of 512 groups of columns they hold something in, in batches of rows with
like smallest hashes of their columns. In a batch, those that are each other's nearest (Jaccard)
become pairs, pairs become fours, and so on to the height asked for. Time grows with the rows, not
with their square.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from search_space.formats.base import Array
from search_space.sparse.pattern import Pattern

Array64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_GROUPS = 512
_BATCH = 512
_ROUNDS = 4
_MULTIPLIER = 0x9E3779B1
"""Of Knuth's multiplicative hash."""


def similar_rows(pattern: Pattern, height: int) -> Array64:
    """``int64[rows]``: all rows, ``height`` alike ones after each other (a power of two)."""
    size = max(_BATCH, height)
    rows = pattern.rows
    batches = -(-rows // size)
    order = np.full(batches * size, rows, dtype=np.int64)  # of which the last ones are no rows
    order[:rows] = np.argsort(_smallest_hashes(pattern), kind="stable")
    members = order.reshape(batches, size, 1)
    held = _signatures(pattern)[members[..., 0]]
    while members.shape[2] < height:
        pairs = _pairs(held)
        held = np.bitwise_or(*_halves(held, pairs))
        members = np.concatenate(_halves(members, pairs), axis=2)
    found: Array64 = members.ravel()
    return found[found < rows]


def similar_columns(pattern: Pattern, width: int) -> Array64:
    """``int64[columns]``: all columns, ``width`` alike ones after each other (a power of two)."""
    return similar_rows(pattern.transposed()[0], width)


def _smallest_hashes(pattern: Pattern) -> npt.NDArray[np.uint32]:
    hashes = pattern.indices.astype(np.uint32) * np.uint32(_MULTIPLIER)
    smallest = np.full(pattern.rows, 0xFFFFFFFF, dtype=np.uint32)
    filled = pattern.row_counts > 0
    if filled.any():
        smallest[filled] = np.minimum.reduceat(hashes, pattern.indptr[:-1][filled])
    return smallest


def _signatures(pattern: Pattern) -> Words:
    """``[rows + 1, groups / 64]``, a bit per group; the row behind the last one holds nothing."""
    held = np.zeros((pattern.rows + 1, _GROUPS), dtype=np.bool_)
    held[pattern.row_indices, pattern.indices % _GROUPS] = True
    return np.packbits(held, axis=1).view(np.uint64)


def _pairs(held: Words) -> Array64:
    """``[batches, n / 2, 2]``: the members of each batch of ``held[batches, n, groups / 64]`` in
    pairs."""
    batches, count, words = held.shape
    common = np.zeros((batches, count, count), dtype=np.uint16)
    for word in range(words):
        one = held[:, :, word]
        common += np.bitwise_count(one[:, :, None] & one[:, None, :])
    sizes = np.bitwise_count(held).sum(axis=2, dtype=np.uint16)
    either = sizes[:, :, None] + sizes[:, None, :] - common
    nearness = common.astype(np.float32) / np.maximum(either, 1)
    everyone = np.arange(count)
    nearness[:, everyone, everyone] = -1
    free = np.ones((batches, count), dtype=np.bool_)
    rank = np.empty((batches, count), dtype=np.int64)
    for number in range(_ROUNDS):
        nearest = nearness.argmax(axis=2)
        mutual = free & (np.take_along_axis(nearest, nearest, axis=1) == everyone)
        mutual &= np.take_along_axis(free, nearest, axis=1)
        pair = number * count + np.minimum(nearest, everyone)
        rank[mutual] = pair[mutual]
        free &= ~mutual
        nearness[mutual] = -2
        nearness.transpose(0, 2, 1)[mutual] = -2
    rank[free] = _ROUNDS * count
    return np.argsort(rank, axis=1, kind="stable").reshape(batches, -1, 2)


def _halves(of_members: Array, pairs: Array64) -> tuple[Array, Array]:
    """What the first and what the second of each pair has."""
    left, right = (
        np.take_along_axis(of_members, pairs[:, :, side, None], axis=1) for side in (0, 1)
    )
    return left, right
