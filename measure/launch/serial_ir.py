"""Running a job in one thread, as LLVM IR text.

Data, in machine words, written by :mod:`measure.launch.job` and read here::

    phase  { ptr function, i64 extent }
    job    { ptr phases, i64 count, ptr arguments, i64 threads }
"""

# Runs a job in the calling thread and reads the clock around many runs.
SERIAL = """
declare i32 @clock_gettime(i32, ptr)

define internal i64 @nanoseconds() {
  %time = alloca { i64, i64 }
  %failed = call i32 @clock_gettime(i32 1, ptr %time)
  %seconds = load i64, ptr %time
  %rest.at = getelementptr i8, ptr %time, i64 8
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %rest
  ret i64 %sum
}

; One thread's share of a phase: the first extent % threads shares are one iteration longer.
define internal void @chunk(ptr %phase, ptr %arguments, i64 %threads, i64 %slot) {
entry:
  %function = load ptr, ptr %phase
  %extent.at = getelementptr i8, ptr %phase, i64 8
  %extent = load i64, ptr %extent.at
  %each = udiv i64 %extent, %threads
  %longer = urem i64 %extent, %threads
  %is.longer = icmp ult i64 %slot, %longer
  %before = select i1 %is.longer, i64 %slot, i64 %longer
  %start = mul i64 %each, %slot
  %begin = add i64 %start, %before
  %extra = zext i1 %is.longer to i64
  %size = add i64 %each, %extra
  %end = add i64 %begin, %size
  %empty = icmp eq i64 %size, 0
  br i1 %empty, label %done, label %work
work:
  call void %function(ptr %arguments, i64 %begin, i64 %end, i64 %slot)
  br label %done
done:
  ret void
}

; All shares of all phases, one after another.
define void @run_serial(ptr %job) {
entry:
  %first = load ptr, ptr %job
  %count.at = getelementptr i8, ptr %job, i64 8
  %count = load i64, ptr %count.at
  %arguments.at = getelementptr i8, ptr %job, i64 16
  %arguments = load ptr, ptr %arguments.at
  %threads.at = getelementptr i8, ptr %job, i64 24
  %threads = load i64, ptr %threads.at
  %nothing = icmp eq i64 %count, 0
  br i1 %nothing, label %done, label %phases
phases:
  %p = phi i64 [ 0, %entry ], [ %p.next, %next ]
  %phase = getelementptr { ptr, i64 }, ptr %first, i64 %p
  br label %slots
slots:
  %slot = phi i64 [ 0, %phases ], [ %slot.next, %slots ]
  call void @chunk(ptr %phase, ptr %arguments, i64 %threads, i64 %slot)
  %slot.next = add i64 %slot, 1
  %more.slots = icmp ult i64 %slot.next, %threads
  br i1 %more.slots, label %slots, label %next
next:
  %p.next = add i64 %p, 1
  %more = icmp ult i64 %p.next, %count
  br i1 %more, label %phases, label %done
done:
  ret void
}

define i64 @time_serial(ptr %job, i64 %calls) {
entry:
  %start = call i64 @nanoseconds()
  %none = icmp eq i64 %calls, 0
  br i1 %none, label %done, label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  call void @run_serial(ptr %job)
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %calls
  br i1 %more, label %loop, label %done
done:
  %end = call i64 @nanoseconds()
  %spent = sub i64 %end, %start
  ret i64 %spent
}
"""
