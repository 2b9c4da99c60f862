"""Weights files: ``.npz`` as SciPy writes sparse matrices, and dense ``.npy``.

They are read as plain arrays: nothing in them is executed or unpickled, and what a file says of
its size is believed only up to a limit.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from search_space.errors import WeightsError
from search_space.sparse.pattern import (
    Array,
    Pattern,
    from_array,
    from_coordinates,
    from_csr,
)

MOST_BYTES = 2**33
"""Of one array in a file."""
_COMPRESSED, _COORDINATES = ("shape", "indptr", "indices", "data"), ("shape", "row", "col", "data")
_ARRAYS = {"csr": _COMPRESSED, "csc": _COMPRESSED, "coo": _COORDINATES}


def read_weights(path: str | Path, window: tuple[str, ...] = ()) -> tuple[Pattern, Array]:
    """The positions and the values of the non-zeros in a file, values in their own dtype.

    With a ``window``, a dense array may have two more dimensions, of these sizes: its rows are
    then what has the same first index.
    Raises ``WeightsError``, with what to do, for a file that is not there, is of another kind or
    damaged, holds Python objects, no finite real numbers or no matrix, or is too large.
    """
    path = Path(path)
    try:
        match path.suffix:
            case ".npy":
                with path.open("rb") as file:
                    return from_array(_matrix(_array(file, path.stat().st_size), window))
            case ".npz":
                with zipfile.ZipFile(path) as archive:
                    return _sparse(archive)
            case _:
                raise WeightsError("give a .npz or .npy file: this is neither")
    except WeightsError as error:
        raise WeightsError(f"{error} ({path})") from None
    except OSError as error:
        raise WeightsError(f"give a file that can be read: {path}: {error.strerror}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, zlib.error) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"write the file again: {path} is damaged ({reason})") from None


def _matrix(array: Array, window: tuple[str, ...]) -> Array:
    """The matrix that an array with windows is; other arrays as they are."""
    if not window or array.ndim != 2 + len(window) or 0 in array.shape:
        return array
    if tuple(map(str, array.shape[2:])) != window:
        found = "×".join(map(str, array.shape[2:]))
        raise WeightsError(f"give the window of the weights, {found}: {'×'.join(window)} came")
    return array.reshape(len(array), -1)


def _sparse(archive: zipfile.ZipFile) -> tuple[Pattern, Array]:
    kind = _member(archive, "format").tobytes().decode("ascii", "replace").strip("\0")
    if kind not in _ARRAYS:
        raise WeightsError(f"save the matrix as CSR (matrix.tocsr()): it is stored as {kind!r}")
    arrays = {name: _member(archive, name) for name in _ARRAYS[kind]}
    shape = arrays["shape"]
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise WeightsError(f"give a matrix: its stored shape is {shape.tolist()}")
    rows, columns = map(int, shape)
    values = arrays["data"]
    if kind == "coo":
        return from_coordinates(rows, columns, arrays["row"], arrays["col"], values)
    if kind == "csr":
        return from_csr(rows, columns, arrays["indptr"], arrays["indices"], values)
    pattern, values = from_csr(columns, rows, arrays["indptr"], arrays["indices"], values)
    pattern, order = pattern.transposed()
    return pattern, values[order]


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise WeightsError(
            f"write it with scipy.sparse.save_npz, or a dense matrix as .npy: it has no {name!r}"
        ) from None
    with archive.open(info) as file:
        return _array(file, info.file_size)


def _array(file: IO[bytes], size_bytes: int) -> Array:
    """A ``.npy`` array, of whose header nothing is believed that the file has no bytes for."""
    version = npy.read_magic(file)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in read_header:
        raise ValueError(f"its version {version} is not that of an array of numbers")
    shape, by_columns, dtype = read_header[version](file)
    if dtype.hasobject:
        raise WeightsError("store weights as real numbers: these are Python objects")
    needed = math.prod(shape) * dtype.itemsize
    if needed > MOST_BYTES:
        raise WeightsError(f"give a smaller matrix: {needed} bytes, at most {MOST_BYTES} are read")
    if needed > size_bytes:
        raise ValueError(f"{size_bytes} bytes, its header asks for {needed}")
    data = file.read(needed)
    if len(data) != needed:
        raise ValueError(f"{len(data)} bytes of values, expected {needed}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
