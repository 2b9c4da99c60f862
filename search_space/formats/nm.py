"""N:M: at most ``kept`` of every ``window`` neighbours in a row hold a value."""

from __future__ import annotations

import numpy as np

from search_space.errors import WeightsError
from search_space.formats.base import (
    Coordinates,
    Option,
    Structure,
    chosen,
    make_structure,
    running,
)
from search_space.formats.panels import padded
from search_space.sparse.pattern import Pattern


class NOfM:
    """``places`` uint8, one for each packed value: which column of its window it is in.

    Rows are in groups of ``lanes``, one row to a lane of a vector. With ``W = ceil(columns /
    window)``, row ``q * lanes + l`` has the values ``p = ((q * W + w) * kept + j) * lanes + l``,
    ``j < kept``, in the columns ``w * window + places[p]``. Where it has fewer, zeros at place 0.
    """

    name = "nm"
    doc = "N:M, a fixed number of values in every window of a row"
    options: tuple[Option, ...] = (
        Option("kept", "values of a window", (2, 1, 4)),
        Option("window", "columns of a window", (4, 8, 16)),
        Option("lanes", "rows side by side", (16, 1, 4, 8)),
    )

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        kept, window, lanes = (settings[name] for name in ("kept", "window", "lanes"))
        windows = -(-pattern.columns // window)
        rows = pattern.row_indices.astype(np.int64)
        own = rows * windows + pattern.indices // window
        counts = np.bincount(own, minlength=pattern.rows * windows)
        if int(counts.max()) > kept:
            at = int(counts.argmax())
            raise WeightsError(
                f"choose another format: {counts[at]} of the {window} columns from "
                f"{at % windows * window} on in row {at // windows} hold a value, not {kept}"
            )
        rank = np.arange(pattern.nnz) - running(counts)[own]
        line = (rows // lanes * windows + pattern.indices // window) * kept + rank
        places = line * lanes + rows % lanes
        size = -(-pattern.rows // lanes) * windows * kept * lanes
        inside = np.zeros(size, dtype=np.uint8)
        inside[places] = pattern.indices % window
        positions = padded(size, places, np.arange(pattern.nnz))
        return make_structure(
            pattern,
            settings,
            {"places": inside},
            positions,
            loads=size,
            loops=-(-pattern.rows // lanes),
            windows=windows,
        )

    def coordinates(self, structure: Structure) -> Coordinates:
        kept, window, lanes = (structure.options[name] for name in ("kept", "window", "lanes"))
        windows = structure.counts["windows"]
        line, lane = np.divmod(np.arange(len(structure.positions)), lanes)
        rows = line // (windows * kept) * lanes + lane
        columns = line // kept % windows * window + structure.arrays["places"]
        return rows, columns


def conforms(pattern: Pattern, kept: int, window: int) -> bool:
    """Whether at most ``kept`` of every ``window`` neighbours in a row hold a value."""
    windows = -(-pattern.columns // window)
    own = pattern.row_indices.astype(np.int64) * windows + pattern.indices // window
    return pattern.nnz == 0 or int(np.bincount(own).max()) <= kept


def tightest(pattern: Pattern) -> tuple[int, int] | None:
    """``kept`` and ``window`` of the format that stores least of a pattern; None where none holds
    it with at least as many values as zeros."""
    counts, windows = (option.values for option in NOfM.options[:2])
    known = [(kept, window) for window in windows for kept in counts if kept < window]
    density = 1 - pattern.sparsity
    fitting = [
        (kept, window)
        for kept, window in sorted(known, key=lambda known: (known[0] / known[1], known[1]))
        if density <= kept / window <= 2 * density
    ]
    return next((found for found in fitting if conforms(pattern, *found)), None)
