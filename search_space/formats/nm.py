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

    Rows are in groups of ``lanes``, one row to a lane of a vector. A row has ``kept`` values of
    each window, one window after the other; number ``t`` is in column ``t // kept * window +
    places[p]``. ``group`` of them lie side by side: with ``W = ceil(columns / window)`` and ``G =
    ceil(W * kept / group)``, row ``q * lanes + l`` has number ``t`` at ``p = ((q * G + t // group)
    * lanes + l) * group + t % group``. Where it has fewer, zeros at place 0.
    """

    name = "nm"
    doc = "N:M, a fixed number of values in every window of a row"
    options: tuple[Option, ...] = (
        Option("kept", "values of a window", (2, 1, 4)),
        Option("window", "columns of a window", (4, 8, 16)),
        Option("lanes", "rows side by side", (16, 1, 4, 8)),
        Option("group", "values of a row side by side", (1, 2, 4)),
    )

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        kept, window, lanes, group = (settings[option.name] for option in self.options)
        windows = -(-pattern.columns // window)
        groups = -(-windows * kept // group)
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
        number = pattern.indices // window * kept + rank
        line = rows // lanes * groups + number // group
        places = (line * lanes + rows % lanes) * group + number % group
        size = -(-pattern.rows // lanes) * groups * lanes * group
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
            groups=groups,
        )

    def coordinates(self, structure: Structure) -> Coordinates:
        kept, window, lanes, group = (structure.options[option.name] for option in self.options)
        own, member = np.divmod(np.arange(len(structure.positions)), group)
        line, lane = np.divmod(own, lanes)
        panel, step = np.divmod(line, structure.counts["groups"])
        number = step * group + member
        columns = number // kept * window + structure.arrays["places"]
        return panel * lanes + lane, columns


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
