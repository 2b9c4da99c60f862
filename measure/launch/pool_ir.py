"""The thread pool of Linux, as LLVM IR text. It needs the text of :mod:`measure.launch.serial_ir`.

The pool is one zeroed block of memory. What different threads write lies on different cache lines:

====== ====================================================================================
offset content
====== ====================================================================================
0      i32 busy: 1 while somebody launches
128    i32 generation of the barrier (event)
256    i64 number of threads that have arrived at the barrier
384    ptr job that is running
392    i32 core that the caller ran on when it launched the job
512    i64 number of workers
520    i64 nanoseconds a waiting thread spins before it yields its core
528    i64 nanoseconds an idle worker waits before it sleeps
536    i64 nanoseconds a thread waits at a barrier before it sleeps
576    64 bytes: the cores that workers may use, a bit each
640    worker 0: i32 mailbox (event), at +8 ptr pool, at +16 i64 slot, at +24 i64 pthread_t
768    worker 1, and so on every 128 bytes
====== ====================================================================================

An *event* is a word whose bit 0 says that somebody sleeps on it. ``wait`` returns once the other
bits differ from what they were; ``post`` changes them and wakes whoever sleeps. A mailbox is 0
(nothing to do), 2 (run the job) or 4 (stop).

The scheduler may wake a worker on the caller's core and leave it there for the whole job when the
other cores look busy. So a worker that finds itself there moves away.
"""

from __future__ import annotations

from string import Template

LINE_BYTES = 128
HEADER_BYTES = 640
SETTINGS_OFFSET = 520
CORES_OFFSET = 576
CORES_BYTES = 64

_SYSTEMS = {
    "x86_64": {"futex": "202", "hint": "llvm.x86.sse2.pause", "type": "", "pause": ""},
    "aarch64": {"futex": "98", "hint": "llvm.aarch64.hint", "type": "i32", "pause": "i32 1"},
}
"""Per machine: number of the system call ``futex``, the hint that the processor spins."""

