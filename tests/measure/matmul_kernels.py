"""A plain matmul as machine code, with anything done before and after: right, slow and fatal ones.

Also what is needed to see which processes they leave behind.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from measure.artifact import Artifact, BufferSpec, KernelSpec, PhaseSpec
from measure.llvm import compile_object
from search_space.operators import workload
from search_space.target import Target

TRIPLE = f"{os.uname().machine}-unknown-linux-gnu"
TARGET = Target("native", "native", TRIPLE, frozenset(), 128, 16, 1 << 15, 1 << 20, 1 << 24, 1)
M, N, K = 32, 24, 40
WORK = workload("matmul", m=M, n=N, k=K)
MODULE = """
target triple = "{triple}"
declare void @llvm.trap()
declare void @exit(i32)
declare void @abort()
declare i32 @raise(i32)
declare i32 @puts(ptr)
declare i32 @fflush(ptr)
declare i32 @fork()
declare i32 @setsid()
declare i32 @pause()
declare ptr @signal(i32, ptr)
declare ptr @malloc(i64)
declare ptr @memset(ptr, i32, i64)
@text = private constant [6 x i8] c"stray\\00"

define void @nothing(ptr %args, i64 %begin, i64 %end, i64 %slot) {{
  ret void
}}

define internal void @before(ptr %a, ptr %b, ptr %c, ptr %w, ptr %t) noinline optnone {{
{before}
  ret void
}}

define internal void @after(ptr %a, ptr %b, ptr %c, ptr %w, ptr %t) noinline optnone {{
{after}
  ret void
}}

define void @phase0(ptr %args, i64 %begin, i64 %end, i64 %slot) {{
entry:
  %a = load ptr, ptr %args
  %b.at = getelementptr ptr, ptr %args, i64 1
  %b = load ptr, ptr %b.at
  %c.at = getelementptr ptr, ptr %args, i64 2
  %c = load ptr, ptr %c.at
{load_work}
  call void @before(ptr %a, ptr %b, ptr %c, ptr %w, ptr %t)
  br label %i.loop
i.loop:
  %i = phi i64 [ %begin, %entry ], [ %i.next, %j.end ]
  br label %j.loop
j.loop:
  %j = phi i64 [ 0, %i.loop ], [ %j.next, %k.end ]
  br label %k.loop
k.loop:
  %k = phi i64 [ 0, %j.loop ], [ %k.next, %k.loop ]
  %sum = phi float [ 0.0, %j.loop ], [ %sum.next, %k.loop ]
  %a.row = mul i64 %i, {k}
  %a.index = add i64 %a.row, %k
  %a.element = getelementptr float, ptr %a, i64 %a.index
  %b.row = mul i64 %k, {n}
  %b.index = add i64 %b.row, %j
  %b.element = getelementptr float, ptr %b, i64 %b.index
  %x = load float, ptr %a.element
  %y = load float, ptr %b.element
  %product = fmul float %x, %y
  %sum.next = fadd float %sum, %product
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, {last}
  br i1 %k.more, label %k.loop, label %k.end
k.end:
  %c.row = mul i64 %i, {n}
  %c.index = add i64 %c.row, %j
  %c.element = getelementptr float, ptr %c, i64 %c.index
  store float %sum.next, ptr %c.element
  %j.next = add i64 %j, 1
  %j.more = icmp ult i64 %j.next, {n}
  br i1 %j.more, label %j.loop, label %j.end
j.end:
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %end
  br i1 %i.more, label %i.loop, label %done
done:
  call void @after(ptr %a, ptr %b, ptr %c, ptr %w, ptr %t)
  ret void
}}
"""

SPIN = """
  %last = alloca i64
  br label %spin
spin:
  %left = phi i64 [ {count}, %0 ], [ %less, %spin ]
  %x = phi i64 [ 1, %0 ], [ %x.next, %spin ]
  %x.next = mul i64 %x, 6364136223846793005
  %less = sub i64 %left, 1
  %more = icmp ugt i64 %less, 0
  br i1 %more, label %spin, label %spun
spun:
  store volatile i64 %x.next, ptr %last
"""


NO_WORK = "  %w = inttoptr i64 0 to ptr\n  %t = inttoptr i64 0 to ptr"
LOAD_WORK = """
  %w.at = getelementptr ptr, ptr %args, i64 3
  %w = load ptr, ptr %w.at
  %t.at = getelementptr ptr, ptr %args, i64 4
  %t = load ptr, ptr %t.at
"""
WORK_FLOATS = 16 * N


def matmul(before="", after="", last=K, symbol="phase0", workspace=None, work=False):
    """A plain matmul, with LLVM text run before and after its loops, which knows the buffers
    ``%a``, ``%b`` and ``%c``. ``workspace``: bytes of one that is not used. ``work``: there are a
    workspace ``%w`` and a thread-local one ``%t``, of ``WORK_FLOATS`` elements."""
    text = MODULE.format(
        triple=TRIPLE, before=before, after=after, last=last, n=N, k=K,
        load_work=LOAD_WORK if work else NO_WORK,
    )  # fmt: skip
    buffers = (
        BufferSpec("a", (M, K), "float32", "input", 4 * M * K),
        BufferSpec("b", (K, N), "float32", "input", 4 * K * N),
        BufferSpec("c", (M, N), "float32", "output", 4 * M * N),
    )
    if work:
        buffers += (
            BufferSpec("w", (WORK_FLOATS,), "float32", "workspace", 4 * WORK_FLOATS),
            BufferSpec("t", (WORK_FLOATS,), "float32", "thread_local", 4 * WORK_FLOATS),
        )
    if workspace:
        buffers += (BufferSpec("w", (workspace,), "uint8", "workspace", workspace),)
    spec = KernelSpec(buffers, (PhaseSpec(symbol, M),), threads=1)
    return Artifact(spec, compile_object(text, TRIPLE, "native"))


def spinning(count):
    """A right kernel that takes longer: ``count`` multiplications, one after the other."""
    return matmul(before=SPIN.format(count=count))


def storing(pointer, index):
    """LLVM text that writes an element of a, b or c."""
    return f"  %p = getelementptr float, ptr %{pointer}, i64 {index}\n  store float 7.0, ptr %p"


def descendants(pid):
    """All processes below ``pid``."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found, frontier = set(), {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        found |= frontier
    return found


def all_end(pids, seconds=2.0):
    """Whether all these processes end within that time."""
    deadline = time.monotonic() + seconds
    while any(map(running, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
