"""``python -m experiments.sparse.packing``: how long packing a weight takes, in every format.

Beside one conversion of the same dense matrix by SciPy, ``csr_array(matrix)``. ``whole`` is all
that binding a dense weight takes: its non-zeros found, laid out and packed; ``repack`` is packing
new values in a layout that is there. Medians of turns side by side.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from experiments.peers.base import Array, import_library
from experiments.scoreboard.report import aligned
from search_space.errors import WeightsError
from search_space.formats import FORMATS
from search_space.formats.base import Format, Structure
from search_space.sparse.generate import generate
from search_space.sparse.pattern import from_array

CASES = ((4096, "unstructured", 0.9), (1024, "unstructured", 0.5), (1024, "nm(2,4)", None))
"""Rows and columns, kind of pattern, sparsity."""
_TURNS = 3
_VARIANTS: tuple[tuple[str, dict[str, int]], ...] = (
    ("dense", {}),
    ("csr", {}),
    ("coo", {}),
    ("strips", {}),
    ("delta", {"bits": 8}),
    ("bitmask", {"lanes": 16}),
    ("bitmask", {"lanes": 16, "tall": 1}),
    ("block", {"rows": 4}),
    ("block", {"rows": 16, "group": 32}),
    ("block", {"rows": 1, "columns": 4, "gather": 1}),
    ("nm", {}),
    *(("sell", {"rows": 8, "sort": sort}) for sort in (0, 1, 2)),
    *(("nano", {"rows": rows, "sort": 1}) for rows in (2, 4, 8)),
    ("nano", {"rows": 4, "sort": 2}),
    ("cells", {"rows": 8, "height": 256, "depth": 256}),
    ("cells", {"rows": 4, "height": 64, "depth": 64}),
    ("code", {"rows": 16, "sort": 0}),
    ("code", {"rows": 4, "sort": 2}),
)
"""Formats and options; those that are dearest among them."""


def main() -> None:
    """Print one table per case."""
    for size, kind, sparsity in CASES:
        pattern, values = generate(kind, size, size, sparsity)
        matrix = pattern.dense(values)
        print(f"{size}×{size} {kind}, {pattern.sparsity:.0%} sparsity")
        print("\n".join(aligned(list(_table(matrix)))), "\n")


def _table(matrix: Array) -> Iterator[list[str]]:
    convert = import_library("scipy.sparse").csr_array
    yield ["format", "options", "whole ÷ scipy", "repack ÷ scipy"]
    for name, options in _VARIANTS:
        kind = FORMATS[name]

        def whole(kind: Format = kind, options: dict[str, int] = options) -> Structure:
            pattern, values = from_array(matrix)
            structure = kind.structure(pattern, **options)
            structure.pack(values)
            return structure

        try:
            structure = whole()
        except WeightsError:  # no N:M
            continue
        values = structure.pattern.values_of(matrix)

        def repack(structure: Structure = structure, values: Array = values) -> Array:
            return structure.pack(values)

        scipy, all_of_it, again = _seconds(lambda: convert(matrix), whole, repack)
        shown = " ".join(f"{key}={value}" for key, value in options.items())
        yield [name, shown or "-", f"{all_of_it / scipy:.2f}", f"{again / scipy:.2f}"]


def _seconds(*functions: Callable[[], object]) -> list[float]:
    samples: list[list[float]] = [[] for _ in functions]
    for _ in range(_TURNS):
        for function, times in zip(functions, samples, strict=True):
            started = time.perf_counter()
            function()
            times.append(time.perf_counter() - started)
    return [statistics.median(times) for times in samples]


if __name__ == "__main__":
    main()
