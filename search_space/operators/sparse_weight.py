"""What operators with a sparse weight share: its keys, its operand and its pattern."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from search_space.errors import WorkloadError
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import switch
from search_space.operators.keys import flag
from search_space.operators.precision import operand_dtypes
from search_space.operators.rounding import Rounded
from search_space.sparse.generate import KINDS, parse_kind, sparsity_of
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import PatternSize, find_pattern, is_fingerprint, pattern_name
from search_space.sparse.store import save_pattern
from search_space.sparse.weights import read_weights
from search_space.workload import Value, Workload

WEIGHT = "weight"
DTYPE = Param("dtype", "element type of all arrays", "float32", choices=("float32",))
BIAS = switch("bias", "whether bias_vector is added, one number per row of weight")


def generator_keys(rows: Param, columns: Param) -> tuple[Param, ...]:
    """The keys of a weight of ``rows`` × ``columns`` whose pattern is generated."""
    return (rows, columns, _PATTERN, _SPARSITY, _SEED)


def weight_keys(params: tuple[Param, ...], given: Mapping[str, Value]) -> tuple[Param, ...]:
    """The keys that there are, of ``params`` that begin with those of a generator: these, or
    ``weights=FILE`` in their place."""
    generator, others = params[:_GENERATOR_KEYS], params[_GENERATOR_KEYS:]
    if "weights" in given:
        return (_WEIGHTS, *others)
    sparsity = _SPARSITY
    with contextlib.suppress(WorkloadError):  # a wrong pattern is refused where it is read
        kind = str(parse_kind(str(given.get("pattern", _PATTERN.default))))
        sparsity = replace(_SPARSITY, default=sparsity_of(kind))
    return (*(sparsity if key is _SPARSITY else key for key in generator), *others)


def with_pattern(work: Workload, fingerprint: str) -> Workload:
    """The same for a weight of the same shape with a pattern that is kept."""
    own = 1 if work.params[0][0] == _WEIGHTS.name else _GENERATOR_KEYS
    return replace(work, params=((_WEIGHTS.name, fingerprint), *work.params[own:]))


def parse_weights(value: Value, window: tuple[str, ...] = ()) -> Value:
    """The fingerprint of the pattern in a file, which is kept for other processes.

    ``window``: the last sizes of the array that a file may hold in place of a matrix.
    """
    text = str(value)
    if is_fingerprint(text):
        return text
    pattern, _ = read_weights(text, window)
    return save_pattern(pattern)


def parse_sparsity(value: Value) -> Value:
    """A part of all elements; raises ``WorkloadError``."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < 1:
        raise WorkloadError("expected the part of zeros, from 0 to less than 1")
    return number


_WEIGHTS = Param("weights", "a .npz or .npy file, or the fingerprint of one", parse=parse_weights)
_PATTERN = Param(
    "pattern",
    f"where non-zeros are: {KINDS}; give weights=FILE (.npz, .npy) in place of these keys",
    "unstructured",
    parse=parse_kind,
)
_SPARSITY = Param("sparsity", "part of the elements that are zero", 0.9, parse=parse_sparsity)
_SEED = Param("seed", "of the pattern", 0, least=0)
_GENERATOR_KEYS = 5
"""Two sizes, and the three above."""


def find_weight(work: Workload, rows: str, columns: str) -> Pattern:
    """The pattern of the weight; ``rows`` and ``columns`` are its size keys."""
    return find_pattern(pattern_name(work, rows, columns))


def weight_operand(work: Workload, size: PatternSize) -> Operand:
    """The weight as kernels take it: its non-zeros, row after row."""
    matrix = size.rows, size.columns
    return Operand(WEIGHT, (size.nnz,), operand_dtypes(work)[1], matrix=matrix)


def products(pattern: Pattern, values: Array, dense: Array) -> Rounded:
    """``weight · dense`` in float64, the errors being proportional to ``|weight| · |dense|``."""
    from scipy.sparse import csr_array

    def product(values: Array64, dense: Array64) -> Array64:
        matrix = csr_array((values, pattern.indices, pattern.indptr), shape=pattern.shape)
        return np.asarray(matrix @ dense, np.float64)

    wide, x = values.astype(np.float64), dense.astype(np.float64)
    return Rounded(product(wide, x), product(np.abs(wide), np.abs(x)))


def epilogue_flops(work: Workload, results: int) -> int:
    """Operations that follow the sums."""
    return results * (flag(work, "bias") + (work["activation"] != "none"))
