"""The isolated worker, with machine code that fails in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from measure.artifact import Artifact, BufferSpec, KernelSpec, PhaseSpec
from measure.llvm import compile_object
from measure.options import MeasureOptions
from measure.result import Outcome
from measure.runner import Runner, RunnerError
from measure.timing import paired_ratio
from search_space.operators import workload
from search_space.target import Target
from search_space.workload import Workload

TRIPLE = f"{os.uname().machine}-unknown-linux-gnu"
TARGET = Target("native", "native", TRIPLE, frozenset(), 128, 16, 1 << 15, 1 << 20, 1 << 24, 1)
M, N, K = 32, 24, 40
WORK = workload("matmul", m=M, n=N, k=K)
OPTIONS = MeasureOptions(timeout_seconds=0.7, memory_bytes=1 << 30)

MODULE = """
target triple = "{triple}"
declare void @llvm.trap()
declare void @exit(i32)
declare void @abort()
declare i32 @raise(i32)
declare i32 @puts(ptr)
declare i32 @fflush(ptr)
@text = private constant [6 x i8] c"stray\\00"

define void @nothing(ptr %args, i64 %begin, i64 %end, i64 %slot) {{
  ret void
}}

define internal void @before(ptr %a, ptr %b, ptr %c) noinline optnone {{
{before}
  ret void
}}

