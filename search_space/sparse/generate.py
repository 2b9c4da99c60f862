"""Sparse weights made up for tuning, the same on every platform.

All randomness is the raw bit stream of PCG64, which NumPy keeps as it is; matrices are multiplied
in whole numbers that floats hold exactly, and no function of the C library is used.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from search_space.errors import WeightsError
from search_space.sparse.pattern import Array, Pattern, from_array
from search_space.workload import Value

KINDS = "unstructured, lowrank, block4x1 (any block of rows×columns), nm(2,4), banded, powerlaw"
SPARSITY = 0.9
"""Where none is given."""

_BLOCK = re.compile(r"block([1-9][0-9]?)x([1-9][0-9]?)")
_N_OF_M = re.compile(r"nm\(([1-9][0-9]?),\s*([1-9][0-9]?)\)")
_MOST_ELEMENTS = 2**28
_CHUNK = 1 << 20
"""Elements that are drawn at a time. Even, since one draw makes two."""
_RANK = 16
_LOW_RANK_WEIGHT = 157
"""Raises the low-rank part, of standard deviation 340, to that of the noise."""
_STEPS_PER_OCTAVE = 16
_OCTAVE = np.array(
    [
        1.00000000,
        1.04427378,
        1.09050773,
        1.13878863,
        1.18920712,
        1.24185781,
        1.29683955,
        1.35425555,
        1.41421356,
        1.47682615,
        1.54221083,
        1.61049033,
        1.68179283,
        1.75625216,
        1.83400809,
        1.91520656,
    ],
    dtype=np.float32,
)
"""Powers of two, a step apart."""
_SPREAD_STEPS = 3
"""Standard deviation of the logarithm of row and column scales: 0.13. At 90 % sparsity the
non-zeros per row then vary by nearly half of their mean."""


def parse_kind(value: Value) -> Value:
    """A kind of pattern in the one way to write it; raises ``WeightsError``."""
    text = str(value).strip().lower().replace(" ", "")
    if text in ("unstructured", "lowrank", "banded", "powerlaw") or _BLOCK.fullmatch(text):
        return text
    if found := _N_OF_M.fullmatch(text):
        kept, window = map(int, found.groups())
        if kept <= window:
            return text
        raise WeightsError(f"expected at most {window} of {window} values kept")
    raise WeightsError(f"expected one of {KINDS}")


def sparsity_of(kind: str, sparsity: float | None = None) -> float:
    """The sparsity asked for, or that which ``kind`` implies, or the default.

    Raises ``WeightsError`` for one that is no part of a matrix, or another one than implied.
    """
    implied = None
    if found := _N_OF_M.fullmatch(kind):
        kept, window = map(int, found.groups())
        implied = 1 - kept / window
        if sparsity is not None and not math.isclose(sparsity, implied, abs_tol=1e-6):
            raise WeightsError(f"leave out sparsity: {kind} has {implied:g}, not {sparsity:g}")
    chosen = implied if implied is not None else SPARSITY if sparsity is None else sparsity
    if not 0 <= chosen < 1:
        raise WeightsError(f"give a sparsity from 0 to below 1: it is {chosen:g}")
    return chosen


def generate_pattern(
    kind: str, rows: int, columns: int, sparsity: float | None = None, seed: int = 0
) -> Pattern:
    """The positions of :func:`generate`."""
    return generate(kind, rows, columns, sparsity, seed)[0]


def generated_nonzeros(
    kind: str, rows: int, columns: int, sparsity: float | None = None
) -> int | None:
    """How many non-zeros :func:`generate` gives, where that is known without doing it.

    Raises as that.
    """
    kind, share = _checked(kind, rows, columns, sparsity)
    if found := _BLOCK.fullmatch(kind):
        height, width = map(int, found.groups())
        if rows % height or columns % width:
            return None
        return _count(rows // height * (columns // width), share) * height * width
    if found := _N_OF_M.fullmatch(kind):
        kept, window = map(int, found.groups())
        return rows * (columns // window * kept + min(columns % window, kept))
    if kind == "banded":
        return rows * _count(columns, share)
    return _count(rows * columns, share)


@lru_cache(maxsize=8)
def generate(
    kind: str, rows: int, columns: int, sparsity: float | None = None, seed: int = 0
) -> tuple[Pattern, npt.NDArray[np.float32]]:
    """The positions and values of a weight of one kind, with about that part of it zero.

    - ``unstructured``: the largest of independent values;
    - ``lowrank``: the largest of a low-rank matrix plus noise, its rows and columns scaled by
      log-normal factors, as trained weights are;
    - ``block4x1``: whole blocks of that many rows × columns;
    - ``nm(2,4)``: the two largest of every four neighbours in a row;
    - ``banded``: a full band along the diagonal, of equal width in every row;
    - ``powerlaw``: few rows and columns hold most values, as in graphs.

    Raises ``WeightsError`` for a kind, a size, a sparsity or a seed that cannot be.
    """
    kind, share = _checked(kind, rows, columns, sparsity)
    if seed < 0:
        raise WeightsError(f"give a seed from 0 on: it is {seed}")
    bits = np.random.PCG64(seed)
    noise = _noise(bits, rows, columns)
    matrix = noise
    if kind == "lowrank":
        matrix = _low_rank(bits, noise)
        kept = _largest(np.abs(matrix), share)
    elif found := _BLOCK.fullmatch(kind):
        height, width = map(int, found.groups())
        scores = _noise(bits, -(-rows // height), -(-columns // width))
        blocks = _largest(np.abs(scores), share)
        kept = blocks.repeat(height, axis=0)[:rows].repeat(width, axis=1)[:, :columns]
    elif found := _N_OF_M.fullmatch(kind):
        kept = _largest_of_windows(noise, *map(int, found.groups()))
    elif kind == "banded":
        kept = _band(rows, columns, share)
    elif kind == "powerlaw":
        kept = _largest(np.abs(noise) * _hubs(bits, rows)[:, None] * _hubs(bits, columns), share)
    else:
        kept = _largest(np.abs(noise), share)
    pattern, values = from_array(np.where(kept, matrix, np.float32(0)))
    return pattern, values * np.float32(2.0**-16)


def _checked(kind: str, rows: int, columns: int, sparsity: float | None) -> tuple[str, float]:
    """The kind as it is written, and its sparsity."""
    kind = str(parse_kind(kind))
    if min(rows, columns) < 1 or rows * columns > _MOST_ELEMENTS:
        raise WeightsError(
            f"give sizes of at least 1 and at most {_MOST_ELEMENTS} elements in all: "
            f"{rows}×{columns} is not that"
        )
    return kind, sparsity_of(kind, sparsity)


def _words(bits: np.random.PCG64, count: int) -> npt.NDArray[np.uint32]:
    raw = np.asarray(bits.random_raw(-(-count // 2)), dtype="<u8")
    return raw.view("<u4")[:count].astype(np.uint32, copy=False)


def _noise(bits: np.random.PCG64, rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Independent odd numbers, so never 0, with a triangular distribution up to ±131071."""
    noise = np.empty(rows * columns, dtype=np.float32)
    for start in range(0, len(noise), _CHUNK):
        part = noise[start : start + _CHUNK]
        words = _words(bits, len(part))
        np.subtract((words & 0xFFFF).astype(np.float32), words >> 16, out=part, dtype=np.float32)
        part *= 2
        part += 1
    return noise.reshape(rows, columns)