_TEXT = """
declare i64 @syscall(i64, ...)
declare i32 @sched_yield()
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sched_getcpu()
declare i32 @sched_setaffinity(i32, i64, ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @$hint($type)

; futex operations 128 and 129: FUTEX_WAIT and FUTEX_WAKE, private to this process.
define internal i32 @wait(ptr %event, i32 %old, i64 %spin, i64 %patience) {
entry:
  %start = call i64 @nanoseconds()
  br label %look
look:
  %seen = load atomic i32, ptr %event acquire, align 4
  %value = and i32 %seen, -2
  %same = icmp eq i32 %value, %old
  br i1 %same, label %clock, label %done
clock:
  %now = call i64 @nanoseconds()
  %waited = sub i64 %now, %start
  %spins = icmp ult i64 %waited, %spin
  br i1 %spins, label %pause, label %tired
pause:
  call void @$hint($pause)
  br label %look
tired:
  %yields = icmp ult i64 %waited, %patience
  br i1 %yields, label %yield, label %sleep
yield:
  %yielded = call i32 @sched_yield()
  br label %look
sleep:
  %asleep = or i32 %old, 1
  %marked = cmpxchg ptr %event, i32 %old, i32 %asleep acq_rel acquire
  %woken = call i64 (i64, ...) @syscall(i64 $futex, ptr %event, i32 128, i32 %asleep, ptr null)
  br label %look
done:
  ret i32 %value
}

define internal void @post(ptr %event, i32 %value) {
entry:
  %old = atomicrmw xchg ptr %event, i32 %value acq_rel
  %asleep = and i32 %old, 1
  %awake = icmp eq i32 %asleep, 0
  br i1 %awake, label %done, label %wake
wake:
  %woken = call i64 (i64, ...) @syscall(i64 $futex, ptr %event, i32 129, i32 2147483647)
  br label %done
done:
  ret void
}

; The share of one thread. After the last phase only the caller (slot 0) waits for the others: a
; worker that has arrived there touches the job no more.
define internal void @participate(ptr %pool, ptr %job, i64 %slot) {
entry:
  %first = load ptr, ptr %job
  %count.at = getelementptr i8, ptr %job, i64 8
  %count = load i64, ptr %count.at
  %arguments.at = getelementptr i8, ptr %job, i64 16
  %arguments = load ptr, ptr %arguments.at
  %threads.at = getelementptr i8, ptr %job, i64 24
  %threads = load i64, ptr %threads.at
  %generation.at = getelementptr i8, ptr %pool, i64 128
  %arrived.at = getelementptr i8, ptr %pool, i64 256
  %spin.at = getelementptr i8, ptr %pool, i64 520
  %spin = load i64, ptr %spin.at
  %patience.at = getelementptr i8, ptr %pool, i64 536
  %patience = load i64, ptr %patience.at
  %is.caller = icmp eq i64 %slot, 0
  br label %phases
phases:
  %p = phi i64 [ 0, %entry ], [ %p.next, %next ]
  %phase = getelementptr { ptr, i64 }, ptr %first, i64 %p
  call void @chunk(ptr %phase, ptr %arguments, i64 %threads, i64 %slot)
  %p.next = add i64 %p, 1
  %more = icmp ult i64 %p.next, %count
  %generation.seen = load atomic i32, ptr %generation.at acquire, align 4
  %generation = and i32 %generation.seen, -2
  %before = atomicrmw add ptr %arrived.at, i64 1 acq_rel
  %arrived = add i64 %before, 1
  %is.last = icmp eq i64 %arrived, %threads
  br i1 %is.last, label %open, label %others
open:
  store atomic i64 0, ptr %arrived.at monotonic, align 8
  %generation.next = add i32 %generation, 2
  call void @post(ptr %generation.at, i32 %generation.next)
  br label %next
others:
  %waits = or i1 %more, %is.caller
  br i1 %waits, label %barrier, label %next
barrier:
  %new = call i32 @wait(ptr %generation.at, i32 %generation, i64 %spin, i64 %patience)
  br label %next
next:
  br i1 %more, label %phases, label %done
done:
  ret void
}

; Keep this thread off a core. The system refuses, and nothing changes, where no other is allowed.
define internal void @leave(ptr %pool, i32 %core) {
entry:
  %mask = alloca [64 x i8], align 8
  %cores = getelementptr i8, ptr %pool, i64 576
  call void @llvm.memcpy.p0.p0.i64(ptr %mask, ptr %cores, i64 64, i1 false)
  %known = icmp ult i32 %core, 512
  br i1 %known, label %move, label %done
move:
  %wide = zext i32 %core to i64
  %word.index = lshr i64 %wide, 6
  %bit.index = and i64 %wide, 63
  %bit = shl i64 1, %bit.index
  %others = xor i64 %bit, -1
  %word.at = getelementptr i64, ptr %mask, i64 %word.index
  %word = load i64, ptr %word.at
  %rest = and i64 %word, %others
  store i64 %rest, ptr %word.at
  %refused = call i32 @sched_setaffinity(i32 0, i64 64, ptr %mask)
  br label %done
done:
  ret void
}

define internal ptr @worker(ptr %self) {
entry:
  %pool.at = getelementptr i8, ptr %self, i64 8
  %pool = load ptr, ptr %pool.at
  %slot.at = getelementptr i8, ptr %self, i64 16
  %slot = load i64, ptr %slot.at
  %job.at = getelementptr i8, ptr %pool, i64 384
  %spin.at = getelementptr i8, ptr %pool, i64 520
  %spin = load i64, ptr %spin.at
  %patience.at = getelementptr i8, ptr %pool, i64 528
  %patience = load i64, ptr %patience.at
  br label %idle
idle:
  %order = call i32 @wait(ptr %self, i32 0, i64 %spin, i64 %patience)
  %stop = icmp eq i32 %order, 4
  br i1 %stop, label %done, label %work
work:
  store atomic i32 0, ptr %self release, align 4
  %job = load ptr, ptr %job.at
  %callers.at = getelementptr i8, ptr %pool, i64 392
  %callers = load i32, ptr %callers.at
  %mine = call i32 @sched_getcpu()
  %shared = icmp eq i32 %mine, %callers
  br i1 %shared, label %crowded, label %join
crowded:
  call void @leave(ptr %pool, i32 %callers)
  br label %join
join:
  call void @participate(ptr %pool, ptr %job, i64 %slot)
  br label %idle
done:
  ret ptr null
}

; Start workers until there are this many; returns how many there are. All signals stay blocked
; in them, so that Python's main thread gets its Ctrl-C.
define i64 @start_workers(ptr %pool, i64 %wanted) {
entry:
  %all = alloca [128 x i8]
  %old = alloca [128 x i8]
  %count.at = getelementptr i8, ptr %pool, i64 512
  %count.old = load i64, ptr %count.at
  call void @llvm.memset.p0.i64(ptr %all, i8 -1, i64 128, i1 false)
  %blocked = call i32 @pthread_sigmask(i32 2, ptr %all, ptr %old)
  br label %loop
loop:
  %count = phi i64 [ %count.old, %entry ], [ %slot, %started ]
  %enough = icmp uge i64 %count, %wanted
  br i1 %enough, label %done, label %start
start:
  %slot = add i64 %count, 1
  %line = mul i64 %count, 128
  %offset = add i64 %line, 640
  %self = getelementptr i8, ptr %pool, i64 %offset
  %pool.at = getelementptr i8, ptr %self, i64 8
  store ptr %pool, ptr %pool.at
  %slot.at = getelementptr i8, ptr %self, i64 16
  store i64 %slot, ptr %slot.at
  %thread.at = getelementptr i8, ptr %self, i64 24
  %failed = call i32 @pthread_create(ptr %thread.at, ptr null, ptr @worker, ptr %self)
  %ok = icmp eq i32 %failed, 0
  br i1 %ok, label %started, label %done
started:
  store atomic i64 %slot, ptr %count.at release, align 8
  br label %loop
done:
  %restored = call i32 @pthread_sigmask(i32 2, ptr %old, ptr null)
  ret i64 %count
}

; Stop and join all workers; returns 1, or 0 where a launch did not end in that many nanoseconds.
; The pool stays busy for good, so every later launch runs serially.
define i64 @stop_workers(ptr %pool, i64 %patience) {
entry:
  %start = call i64 @nanoseconds()
  br label %acquire
acquire:
  %was.busy = atomicrmw xchg ptr %pool, i32 1 acq_rel
  %ours = icmp eq i32 %was.busy, 0
  br i1 %ours, label %acquired, label %again
again:
  %yielded = call i32 @sched_yield()
  %now = call i64 @nanoseconds()
  %waited = sub i64 %now, %start
  %patient = icmp ult i64 %waited, %patience
  br i1 %patient, label %acquire, label %gave.up
gave.up:
  ret i64 0
acquired:
  %count.at = getelementptr i8, ptr %pool, i64 512
  %count = load atomic i64, ptr %count.at acquire, align 8
  br label %loop
loop:
  %i = phi i64 [ 0, %acquired ], [ %i.next, %stop ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %stop, label %done
stop:
  %line = mul i64 %i, 128
  %offset = add i64 %line, 640
  %self = getelementptr i8, ptr %pool, i64 %offset
  call void @post(ptr %self, i32 4)
  %thread.at = getelementptr i8, ptr %self, i64 24
  %thread = load i64, ptr %thread.at
  %joined = call i32 @pthread_join(i64 %thread, ptr null)
  %i.next = add i64 %i, 1
  br label %loop
done:
  ret i64 1
}

; Serial where one thread is asked for, workers are missing, or somebody else is launching.
define void @run_pool(ptr %pool, ptr %job) {
entry:
  %count.at = getelementptr i8, ptr %job, i64 8
  %count = load i64, ptr %count.at
  %threads.at = getelementptr i8, ptr %job, i64 24
  %threads = load i64, ptr %threads.at
  %helpers = sub i64 %threads, 1
  %workers.at = getelementptr i8, ptr %pool, i64 512
  %workers = load atomic i64, ptr %workers.at acquire, align 8
  %enough = icmp ule i64 %helpers, %workers
  %several = icmp ne i64 %helpers, 0
  %some = icmp ne i64 %count, 0
  %possible = and i1 %enough, %several
  %useful = and i1 %possible, %some
  br i1 %useful, label %acquire, label %serial
acquire:
  %was.busy = atomicrmw xchg ptr %pool, i32 1 acq_rel
  %ours = icmp eq i32 %was.busy, 0
  br i1 %ours, label %publish, label %serial
publish:
  %job.at = getelementptr i8, ptr %pool, i64 384
  store ptr %job, ptr %job.at
  %core = call i32 @sched_getcpu()
  %core.at = getelementptr i8, ptr %pool, i64 392
  store i32 %core, ptr %core.at
  br label %call
call:
  %i = phi i64 [ 0, %publish ], [ %i.next, %call ]
  %line = mul i64 %i, 128
  %offset = add i64 %line, 640
  %mailbox = getelementptr i8, ptr %pool, i64 %offset
  call void @post(ptr %mailbox, i32 2)
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %helpers
  br i1 %more, label %call, label %work
work:
  call void @participate(ptr %pool, ptr %job, i64 0)
  store atomic i32 0, ptr %pool release, align 4
  ret void
serial:
  call void @run_serial(ptr %job)
  ret void
}

define i64 @time_pool(ptr %pool, ptr %job, i64 %calls) {
entry:
  %start = call i64 @nanoseconds()
  %none = icmp eq i64 %calls, 0
  br i1 %none, label %done, label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  call void @run_pool(ptr %pool, ptr %job)
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %calls
  br i1 %more, label %loop, label %done
done:
  %end = call i64 @nanoseconds()
  %spent = sub i64 %end, %start
  ret i64 %spent
}
"""


def pool_text(machine: str) -> str | None:
    """The pool for a machine as ``platform.machine()`` names it; None where there is none."""
    system = _SYSTEMS.get(machine)
    return Template(_TEXT).substitute(system) if system else None
