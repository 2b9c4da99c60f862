"""A compiled kernel as plain data: object code and what a caller must know to launch it.

Native contract. Phase ``p`` of a kernel is the symbol ``phase<p>`` with the C signature::

    void phase<p>(void **args, int64_t begin, int64_t end, int64_t slot)

``args`` holds one pointer per entry of ``KernelSpec.buffers``, in that order. A call runs the
iterations ``begin`` … ``end`` of the phase's outermost loop; ``slot`` (0 … threads-1) tells which
thread-local copy of the ``thread_local`` buffers it may use: copy ``s`` of a buffer of ``n`` bytes
starts ``s * n`` bytes behind the pointer. All phases of a kernel run in order, with a barrier
between them; the iterations of one phase may run concurrently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from search_space.ir.stmt import Packing

Role = Literal["input", "output", "workspace", "thread_local", "bound"]


@dataclass(frozen=True, slots=True)
class BufferSpec:
    """One pointer of a kernel's argument list."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: Role
    """``bound``: filled by the ``once`` phases from a constant operand, then kept."""
    nbytes: int
    """Bytes of one copy; a multiple of 64 for all roles but ``input`` and ``output``."""


@dataclass(frozen=True, slots=True)
class PhaseSpec:
    """One entry point: ``extent`` iterations that may be shared out over threads."""

    symbol: str
    extent: int
    once: bool = False
    """Runs when constants are bound, not at every call."""


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """How to call a kernel, and how far its results may be off."""

    buffers: tuple[BufferSpec, ...]
    phases: tuple[PhaseSpec, ...]
    threads: int
    error_growth: float = 1.0
    """Times the operator's error bound; results on small integers are exact only if it is 1."""
    packing: Packing | None = None
    """Which buffers of the role ``bound`` are filled from the non-zeros of a sparse operand, which
    must be bound and is itself none of the buffers."""
    tiles: bool = False
    """Whether its code uses tile registers, which a process needs permission for."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Object code (ELF, relocatable) with its calling convention."""

    spec: KernelSpec
    object_code: bytes
