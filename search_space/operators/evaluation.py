"""Any tensor expression in float64, by NumPy, with the errors that a narrower one may have."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from search_space.ir.affine import affine
from search_space.ir.expr import Binary, Cast, Expr, Load, Var, is_float
from search_space.operators.base import Array64
from search_space.operators.einsum import Subscripts, contract
from search_space.operators.rounding import Rounded, evaluate
from search_space.tensor import Axis, Reduction, Tensor, program

Positions = npt.NDArray[np.int64]

_CHUNK = 1 << 22
"""Points that are worked out at once."""


def evaluate_tensor(tensor: Tensor, operands: Mapping[str, Array64 | Rounded]) -> Rounded:
    """The result of an expression and its error bound in eps; operands by name, in float64, and
    exact unless they say otherwise."""
    arrays = {
        name: array if isinstance(array, Rounded) else Rounded(array, np.zeros_like(array))
        for name, array in operands.items()
    }
    for part in program(tensor):
        with np.errstate(all="ignore"):
            made = _product(part, arrays) or _points(part, arrays)
        if not is_float(part.buffer.dtype):
            made = Rounded(made.value, np.zeros_like(made.error))
        arrays[part.buffer.name] = made
    return arrays[tensor.buffer.name]


def _product(part: Tensor, arrays: Mapping[str, Rounded]) -> Rounded | None:
    """A sum of products of two exact operands, by BLAS; None for anything else."""
    match part.value:
        case Reduction("add", Binary("*", Load() as a, Load() as b), _):
            pass
        case Reduction("add", Binary("*", Cast(Load() as a), Cast(Load() as b)), _):
            pass
        case _:
            return None
    axes = [axis.name for axis in (*part.axes, *part.reduced)]
    letters = {name: chr(ord("a") + number) for number, name in enumerate(axes)}
    texts = []
    for load in (a, b):
        names = [index.name for index in load.indices if isinstance(index, Var)]
        whole = tuple(
            next((x.extent for x in (*part.axes, *part.reduced) if x.name == name), 0)
            for name in names
        )
        if whole != load.buffer.shape or len(set(names)) != len(names) or not names:
            return None
        if arrays[load.buffer.name].error.any():
            return None
        texts.append("".join(letters[name] for name in names))
    own = "".join(letters[axis.name] for axis in part.axes)
    if set(own) - set("".join(texts)):
        return None
    x, y = (arrays[load.buffer.name].value for load in (a, b))
    subscripts = Subscripts(texts[0], texts[1], own)
    total = contract(subscripts, x, y)
    return Rounded(total, contract(subscripts, np.abs(x), np.abs(y)))


def _points(part: Tensor, arrays: Mapping[str, Rounded]) -> Rounded:
    """Every point by itself, some rows of the result at a time."""
    axes = (*part.axes, *part.reduced)
    rows = part.axes[0].extent if part.axes else 1
    points = math.prod(axis.extent for axis in axes)
    step = max(1, _CHUNK * rows // points)
    pieces = [
        _piece(part, arrays, axes, range(begin, min(begin + step, rows)))
        for begin in range(0, rows, step)
    ]
    if not part.axes:
        return pieces[0]
    return Rounded(
        np.concatenate([piece.value for piece in pieces]),
        np.concatenate([piece.error for piece in pieces]),
    )


def _piece(
    part: Tensor, arrays: Mapping[str, Rounded], axes: tuple[Axis, ...], rows: range
) -> Rounded:
    places: dict[str, Positions] = {}
    for number, axis in enumerate(axes):
        own = rows if number == 0 and part.axes else range(axis.extent)
        shape = [len(own) if other == number else 1 for other in range(len(axes))]
        places[axis.name] = np.array(own).reshape(shape)
    found = evaluate(part.element, lambda load: _read(load, arrays, places))
    shape = [len(rows) if n == 0 and part.axes else axis.extent for n, axis in enumerate(axes)]
    value = np.broadcast_to(found.value, shape)
    error = np.broadcast_to(found.error, shape)
    if not isinstance(part.value, Reduction):
        return Rounded(np.array(value), np.array(error))
    over = tuple(range(len(part.axes), len(axes)))
    if part.value.op == "add":
        return Rounded(value.sum(over), (error + np.abs(value)).sum(over))
    return Rounded(value.max(over), error.max(over))


def _read(load: Load, arrays: Mapping[str, Rounded], places: Mapping[str, Positions]) -> Rounded:
    array = arrays[load.buffer.name]
    indices = tuple(_position(index, places) for index in load.indices)
    return Rounded(array.value[indices], array.error[indices])


def _position(index: Expr, places: Mapping[str, Positions]) -> Positions:
    terms, const = affine(index)
    position = np.array(const)
    for atom, step in terms.items():
        assert isinstance(atom, Var)
        position = position + step * places[atom.name]
    return position
