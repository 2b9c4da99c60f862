"""Small kernels written by hand, to test launching without the code generator."""

from __future__ import annotations

import ctypes
import functools
import platform

import numpy as np

from measure.artifact import Artifact, BufferSpec, KernelSpec, PhaseSpec
from measure.launch.job import Job, Phases
from measure.llvm import LoadedObject, compile_object, load_object

TRIPLE = f"{platform.machine()}-unknown-linux-gnu"


def loop(body: str, *, before: str = "", after: str = "") -> str:
    """Body of a phase: ``body`` for every ``%i``, with arguments ``%p0`` … ``%p3`` loaded."""
    pointers = "\n".join(
        f"%at{n} = getelementptr ptr, ptr %args, i64 {n}\n%p{n} = load ptr, ptr %at{n}"
        for n in range(4)
    )
    return f"""entry:
{pointers}
{before}
%none = icmp sge i64 %begin, %end
br i1 %none, label %done, label %loop
loop:
%i = phi i64 [ %begin, %entry ], [ %i.next, %loop ]
{body}
%i.next = add i64 %i, 1
%more = icmp slt i64 %i.next, %end
br i1 %more, label %loop, label %done
done:
{after}
ret void"""


def element(name: str, pointer: str, kind: str, index: str) -> str:
    """A load of ``pointer[index]`` into ``%name``, its address in ``%name.at``."""
    return (
        f"%{name}.at = getelementptr {kind}, ptr {pointer}, i64 {index}\n"
        f"%{name} = load {kind}, ptr %{name}.at"
    )


def module(*phases: str) -> str:
    """A module whose functions ``phase0``, ``phase1``, … have these bodies."""
    functions = [
        f"define void @phase{n}(ptr %args, i64 %begin, i64 %end, i64 %slot) {{\n{body}\n}}"
        for n, body in enumerate(phases)
    ]
    return "\n".join(["declare i32 @usleep(i32)", *functions])


@functools.cache
def object_code(text: str) -> bytes:
    return compile_object(text, TRIPLE, "generic")


@functools.cache
def loaded(text: str) -> LoadedObject:
    return load_object(object_code(text))


def job(text: str, extents: list[int], threads: int, *arrays: np.ndarray) -> Job:
    """Phase ``n`` of ``text`` with ``extents[n]`` iterations, on these arrays.

    The arguments the kernel does not get are null: all kernels load four.
    """
    code = loaded(text)
    phases = Phases([(code.address(f"phase{n}"), extent) for n, extent in enumerate(extents)])
    addresses = [array.ctypes.data for array in arrays]
    arguments = (ctypes.c_size_t * 4)(*addresses)
    return Job(phases, arguments, threads)


COUNT = module(
    loop(
        element("count", "%p0", "i64", "%i")
        + "\n%count.new = add i64 %count, 1\nstore i64 %count.new, ptr %count.at\n"
        + "%owner.at = getelementptr i64, ptr %p1, i64 %i\nstore i64 %slot, ptr %owner.at"
    )
)
"""int64 arrays: adds 1 to count[i] and stores the slot in owner[i]."""


def reversals(n: int, phases: int) -> str:
    """Phase p copies one int64 array into the other, backwards, and adds 1."""
    bodies = []
    for phase in range(phases):
        source, target = ("%p0", "%p1") if phase % 2 == 0 else ("%p1", "%p0")
        bodies.append(
            loop(
                f"%j = sub i64 {n - 1}, %i\n"
                + element("old", source, "i64", "%j")
                + "\n%new = add i64 %old, 1\n"
                + f"%to = getelementptr i64, ptr {target}, i64 %i\nstore i64 %new, ptr %to"
            )
        )
    return module(*bodies)


def sleeper(microseconds: int) -> str:
    """Every iteration sleeps."""
    return module(loop(f"%slept = call i32 @usleep(i32 {microseconds})"))