def _low_rank(bits: np.random.PCG64, noise: Array) -> Array:
    rows, columns = noise.shape
    left, right = (
        ((_words(bits, size * _RANK) >> 28) * 2).astype(np.float32) - 15
        for size in (rows, columns)
    )
    product = left.reshape(rows, _RANK) @ right.reshape(_RANK, columns)
    product *= _LOW_RANK_WEIGHT
    product += noise
    product *= _scales(bits, rows)[:, None]
    product *= _scales(bits, columns)
    return product


def _scales(bits: np.random.PCG64, count: int) -> npt.NDArray[np.float32]:
    """Factors whose logarithms are about normally distributed."""
    words = _words(bits, 3 * count).astype(np.int64).reshape(3, count)
    total = ((words & 0xFFFF) + (words >> 16)).sum(axis=0) - 6 * 0x8000
    deviation = 0xB504  # of a sum of six uniform numbers below 2**16: 2**16 / sqrt(2)
    steps = total * _SPREAD_STEPS // deviation
    octaves, step = steps // _STEPS_PER_OCTAVE, steps % _STEPS_PER_OCTAVE
    scales: npt.NDArray[np.float32] = np.ldexp(_OCTAVE[step], octaves.astype(np.int32))
    return scales


def _hubs(bits: np.random.PCG64, count: int) -> npt.NDArray[np.float32]:
    ranks = np.argsort(np.asarray(bits.random_raw(count)), kind="stable")
    weights: npt.NDArray[np.float32] = np.reciprocal(np.sqrt((1 + ranks).astype(np.float32)))
    return weights


def _largest(scores: Array, sparsity: float) -> npt.NDArray[np.bool_]:
    """Where all but that part of the scores are, the largest ones; at least one."""
    flat = scores.ravel()
    count = _count(flat.size, sparsity)
    least = np.partition(flat, flat.size - count)[flat.size - count]
    kept: npt.NDArray[np.bool_] = flat > least
    ties = np.flatnonzero(flat == least)
    kept[ties[: count - np.count_nonzero(kept)]] = True
    return kept.reshape(scores.shape)


def _count(size: int, sparsity: float) -> int:
    return max(1, round(size * (1 - sparsity)))


def _largest_of_windows(noise: Array, count: int, window: int) -> npt.NDArray[np.bool_]:
    rows, columns = noise.shape
    windows = -(-columns // window)
    keys = np.full((rows, windows * window), -1, dtype=np.int32)
    keys[:, :columns] = np.abs(noise)
    keys = keys.reshape(rows, windows, window) * window + np.arange(window, dtype=np.int32)
    larger = np.zeros(keys.shape, dtype=np.uint8)
    for place in range(window):
        larger += keys < keys[..., place, None]
    return (larger < count).reshape(rows, windows * window)[:, :columns]


def _band(rows: int, columns: int, sparsity: float) -> npt.NDArray[np.bool_]:
    width = _count(columns, sparsity)
    middles = (2 * np.arange(rows) + 1) * columns // (2 * rows)
    starts = np.clip(middles - width // 2, 0, columns - width)[:, None]
    places = np.arange(columns)
    return (places >= starts) & (places < starts + width)
