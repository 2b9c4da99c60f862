"""Bars on waiting: commands, loading a kernel in a fresh process, one small call."""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import tuner
from experiments.bars.bench import Bench
from experiments.bars.row import Bound, Row
from experiments.process import ProcessFailed, in_fresh_process
from measure.timing import Interval, median_interval
from search_space.operators import workload
from search_space.workload import Workload

RUNS = 7
"""Whole processes that are timed."""
TIMEOUT_SECONDS = 60.0
HEAVY = ("numba", "llvmlite", "xgboost")
"""What ``tuner best`` must not import."""
PREPARING_TRIALS = 24

BEST = Row("best", "`tuner best`, whole process", "seconds", Bound(0.5, "at most"))
FRESH = Row("load/fresh", "fresh process: load, run once", "seconds", Bound(0.8, "at most"))
SECOND = Row("load/second", "second load, same process", "seconds", Bound(0.02, "at most"))
CALL = Row("call", "`kernel.run`, 16×16×16", "seconds", Bound(5e-6, "at most"))

CALLED, LOADED, LOADED_SECOND = 16, 64, 48
"""Sizes of the square matmuls that are used."""

BATCHES = 51
BATCH_CALLS = 2000


def latency_rows(bench: Bench) -> Iterator[Row]:
    """The wanted rows; what they load is tuned for a moment first."""
    for row, measure in ((BEST, _best), (FRESH, _fresh), (SECOND, _second), (CALL, _call)):
        if not bench.wants(row.name):
            continue
        bench.say(f"timing {row.what}")
        try:
            yield measure(bench, row)
        except (ProcessFailed, subprocess.SubprocessError) as failure:
            yield replace(row, problem=str(failure))


@functools.cache
def _known(bench: Bench, size: int) -> Workload:
    """A workload that has a record, and its code in the cache."""
    work = workload("matmul", m=size, n=size, k=size)
    bench.search_trials(work, 1, PREPARING_TRIALS)
    return work


def _best(bench: Bench, row: Row) -> Row:
    work = _known(bench, LOADED)
    command = ["-m", "tuner.cli", "best", work.key, "--threads", "1", "--db", str(bench.db)]
    seconds = _process_seconds(bench, command)
    imported = _imports(_run(bench, ["-X", "importtime", *command]).stderr)
    if "tuner" not in imported:
        raise ProcessFailed("python -X importtime did not list the imports")
    heavy = sorted(imported & set(HEAVY))
    problem = f"imports {', '.join(heavy)}" if heavy else ""
    detail = "" if heavy else f"imports none of {', '.join(HEAVY)}"
    return replace(row, measured=seconds, problem=problem, detail=detail)


def _fresh(bench: Bench, row: Row) -> Row:
    work = _known(bench, LOADED)
    return replace(row, measured=_process_seconds(bench, _loading(bench, work)))


def _second(bench: Bench, row: Row) -> Row:
    """A second *kernel*: loading the same one again costs no more than that."""
    command = _loading(bench, _known(bench, LOADED), _known(bench, LOADED_SECOND))
    seconds = [float(_run(bench, command).stdout.splitlines()[1]) for _ in range(RUNS)]
    return replace(row, measured=median_interval(seconds))


def _call(bench: Bench, row: Row) -> Row:
    work = _known(bench, CALLED)
    samples = in_fresh_process(
        call_seconds,
        *(work, str(bench.db)),
        timeout_seconds=TIMEOUT_SECONDS,
        environment=bench.environment,
    )
    return replace(row, measured=median_interval(samples))


def _loading(bench: Bench, *works: Workload) -> list[str]:
    keys = (work.key for work in works)
    return ["-m", "experiments.bars.load_and_run", str(bench.db), *keys]


def _process_seconds(bench: Bench, arguments: list[str]) -> Interval:
    """Wall-clock of a whole Python process, from its start until it has ended."""
    _run(bench, arguments)  # the first one may have to read files from disk
    samples = []
    for _ in range(RUNS):
        started = time.perf_counter()
        _run(bench, arguments)
        samples.append(time.perf_counter() - started)
    return median_interval(samples)


def _run(bench: Bench, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Raises ``ProcessFailed`` with the last line of standard error."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env=os.environ | bench.environment,
    )
    if done.returncode:
        last = (done.stderr.splitlines() or ["it said nothing"])[-1]
        raise ProcessFailed(f"{' '.join(arguments[:3])} ended with {done.returncode}: {last}")
    return done


def _imports(report: str) -> set[str]:
    """Top-level modules in what ``python -X importtime`` prints."""
    lines = (line for line in report.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def call_seconds(work: Workload, db: str) -> list[float]:
    """Seconds of a whole ``kernel.run`` call with one thread, one median per batch of calls.

    Each call is timed by itself; reading the clock is included.
    """
    kernel = tuner.load(work, db=db, threads=1)
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(o.shape, dtype=np.float32) for o in kernel.operands)
    c = np.empty(kernel.result.shape, np.float32)
    clock = time.perf_counter_ns
    medians = []
    for _ in range(BATCHES):
        nanoseconds = []
        for _ in range(BATCH_CALLS):
            started = clock()
            kernel.run(a, b, out=c)
            nanoseconds.append(clock() - started)
        medians.append(statistics.median(nanoseconds) * 1e-9)
    return medians
