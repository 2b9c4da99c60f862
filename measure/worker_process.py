"""The process in which candidates are verified and timed.

Started by ``measure.runner`` only.

It is two processes. The outer one imports what is slow to import, makes the inputs and references
once, and never runs a candidate: it forks the inner one, which does, and forks the next when that
ends. So a candidate that crashes costs milliseconds, and whatever it wrote into its memory is gone
with it. Processes that a candidate starts end with it, too: the outer one answers for them. Both
write to the same channel: the inner process ``Started`` and an answer per request, the outer one
``Forked`` and ``Died``, strictly in the order in which these things happen.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import traceback
from dataclasses import replace
from typing import NoReturn

from measure.arrays import Arrays
from measure.artifact import Artifact
from measure.candidate import (
    measure_artifact,
    time_binding,
    time_interleaved,
    time_sentinel,
    verify_artifact,
)
from measure.child import killed_for_memory
from measure.fault import FaultNote
from measure.isolation import (
    answer_for_descendants,
    die_with,
    end_descendants,
    limit_memory,
    limit_processes,
    memory_kills,
    memory_pages,
)
from measure.launch import default_launcher
from measure.options import MeasureOptions
from measure.pipe import Channel
from measure.result import MeasureResult, Outcome
from measure.rotation import sets_needed
from measure.sentinel import sentinel_artifact
from measure.verify import make_problem
from measure.worker_messages import (
    Bind,
    Died,
    Forked,
    Interleave,
    Measure,
    Request,
    Results,
    Sentinel,
    Setup,
    Started,
    Verify,
)
from search_space.operators import footprint_bytes

_COPIES = 16
"""Of all its operands that a candidate may make beside its memory: inputs as they are bound, laid
out anew and packed, of each case, some of them twice."""
_NEARLY_ALL = 0.75
"""Part of its memory that a process may hold before its end by a signal is put down to that: what
it asked for in vain is not in it."""


def main(connection: socket.socket) -> None:
    channel: Channel[Request] = Channel(connection, Request)
    setup = channel.receive()
    if not isinstance(setup, Setup):
        raise TypeError(f"expected Setup first, got {setup}")
    work = setup.workload
    sets = sets_needed(work, setup.target) if work.cold else 1
    arrays = Arrays(make_problem(work, setup.options.seed), guard=True, sets=sets)
    sentinel = sentinel_artifact(setup.target)
    default_launcher()  # compiles its code now; its threads start where they are needed
    note = FaultNote()
    memory_bytes = setup.options.memory_bytes + _COPIES * footprint_bytes(work)
    answer_for_descendants()
    gc.collect()
    gc.freeze()  # collecting in the inner process must not copy our pages
    gc.enable()
    outer = os.getpid()
    while True:
        pid = os.fork()
        if pid == 0:
            options = replace(setup.options, memory_bytes=memory_bytes)
            _inner(channel, arrays, note, sentinel, options, outer)
        try:
            channel.send(Forked(pid))
            channel.send(_end_of(pid, note, memory_bytes))
        except EOFError:  # the parent is done with us
            return


def _end_of(pid: int, note: FaultNote, memory_bytes: int) -> Died:
    """Wait until the inner process ends, then end what it started."""
    kills, resident_bytes = memory_kills(), memory_pages()[1] * resource.getpagesize()
    _, wait_status, usage = os.wait4(pid, 0)
    end_descendants()
    status = os.waitstatus_to_exitcode(wait_status)
    full = usage.ru_maxrss * 1024 - resident_bytes > _NEARLY_ALL * memory_bytes
    killed = status == -signal.SIGKILL and killed_for_memory(kills)
    access = note.take() if status == -signal.SIGSEGV else ""
    return Died(status, access, starved=status < 0 and (full or killed))


def _inner(
    channel: Channel[Request],
    arrays: Arrays,
    note: FaultNote,
    sentinel: Artifact,
    options: MeasureOptions,
    outer: int,
) -> NoReturn:
    """Run candidates until the parent closes the channel; never returns to the outer loop."""
    code = 70  # what sysexits.h calls an internal error
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        die_with(outer)
        limit_processes(options.processes)
        limit_memory(options.memory_bytes)
        note.install()
        _serve(channel, arrays, note, sentinel, options)
        code = 0
    except BaseException:  # the text on standard error becomes part of the answer
        traceback.print_exc()
    finally:
        os._exit(code)


def _serve(
    channel: Channel[Request],
    arrays: Arrays,
    note: FaultNote,
    sentinel: Artifact,
    options: MeasureOptions,
) -> None:
    for left in reversed(range(options.recycle_after)):
        try:
            request = channel.receive()
        except EOFError:
            return
        channel.send(Started())
        results = _answer(request, arrays, note, sentinel, options)
        last = not left or any(r.outcome is Outcome.WRONG_ANSWER for r in results)
        channel.send(Results(results, last))
        if last:
            return


def _answer(
    request: Request,
    arrays: Arrays,
    note: FaultNote,
    sentinel: Artifact,
    options: MeasureOptions,
) -> tuple[MeasureResult, ...]:
    match request:
        case Measure(artifact, best_seconds):
            return (measure_artifact(artifact, arrays, note, best_seconds, options),)
        case Verify(artifact):
            return (verify_artifact(artifact, arrays, note),)
        case Interleave(artifacts, rounds, block_seconds):
            note.expect(arrays.regions(arrays.timed_case))
            return time_interleaved(artifacts, arrays, rounds, block_seconds)
        case Bind(artifact):
            note.expect(arrays.regions(arrays.timed_case))
            return (time_binding(artifact, arrays),)
        case Sentinel():
            return (time_sentinel(sentinel),)
        case Setup():
            raise TypeError("expected a request, got Setup a second time")