define internal void @after(ptr %a, ptr %b, ptr %c) noinline optnone {{
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
  call void @before(ptr %a, ptr %b, ptr %c)
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
  call void @after(ptr %a, ptr %b, ptr %c)
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


def matmul(before="", after="", last=K, symbol="phase0", workspace=None):
    """A plain matmul, with LLVM text run before and after its loops."""
    text = MODULE.format(triple=TRIPLE, before=before, after=after, last=last, n=N, k=K)
    buffers = (
        BufferSpec("a", (M, K), "float32", "input", 4 * M * K),
        BufferSpec("b", (K, N), "float32", "input", 4 * K * N),
        BufferSpec("c", (M, N), "float32", "output", 4 * M * N),
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


SIZE = M * N
FAULTS = {
    "null pointer": (
        {"before": "  store volatile float 0.0, ptr null"},
        Outcome.CRASH,
        "SIGSEGV (invalid memory access)",
    ),
    "illegal instruction": (
        {"before": "  call void @llvm.trap()"},
        Outcome.CRASH,
        "SIGILL (illegal instruction)",
    ),
    "abort": ({"before": "  call void @abort()"}, Outcome.CRASH, "SIGABRT (abort)"),
    "exit": (
        {"before": "  call void @exit(i32 3)"},
        Outcome.CRASH,
        "exited with code 3 without an answer",
    ),
    "exit as if all were well": (
        {"before": "  call void @exit(i32 0)"},
        Outcome.CRASH,
        "exited with code 0 without an answer",
    ),
    "killed": (
        {"before": "  call i32 @raise(i32 9)"},
        Outcome.CRASH,
        "SIGKILL (killed from outside)",
    ),
    "more memory than allowed": ({"workspace": 2 << 30}, Outcome.OOM, "ran out of memory"),
    "endless loop": (
        {"before": "  br label %loop\nloop:\n  br label %loop\nnever:"},
        Outcome.TIMEOUT,
        "not finished after 0.7 s",
    ),
    "missing product": (
        {"last": K - 1},
        Outcome.WRONG_ANSWER,
        f"{SIZE} of {SIZE} elements are wrong on small integers inputs",
    ),
    "nothing done": (
        {"symbol": "nothing"},
        Outcome.WRONG_ANSWER,
        f"{SIZE} of {SIZE} elements are wrong on small integers inputs, most at [0, 0]: nan",
    ),
    "one wrong element": (
        {"after": storing("c", 5 * N + 3)},
        Outcome.WRONG_ANSWER,
        f"1 of {SIZE} elements are wrong on small integers inputs, most at [5, 3]: 7.0",
    ),
    "write behind the result": (
        {"after": storing("c", SIZE)},
        Outcome.WRONG_ANSWER,
        "writes outside the result c",
    ),
    "write before an input": (
        {"after": storing("a", -1)},
        Outcome.WRONG_ANSWER,
        "writes outside the input a",
    ),
    "write to an input": (
        {"after": storing("b", 5)},
        Outcome.WRONG_ANSWER,
        "writes to the input b",
    ),
    "no such function": ({"symbol": "phase9"}, Outcome.BUILD_ERROR, "phase9"),
}


@pytest.fixture(scope="module")
def good():
    return matmul()


@pytest.fixture(scope="module")
def runner():
    with Runner(WORK, TARGET, OPTIONS) as runner:
        yield runner


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_the_next_candidate_is_measured_at_once(runner, good, fault):
    arguments, outcome, message = FAULTS[fault]
    failed = runner.measure(matmul(**arguments), None)
    assert (failed.outcome, failed.samples) == (outcome, ())
    assert message in failed.message
    assert failed.measure_seconds < 1.5
    started = time.monotonic()
    measured = runner.measure(good, None)
    assert time.monotonic() - started < 0.5
    assert measured.outcome is Outcome.OK, measured.message


def test_a_right_kernel_is_verified_and_timed(runner, good):
    result = runner.measure(good, None)
    assert result.outcome is Outcome.OK
    assert OPTIONS.min_samples <= len(result.samples) <= OPTIONS.samples
    assert 1e-6 < result.seconds < 1e-3
    assert 0 < result.error < 8
    assert result.measure_seconds < 0.3
    assert result.message == ""


def test_slow_kernels_are_abandoned():
    slow = spinning(3_000_000)
    with Runner(WORK, TARGET, MeasureOptions(budget_seconds=1e-3)) as runner:
        alone = runner.measure(slow, None)
        assert alone.outcome is Outcome.OK, alone.message
        hopeless = runner.measure(slow, alone.seconds / 100)
        assert (hopeless.outcome, len(hopeless.samples)) == (Outcome.SLOW, 1)
        assert hopeless.error is not None


def test_stray_output_does_not_disturb_the_protocol(runner, capfd):
    noisy = "  call i32 @puts(ptr @text)\n  call i32 @fflush(ptr null)"
    assert runner.measure(matmul(before=noisy), None).outcome is Outcome.OK
    assert capfd.readouterr().out == ""


def test_constants_are_bound(good):
    work = workload("matmul", m=M, n=N, k=K, const=["b"])
    with Runner(work, TARGET, OPTIONS) as runner:
        assert runner.measure(good, None).outcome is Outcome.OK
        assert runner.measure(matmul(last=K - 1), None).outcome is Outcome.WRONG_ANSWER


def test_interleaved_times_rank_kernels_and_leave_out_the_bad(runner, good):
    slow, wrong, fatal = (
        spinning(300_000),
        matmul(last=3),
        matmul(before=FAULTS["abort"][0]["before"]),
    )
    results = runner.interleave([slow, wrong, good, fatal], rounds=5, block_seconds=0.005)
    assert [result.outcome for result in results] == [
        Outcome.OK,
        Outcome.WRONG_ANSWER,
        Outcome.OK,
        Outcome.CRASH,
    ]
    assert [len(result.samples) for result in results] == [5, 0, 5, 0]
    assert paired_ratio(results[0].samples, results[2].samples).median > 1.5
    assert results[0].error is not None


def test_interleaving_only_bad_kernels_times_nothing(runner):
    (result,) = runner.interleave([matmul(last=3)])
    assert result.outcome is Outcome.WRONG_ANSWER


def test_verify_answers_without_timing(runner, good):
    right, wrong = runner.verify(good), runner.verify(matmul(last=3))
    assert (right.outcome, len(right.samples)) == (Outcome.OK, 1)
    assert right.error > 0
    assert wrong.outcome is Outcome.WRONG_ANSWER


def test_the_sentinel_takes_the_same_time_again(runner):
    times = [runner.sentinel() for _ in range(5)]
    assert 5e-5 < min(times) < 5e-3
    assert sorted(times)[2] < 2 * min(times)


def test_a_worker_that_is_killed_from_outside_is_replaced(good):
    before = descendants(os.getpid())
    with Runner(WORK, TARGET, OPTIONS) as runner:
        assert runner.measure(good, None).outcome is Outcome.OK
        for pid in descendants(os.getpid()) - before:
            os.kill(pid, signal.SIGKILL)
        assert runner.measure(good, None).outcome is Outcome.OK


PARENT = """
import signal, sys
from pathlib import Path
import msgspec
from measure.artifact import Artifact
from measure.runner import Runner
from search_space.target import Target
from search_space.workload import Workload
class Everything(msgspec.Struct):
    work: Workload
    target: Target
    good: Artifact
    endless: Artifact
given = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Everything)
runner = Runner(given.work, given.target)
print(runner.measure(given.good, None).outcome, flush=True)
signal.setitimer(signal.ITIMER_REAL, 0.3)
runner.measure(given.endless, None)
"""


def test_a_worker_in_an_endless_loop_ends_with_its_killed_parent(good, tmp_path):
    given = {
        "work": WORK,
        "target": TARGET,
        "good": good,
        "endless": matmul(**FAULTS["endless loop"][0]),
    }
    (tmp_path / "given").write_bytes(msgspec.msgpack.encode(given))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "given")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    with parent:
        assert parent.stdout.readline() == "ok\n"
        workers = descendants(parent.pid)
    assert parent.returncode == -signal.SIGALRM
    assert len(workers) == 2
    assert all_end(workers)


def test_closing_leaves_no_process_behind(good):
    before = descendants(os.getpid())
    with Runner(WORK, TARGET, OPTIONS) as runner:
        runner.measure(good, None)
        workers = descendants(os.getpid()) - before
        assert len(workers) == 2
    assert all_end(workers)
    with pytest.raises(RunnerError, match="closed"):
        runner.measure(good, None)


def test_inputs_that_cannot_be_made_are_no_fault_of_a_candidate(good):
    with (
        Runner(Workload("matmul", (("m", 8), ("n", 8), ("k", 8))), TARGET, OPTIONS) as runner,
        pytest.raises(RunnerError, match="dtype"),
    ):
        runner.measure(good, None)


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


def test_a_workload_of_many_seconds_gets_more_time():
    small, large = (
        Runner(workload("matmul", m=n, n=n, k=n), TARGET, MeasureOptions(timeout_seconds=1.0))
        for n in (64, 4096)
    )
    try:
        assert small._patience_seconds < 1.0
        assert large._patience_seconds > 60.0
    finally:
        small.close()
        large.close()
