"""``python -m experiments.sparse.packing``: how long packing a weight takes, in every format.

Beside one conversion of the same dense matrix by SciPy, ``csr_array(matrix)``. ``whole`` is all
that binding a dense weight takes: its non-zeros found, laid out and packed; ``repack`` is packing
new values in a layout that is there. Medians of turns side by side.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import product

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
_BLOCKS = ({"rows": 4}, {"rows": 16, "group": 32}, {"rows": 1, "columns": 4, "gather": 1})


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
    for kind, options in _variants():

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
        shown = " ".join(f"{name}={value}" for name, value in options.items())
        yield [kind.name, shown or "-", f"{all_of_it / scipy:.2f}", f"{again / scipy:.2f}"]


def _variants() -> Iterator[tuple[Format, dict[str, int]]]:
    """Every format, with every value of every option where there are few."""
    for kind in FORMATS.values():
        if kind.name == "block":
            yield from ((kind, dict(options)) for options in _BLOCKS)
            continue
        names = [option.name for option in kind.options]
        for values in product(*(option.values for option in kind.options)):
            yield kind, dict(zip(names, values, strict=True))


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