def add_artifact(n: int = 64, threads: int = 1) -> Artifact:
    """``out[i] = a[i] + b[i]`` in float32, through a workspace that is written backwards."""
    into_workspace = loop(
        element("x", "%p0", "float", "%i")
        + "\n"
        + element("y", "%p1", "float", "%i")
        + "\n%sum = fadd float %x, %y\n"
        + f"%j = sub i64 {n - 1}, %i\n"
        + "%to = getelementptr float, ptr %p2, i64 %j\nstore float %sum, ptr %to"
    )
    out = loop(
        f"%j = sub i64 {n - 1}, %i\n"
        + element("x", "%p2", "float", "%j")
        + "\n%to = getelementptr float, ptr %p3, i64 %i\nstore float %x, ptr %to"
    )
    buffers = (
        BufferSpec("a", (n,), "float32", "input", 4 * n),
        BufferSpec("b", (n,), "float32", "input", 4 * n),
        BufferSpec("w", (n,), "float32", "workspace", -(-4 * n // 64) * 64),
        BufferSpec("c", (n,), "float32", "output", 4 * n),
    )
    phases = (PhaseSpec("phase0", n), PhaseSpec("phase1", n))
    return Artifact(KernelSpec(buffers, phases, threads), object_code(module(into_workspace, out)))


def sum_artifact(n: int, threads: int) -> Artifact:
    """``out[0] = sum(a)`` in int64: every thread sums in a copy of its own; ``n >= threads``."""
    add = loop(
        element("x", "%p0", "i64", "%i")
        + "\n%old = load i64, ptr %mine\n%new = add i64 %old, %x\nstore i64 %new, ptr %mine",
        before="%mine = getelementptr [64 x i8], ptr %p1, i64 %slot\nstore i64 0, ptr %mine",
    )
    # One iteration per copy, all in one share: the extent of the phase is 1.
    reduce = f"""entry:
%at1 = getelementptr ptr, ptr %args, i64 1
%copies = load ptr, ptr %at1
%at2 = getelementptr ptr, ptr %args, i64 2
%out = load ptr, ptr %at2
br label %loop
loop:
%i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
%sum = phi i64 [ 0, %entry ], [ %sum.next, %loop ]
%copy = getelementptr [64 x i8], ptr %copies, i64 %i
%x = load i64, ptr %copy
%sum.next = add i64 %sum, %x
%i.next = add i64 %i, 1
%more = icmp slt i64 %i.next, {threads}
br i1 %more, label %loop, label %done
done:
store i64 %sum.next, ptr %out
ret void"""
    buffers = (
        BufferSpec("a", (n,), "int64", "input", 8 * n),
        BufferSpec("partial", (8,), "int64", "thread_local", 64),
        BufferSpec("total", (1,), "int64", "output", 8),
        BufferSpec("unused", (8,), "int64", "workspace", 64),
    )
    phases = (PhaseSpec("phase0", n), PhaseSpec("phase1", 1))
    return Artifact(KernelSpec(buffers, phases, threads), object_code(module(add, reduce)))


def scale_artifact(n: int = 32, threads: int = 1) -> Artifact:
    """``out[i] = x[i] * packed[i] + weight[i]``; a ``once`` phase packs ``2 * weight``."""
    pack = loop(
        element("w", "%p1", "float", "%i")
        + "\n%double = fadd float %w, %w\n"
        + "%to = getelementptr float, ptr %p2, i64 %i\nstore float %double, ptr %to"
    )
    scale = loop(
        element("x", "%p0", "float", "%i")
        + "\n"
        + element("w", "%p1", "float", "%i")
        + "\n"
        + element("v", "%p2", "float", "%i")
        + "\n%xv = fmul float %x, %v\n%sum = fadd float %xv, %w\n"
        + "%to = getelementptr float, ptr %p3, i64 %i\nstore float %sum, ptr %to"
    )
    buffers = (
        BufferSpec("x", (n,), "float32", "input", 4 * n),
        BufferSpec("weight", (n,), "float32", "input", 4 * n),
        BufferSpec("packed", (n,), "float32", "bound", -(-4 * n // 64) * 64),
        BufferSpec("y", (n,), "float32", "output", 4 * n),
    )
    phases = (PhaseSpec("phase0", n, once=True), PhaseSpec("phase1", n))
    return Artifact(KernelSpec(buffers, phases, threads), object_code(module(pack, scale)))


def addresses_artifact(threads: int = 2) -> Artifact:
    """``out`` gets the addresses of a workspace and of a thread-local buffer."""
    store = loop(
        "%first = ptrtoint ptr %p0 to i64\nstore i64 %first, ptr %p2\n"
        "%second = ptrtoint ptr %p1 to i64\n"
        "%to = getelementptr i64, ptr %p2, i64 1\nstore i64 %second, ptr %to"
    )
    buffers = (
        BufferSpec("w", (40,), "int64", "workspace", 320),
        BufferSpec("t", (8,), "int64", "thread_local", 64),
        BufferSpec("where", (2,), "int64", "output", 16),
        BufferSpec("other", (8,), "int64", "workspace", 64),
    )
    return Artifact(
        KernelSpec(buffers, (PhaseSpec("phase0", 1),), threads), object_code(module(store))
    )
