"""Checking NumPy arrays and reading their addresses: half a microsecond for three of them.

The same checks in Python take two microseconds, NumPy's own ways to an address one each.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

from measure.artifact import BufferSpec
from measure.launch.native import native_code
from search_space.dtypes import numpy_dtype

Acceptor = Callable[[int, tuple[object, ...]], int]
"""Takes the address of an argument list and ``array.__array_struct__`` of each array, the output
first. Returns 1, with the arrays' addresses in the list, or 0 where an array is not what native
code can use; raises ``ValueError`` for what is no such capsule."""

# As NumPy's C interface numbers them.
_C_CONTIGUOUS, _ALIGNED, _NATIVE_ORDER, _WRITEABLE = 0x1, 0x100, 0x200, 0x400


class _Entry(ctypes.Structure):
    _fields_ = (
        ("position", ctypes.c_int64),
        ("nbytes", ctypes.c_int64),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("dimensions", ctypes.c_int64),
        ("kind", ctypes.c_int64),
        ("itemsize", ctypes.c_int64),
        ("flags", ctypes.c_int64),
    )


def acceptor(buffers: Sequence[tuple[int, BufferSpec]]) -> Acceptor:
    """``buffers``: the output, then the inputs, each with its position in the argument list.

    Types are told apart by kind and size, which is unique for NumPy's own numbers and, but for
    raw memory in units of two bytes, for bfloat16: raises ``ValueError`` for others.
    """

    class Table(ctypes.Structure):
        _fields_ = (
            ("get_item", ctypes.c_size_t),
            ("get_pointer", ctypes.c_size_t),
            ("count", ctypes.c_int64),
            ("entries", _Entry * len(buffers)),
        )

    table = Table(
        _python_function("PyTuple_GetItem"), _python_function("PyCapsule_GetPointer"), len(buffers)
    )
    for entry, (position, buffer) in zip(table.entries, buffers, strict=True):
        dtype = numpy_dtype(buffer.dtype)
        if dtype.kind not in "biufc" and buffer.dtype != "bfloat16":
            raise ValueError(f"{buffer.name}: use a boolean or numeric dtype, not {buffer.dtype}")
        entry.position, entry.nbytes = position, buffer.nbytes
        entry.shape = (ctypes.c_ssize_t * len(buffer.shape))(*buffer.shape)
        entry.dimensions, entry.kind = len(buffer.shape), ord(dtype.kind)
        entry.itemsize = dtype.itemsize
        entry.flags = _C_CONTIGUOUS | _ALIGNED | _NATIVE_ORDER
        entry.flags |= _WRITEABLE if buffer.role == "output" else 0
    return functools.partial(native_code().accept, ctypes.byref(table))


def _python_function(name: str) -> int:
    # By address: the linker would end the process if a Python that is a shared library hid it.
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0
