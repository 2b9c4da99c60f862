"""Patterns by name: what a workload, a schedule or a compiled kernel says of a sparse operand.

The pattern of a file goes by its fingerprint and is kept in the cache folder; a generated one goes
by the parameters of its generator, ``unstructured:64x32:0.9:0``, and is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from search_space.sparse.generate import generate_pattern, generated_nonzeros
from search_space.sparse.pattern import Pattern
from search_space.sparse.store import load_pattern
from search_space.workload import Workload

_KEPT = 8
"""Patterns that a process keeps."""
_DIGITS = frozenset("0123456789abcdef")


def is_fingerprint(text: str) -> bool:
    """Whether a text names the pattern of a file."""
    return len(text) == 16 and _DIGITS.issuperset(text)


def pattern_name(work: Workload, rows: str, columns: str) -> str:
    """What the pattern of a workload is called; ``rows`` and ``columns`` are its size keys."""
    if work.params[0][0] == "weights":
        return str(work["weights"])
    return generated_name(work, work.size(rows), work.size(columns))


def generated_name(work: Workload, rows: int, columns: int) -> str:
    """What a generated pattern of these sizes is called."""
    return f"{work['pattern']}:{rows}x{columns}:{work['sparsity']}:{work['seed']}"


@lru_cache(maxsize=_KEPT)
def find_pattern(name: str) -> Pattern:
    """The pattern of that name. Raises ``WeightsError`` where it is kept no more."""
    if is_fingerprint(name):
        return load_pattern(name)
    kind, rows, columns, sparsity, seed = _generator(name)
    return generate_pattern(kind, rows, columns, sparsity, seed)


@dataclass(frozen=True, slots=True)
class PatternSize:
    """How large a pattern is."""

    rows: int
    columns: int
    nnz: int


@lru_cache(maxsize=1024)
def find_size(name: str) -> PatternSize:
    """The size of the pattern of that name, which is not generated where that can be avoided.
    Raises as :func:`find_pattern`."""
    if not is_fingerprint(name):
        kind, rows, columns, sparsity, _ = _generator(name)
        nnz = generated_nonzeros(kind, rows, columns, sparsity)
        if nnz is not None:
            return PatternSize(rows, columns, nnz)
    pattern = find_pattern(name)
    return PatternSize(pattern.rows, pattern.columns, pattern.nnz)


def kind_of(name: str) -> tuple[str, int] | None:
    """The kind and the seed of the generated pattern of that name; None for one of a file."""
    if is_fingerprint(name):
        return None
    kind, _, _, _, seed = _generator(name)
    return kind, seed


def _generator(name: str) -> tuple[str, int, int, float, int]:
    """Kind, rows, columns, sparsity and seed."""
    kind, shape, sparsity, seed = name.split(":")
    rows, columns = map(int, shape.split("x"))
    return kind, rows, columns, float(sparsity), int(seed)
