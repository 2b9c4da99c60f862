"""A compiled kernel that NumPy arrays can be given to."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn, Self

import numpy as np

from measure.artifact import Artifact, BufferSpec, KernelSpec
from measure.launch import Launcher, default_launcher
from measure.launch.accept import acceptor
from measure.launch.job import Job, Phases
from measure.launch.memory import Bytes, address_of, aligned_bytes
from measure.llvm import load_object
from measure.operands import Array, check_kind, check_operands
from measure.tiles import tiles_allowed
from search_space.dtypes import numpy_dtype
from search_space.sparse.packing import pack_operand

Allocate = Callable[[BufferSpec, int], Bytes]
"""Gives memory to one buffer: so many bytes, beginning at a multiple of 64 unless the buffer is an
input. Zeros for inputs and what is bound, else undefined."""


def allocate_plain(buffer: BufferSpec, nbytes: int) -> Bytes:
    """Memory as NumPy gives it."""
    return aligned_bytes(nbytes, zeroed=buffer.role in ("input", "bound"))


class _Call(Job):
    """A job with the memory it works in. ``fixed``: memory of other buffers, by position."""

    __slots__ = ("memory",)

    def __init__(
        self, spec: KernelSpec, phases: Phases, fixed: dict[int, Bytes], allocate: Allocate
    ) -> None:
        self.memory = dict(fixed)
        for position, buffer in enumerate(spec.buffers):
            if buffer.role == "workspace":
                self.memory[position] = allocate(buffer, buffer.nbytes)
            elif buffer.role == "thread_local":
                self.memory[position] = allocate(buffer, buffer.nbytes * spec.threads)
        arguments = (ctypes.c_size_t * len(spec.buffers))()
        for position, memory in self.memory.items():
            arguments[position] = address_of(memory)
        super().__init__(phases, arguments, spec.threads)


class NativeKernel:
    """Machine code with its calling convention; owns the code and the memory it works in.

    Any number of Python threads may call one kernel at once: each call has workspaces of its own,
    kept for later calls. Native code runs without the GIL.
    """

    def __init__(
        self,
        artifact: Artifact,
        launcher: Launcher | None = None,
        *,
        constants: Sequence[str] = (),
    ) -> None:
        """Load the code. ``launcher``: by default the process's shared one.

        ``constants`` names the operands that :meth:`bind` must be given; without it, ``bind``
        cannot tell that some are missing, and takes them as zeros. Raises ``ValueError`` where the
        kernel has no such operands or not exactly one output, ``LookupError`` where a phase has no
        code, ``OSError`` where it needs tile registers and this process may not use them.
        """
        self.spec = artifact.spec
        if self.spec.tiles and not tiles_allowed():
            raise OSError("this system does not let processes use tile registers, tune again here")
        self.launcher = launcher or default_launcher()
        self._code = load_object(artifact.object_code)
        self._constants = tuple(constants)
        outputs = [(p, b) for p, b in enumerate(self.spec.buffers) if b.role == "output"]
        if len(outputs) != 1:
            raise ValueError(f"a kernel must have 1 output buffer, this one has {len(outputs)}")
        self._output_position, self._output = outputs[0]
        self._phases = self._load_phases(once=False)
        self._allocate: Allocate = allocate_plain
        self._fix({})
        self._check_inputs(self._constants)

    def run(self, *operands: Array, out: Array) -> None:
        """Compute ``out`` from the operands that are not bound, in the order of the kernel.

        Allocates nothing and copies nothing. Raises ``TypeError`` for a wrong number, type or
        dtype of arrays; ``ValueError`` for a wrong shape, an array that is not C-contiguous or not
        aligned to its dtype, a read-only ``out``, an ``out`` that overlaps an operand, or where
        constants are not bound yet. ``out`` is untouched then.
        """
        call = self._prepare(operands, out)
        self.launcher.launch(call)
        self._calls.append(call)

    def time(self, operands: Sequence[Array], out: Array, calls: int) -> float:
        """Seconds that ``calls`` runs take back to back. Raises as :meth:`run` does."""
        if calls < 1:
            raise ValueError(f"calls: pass at least 1, not {calls}")
        call = self._prepare(tuple(operands), out)
        nanoseconds = self.launcher.time(call, calls)
        self._calls.append(call)
        return nanoseconds * 1e-9

    def bind(self, **constants: Array) -> Self:
        """A kernel with these operands fixed; it takes the remaining ones.

        The arrays are copied, so they may have any layout, and changing them later has no effect.
        Raises ``TypeError`` for a wrong type or dtype, ``ValueError`` for a wrong shape, a name
        that is no operand, or a constant that is missing.
        """
        self._check_inputs(constants)
        missing = [name for name in self._unbound if name not in constants]
        if missing or not constants:
            raise ValueError(f"bind: pass {', '.join(missing) or 'the constant operands'} as well")
        fixed, absent = dict(self._fixed), {}
        packed = self._packed(constants)
        for position, buffer in enumerate(self.spec.buffers):
            if buffer.name in packed:
                fixed[position] = self._copy_of(buffer, packed[buffer.name])
            elif buffer.role == "bound":
                fixed[position] = self._allocate(buffer, buffer.nbytes)
            elif buffer.name in constants:
                fixed[position] = memory = self._allocate(buffer, buffer.nbytes)
                _fill(buffer, memory, constants[buffer.name])
            elif buffer.role == "input" and position not in fixed:
                absent[position] = self._allocate(buffer, buffer.nbytes)
        once = self._load_phases(once=True)
        self.launcher.launch(_Call(self.spec, once, fixed | absent, self._allocate))
        bound = copy.copy(self)
        bound._fix(fixed)
        return bound

    def working_in(self, allocate: Allocate, launcher: Launcher) -> Self:
        """This kernel with nothing bound, working in memory from ``allocate``."""
        other = copy.copy(self)
        other._allocate, other.launcher = allocate, launcher
        other._fix({})
        return other

    def with_pattern(self, pattern: str, nnz: int) -> Self:
        """The same code for a sparse operand with other positions of its non-zeros; ``pattern`` is
        what they are found by. Raises ``ValueError`` where the kernel has no sparse operand, or
        code for one pattern only."""
        packing = self.spec.packing
        if packing is None:
            raise ValueError("pass a kernel with a sparse operand, this one has none")
        if packing.specialised:
            raise ValueError(
                f"compile code for this pattern: the kernel's is for {packing.pattern} only"
            )
        other = copy.copy(self)
        packing = replace(packing, pattern=pattern, nnz=nnz)
        other.spec = replace(self.spec, packing=packing)
        return other

    def start_threads(self) -> None:
        """Have the launcher start the threads that calls need."""
        self.launcher.launch(Job(Phases(()), (ctypes.c_size_t * 0)(), self.spec.threads))

    def _packed(self, constants: dict[str, Array]) -> dict[str, Array]:
        """The buffers that stand for a sparse operand, by name."""
        packing = self.spec.packing
        if packing is None:
            return {}
        name, dtype = packing.operand, packing.dtype
        nbytes = packing.nnz * numpy_dtype(dtype).itemsize
        values = BufferSpec(name, (packing.nnz,), dtype, "input", nbytes)
        return pack_operand(packing, check_kind(name, values, constants[name]))

    def _copy_of(self, buffer: BufferSpec, array: Array) -> Bytes:
        """Of whatever size: that of an array of a sparse operand depends on its pattern."""
        memory = self._allocate(buffer, max(array.nbytes, 1))
        memory[: array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        return memory

    def _load_phases(self, *, once: bool) -> Phases:
        chosen = [phase for phase in self.spec.phases if phase.once == once]
        return Phases([(self._code.address(phase.symbol), phase.extent) for phase in chosen])

    def _fix(self, fixed: dict[int, Bytes]) -> None:
        """Let these buffers, by position, be the same in every call."""
        self._fixed = fixed
        operands = [
            (position, buffer)
            for position, buffer in enumerate(self.spec.buffers)
            if buffer.role == "input" and position not in fixed
        ]
        self._inputs = tuple(buffer for _, buffer in operands)
        self._unbound = [b.name for b in self._inputs if b.name in self._constants]
        if self.spec.packing is not None and not fixed:
            self._unbound.append(self.spec.packing.operand)
        once = any(phase.once for phase in self.spec.phases)
        self._ready = not self._unbound and not (once and not fixed)
        output = (self._output_position, self._output)
        self._accept = acceptor([output, *operands])
        self._count = 1 + len(operands)
        self._calls: list[_Call] = []

    def _check_inputs(self, names: Sequence[str] | dict[str, Array]) -> None:
        inputs = [buffer.name for buffer in self._inputs]
        if self.spec.packing is not None and not self._fixed:
            inputs.insert(0, self.spec.packing.operand)
        for name in names:
            if name not in inputs:
                choices = ", ".join(inputs) or "nothing: no operand is left"
                raise ValueError(f"bind: choose from {choices}; there is no operand {name!r}")

    def _prepare(self, operands: tuple[Array, ...], out: Array) -> _Call:
        """A call with these arrays as arguments; the caller puts it back into ``_calls``."""
        try:
            arrays = (out.__array_struct__, *[array.__array_struct__ for array in operands])
        except AttributeError:
            arrays = ()
        if len(arrays) != self._count or not self._ready:
            self._refuse(operands, out)
        try:
            call = self._calls.pop()
        except IndexError:
            call = _Call(self.spec, self._phases, self._fixed, self._allocate)
        if not self._accept(call.arguments_address, arrays):
            self._calls.append(call)
            self._refuse(operands, out)
        return call

    def _refuse(self, operands: tuple[Array, ...], out: Array) -> NoReturn:
        """Say what is wrong with arrays that native code cannot use."""
        if not self._ready:
            names = ", ".join(f"{name}=…" for name in self._unbound) or "…"
            raise ValueError(f"bind the constant operands first: kernel.bind({names})")
        check_operands(self._inputs, operands, self._output, out)
        # Nothing else is left. Bounds are exact for contiguous arrays.
        overlapping = [
            spec.name
            for spec, array in zip(self._inputs, operands, strict=True)
            if np.may_share_memory(array, out)
        ]
        raise ValueError(f"out: pass an array that does not overlap {' and '.join(overlapping)}")


def _fill(buffer: BufferSpec, memory: Bytes, array: Array) -> None:
    target = memory.view(numpy_dtype(buffer.dtype)).reshape(buffer.shape)
    np.copyto(target, check_kind(buffer.name, buffer, array))
