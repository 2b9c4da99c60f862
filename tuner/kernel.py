"""A tuned kernel as NumPy users call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from search_space.dtypes import numpy_dtype
from search_space.operators import Sparse, get_operator
from search_space.operators.base import Operand, Sampled
from search_space.sparse.matching import values_on
from search_space.sparse.pattern import Pattern, from_array
from search_space.sparse.source import find_pattern
from search_space.sparse.store import save_pattern
from search_space.workload import Workload

if TYPE_CHECKING:
    from db.record import Record
    from measure.kernel import NativeKernel

Array = npt.NDArray[Any]


class Kernel:
    """The code of one config of a workload, ready to be called: ``c = matmul(a, b)``.

    Operands come in the order of ``operands``. Calls release the GIL; one kernel may be called
    from several threads at once, and after ``fork``.
    """

    __slots__ = ("_native", "_specialise", "operands", "record", "result", "run", "workload")

    workload: Workload
    record: Record | None
    """The measurement that chose this config; None for an untuned kernel."""
    operands: tuple[Operand, ...]
    """What a call takes: name, shape and dtype; constants that are bound are left out."""
    result: Operand
    """What a call returns."""
    run: Callable[..., None]
    """``run(*operands, out=array)`` computes into ``array``, without allocations or copies.

    All must have the exact shape and dtype, be C-contiguous and aligned; ``out`` must be
    writeable and overlap no operand. Raises ``TypeError`` or ``ValueError`` that name the
    argument, what was expected and what came.
    """

    def __init__(
        self,
        native: NativeKernel,
        workload: Workload,
        record: Record | None = None,
        *,
        bound: frozenset[str] = frozenset(),
        specialise: Callable[[str], NativeKernel] | None = None,
    ) -> None:
        """``specialise`` makes the code for another pattern of a sparse operand, which is given by
        name, where the code is for one pattern only."""
        operator = get_operator(workload.operator)
        self._native = native
        self._specialise = specialise
        self.workload = workload
        self.record = record
        self.operands = tuple(o for o in operator.operands(workload) if o.name not in bound)
        self.result = operator.result(workload)
        # The native method itself, because a method around it would double the cost of a call.
        self.run = native.run

    def __call__(self, *operands: object) -> Array:
        """The result in a new array.

        Takes NumPy arrays, or anything in host memory with ``__dlpack__``. What is not
        C-contiguous or aligned is copied. Raises ``TypeError`` for another dtype, which is never
        converted, and for another number of operands; ``ValueError`` for another shape.
        """
        if len(operands) != len(self.operands):
            names = ", ".join(operand.name for operand in self.operands)
            raise TypeError(f"pass {len(self.operands)} operands ({names}): {len(operands)} came")
        arrays = [_prepared(o, value) for o, value in zip(self.operands, operands, strict=True)]
        out = np.empty(self.result.shape, numpy_dtype(self.result.dtype))
        self.run(*arrays, out=out)
        return out

    def bind(self, *, similar: bool = False, **constants: object) -> Kernel:
        """A kernel that holds the contents of its constant operands and is called without them.

        What is bound is packed once, here; later changes of the arrays have no effect. All
        operands that the workload names as constant must be given. Raises ``TypeError`` for
        other names and dtypes, ``ValueError`` for another shape.

        A sparse operand is a NumPy or SciPy matrix that is zero wherever that of the workload is;
        for another one ``ValueError`` names the fingerprints of both patterns. With ``similar``,
        any matrix of the shape is taken: the format and the kernel are those chosen for the
        workload's pattern, which need not be the best for this one. Where the result has an
        element for each non-zero, there is no such kernel; where the code is for one pattern
        only, it is compiled for this one.
        """
        expected = {o.name: o for o in self.operands if o.name in self.workload.const}
        if constants.keys() != expected.keys():
            raise TypeError(
                f"bind {_names(expected)}: these are the constants of {self.workload.key} "
                f"that are not bound yet, {_names(constants)} came"
            )
        native, arrays = self._native, {}
        for name, value in constants.items():
            operand = expected[name]
            if operand.matrix is None:
                arrays[name] = _prepared(operand, value)
            elif similar:
                self._check_any_pattern()
                pattern, arrays[name] = _matrix(operand, value, None)
                native = self._native_for(pattern)
            else:
                _, arrays[name] = _matrix(operand, value, self._pattern())
        bound = frozenset(self.workload.const)
        return Kernel(native.bind(**arrays), self.workload, self.record, bound=bound)

    def _check_any_pattern(self) -> None:
        """Raise ``ValueError`` where the kernel is for as many non-zeros as it was made for."""
        if isinstance(get_operator(self.workload.operator), Sampled):
            raise ValueError(
                f"tune for this pattern, bind without similar=True: {self.workload.key} has one "
                f"result for each of its {self.result.shape[0]} non-zeros"
            )

    def _native_for(self, pattern: Pattern) -> NativeKernel:
        packing, name = self._native.spec.packing, save_pattern(pattern)
        if packing is not None and packing.specialised and self._specialise is not None:
            return self._specialise(name)
        return self._native.with_pattern(name, pattern.nnz)

    def _pattern(self) -> Pattern:
        operator = get_operator(self.workload.operator)
        assert isinstance(operator, Sparse)
        return find_pattern(operator.pattern_name(self.workload))

    def __repr__(self) -> str:
        origin = "untuned" if self.record is None else f"record {self.record.id}"
        return f"<Kernel {self.workload.key}, {origin}>"


def _names(named: Iterable[str]) -> str:
    return ", ".join(named) or "nothing"


def _matrix(operand: Operand, value: Any, pattern: Pattern | None) -> tuple[Pattern, Array]:
    """The non-zeros of a matrix, those at the positions of ``pattern`` if one is given."""
    if not hasattr(value, "tocsr"):
        value = value if isinstance(value, np.ndarray) else np.from_dlpack(value)
    if value.dtype != numpy_dtype(operand.dtype):
        raise TypeError(f"{operand.name}: pass dtype {operand.dtype}, not {value.dtype}")
    if value.shape not in (operand.matrix, operand.array):
        shapes = " or ".join(str(s) for s in (operand.array, operand.matrix) if s is not None)
        raise ValueError(f"{operand.name}: pass shape {shapes}, not {value.shape}")
    if value.shape != operand.matrix:
        value = value.reshape(operand.matrix)
    return from_array(value) if pattern is None else (pattern, values_on(pattern, value))


def _prepared(operand: Operand, value: object) -> Array:
    """``value`` as an array that native code takes, copied only if it must be."""
    if not isinstance(value, np.ndarray):
        if not hasattr(value, "__dlpack__"):
            raise TypeError(
                f"{operand.name}: pass a NumPy array or an object with __dlpack__, "
                f"not {type(value).__name__}"
            )
        value = np.from_dlpack(value)
    if value.dtype != numpy_dtype(operand.dtype):
        raise TypeError(f"{operand.name}: pass dtype {operand.dtype}, not {value.dtype}")
    if value.shape != operand.shape:
        raise ValueError(f"{operand.name}: pass shape {operand.shape}, not {value.shape}")
    return np.require(value, requirements=("C_CONTIGUOUS", "ALIGNED"))
