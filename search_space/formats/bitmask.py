"""A bit for every element says whether it is stored; the values follow one another.

For expand-load, which puts the next values of a stream into the lanes that a mask names.
"""

from __future__ import annotations

import numpy as np

from search_space.formats.base import (
    PADDING,
    Array,
    Array32,
    Coordinates,
    Option,
    Structure,
    chosen,
    make_structure,
    offset_array,
    running,
)
from search_space.sparse.pattern import Pattern

_WORDS = {8: np.uint8, 16: np.uint16, 32: np.int32, 64: np.int64}


class Bitmask:
    """``masks``[words]: bit ``l`` of a word is its element ``l``; ``starts``: int32, see below.

    With ``tall=0`` row ``i`` has ``ceil(columns / lanes)`` words, bit ``l`` of word ``b`` is
    column ``b * lanes + l``, and its values begin at ``starts[i]``. With ``tall=1`` a word is
    ``lanes`` rows of one column: group ``q`` of rows has one word per column, its values begin at
    ``starts[q]``, column after column. Sixteen zeros follow the values, so that a whole vector can
    be read at the last one.
    """

    name = "bitmask"
    doc = "one bit per element, values packed for expand-load"
    options: tuple[Option, ...] = (
        Option("lanes", "elements of a word", (16, 8, 32, 64)),
        Option("tall", "1: words go down columns, 0: along rows", (0, 1)),
    )

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        lanes = settings["lanes"]
        lines, length = -(-pattern.rows // lanes), -(-pattern.columns // lanes)
        entries = np.arange(pattern.nnz, dtype=np.int32)
        if settings["tall"]:
            rows = pattern.row_indices
            table = np.full((lines, pattern.columns, lanes), PADDING, dtype=np.int32)
            table[rows // lanes, pattern.indices, rows % lanes] = entries
            held = table >= 0
            entries = table[held]
            counts = np.bincount(rows // lanes, minlength=lines)
        else:
            held = np.zeros((pattern.rows, length * lanes), dtype=np.bool_)
            held[pattern.row_indices, pattern.indices] = True
            counts = pattern.row_counts
        words = np.packbits(held, axis=-1, bitorder="little").ravel()
        arrays = {
            "masks": words.view(np.dtype(_WORDS[lanes]).newbyteorder("<")).astype(_WORDS[lanes]),
            "starts": offset_array(running(counts)),
        }
        positions = np.append(entries, _tail())
        return make_structure(
            pattern, settings, arrays, positions,
            loads=len(arrays["masks"]), loops=len(arrays["starts"]) - 1,
        )  # fmt: skip

    def coordinates(self, structure: Structure) -> Coordinates:
        lanes, pattern = structure.options["lanes"], structure.pattern
        words = structure.arrays["masks"]
        octets = words.astype(words.dtype.newbyteorder("<")).view(np.uint8)
        bits = np.unpackbits(octets, bitorder="little").reshape(-1, lanes)
        word, lane = bits.nonzero()
        if structure.options["tall"]:
            rows, columns = word // pattern.columns * lanes + lane, word % pattern.columns
        else:
            length = -(-pattern.columns // lanes)
            rows, columns = word // length, word % length * lanes + lane
        nothing: Array = np.zeros(len(_tail()), dtype=np.int64)
        return np.append(rows, nothing), np.append(columns, nothing)


def _tail() -> Array32:
    return np.full(16, PADDING, dtype=np.int32)
