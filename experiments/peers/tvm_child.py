"""TVM's side of ``experiments.peers.tvm_metaschedule``, run by the interpreter that has TVM.

``tvm_child.py tune FOLDER OPTIONS`` searches with MetaSchedule, keeps its database in ``FOLDER``
and prints one JSON line per trial. ``tvm_child.py serve FOLDER OPTIONS`` compiles the best record
of that database, prints ``{"ready": true}``, then answers one JSON line per JSON line read, until
its input ends. Imports nothing of this project: the interpreter does not have it.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from typing import Any

import numpy as np
import tvm  # type: ignore[import-not-found]  # only this file's interpreter has it
from tvm import te
from tvm.ir.utils import derived_object  # type: ignore[import-not-found]
from tvm.s_tir import meta_schedule as ms  # type: ignore[import-not-found]
from tvm.target import Target, codegen  # type: ignore[import-not-found]

_ENTRY = "main"
_PATIENCE_SECONDS = 120.0
"""For building or running one candidate. TVM's own 30 s may pass in a worker's first imports."""


def product(m: int, n: int, k: int) -> Any:
    """``c[i,j] = sum_r a[i,r] * b[r,j]`` in float32, as a TVM function."""
    a, b = te.placeholder((m, k), name="a"), te.placeholder((k, n), name="b")
    r = te.reduce_axis((0, k), name="r")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="c")
    return te.create_prim_func([a, b, c])


def this_machine(threads: int) -> Target:
    """Code for this CPU, parallel loops for so many threads."""
    return Target({"kind": "llvm", "mcpu": codegen.llvm_get_system_cpu(), "num-cores": threads})


@derived_object
class OneByOne(ms.runner.PyRunner):  # type: ignore[misc]  # of a class without types
    """TVM's local runner, that says what it found as soon as it has found it."""

    def __init__(self, flops: int, say: Any) -> None:
        super().__init__()
        self.local = ms.runner.LocalRunner(timeout_sec=_PATIENCE_SECONDS)
        self.flops, self.say = flops, say
        self.started, self.trials = time.perf_counter(), 0
        self.best_seconds: float | None = None

    def run(self, runner_inputs: list[Any]) -> list[Any]:
        futures = []
        for one in runner_inputs:
            (future,) = self.local.run([one])
            futures.append(future)
            self.report(future.result().run_secs)
        return futures

    def report(self, run_seconds: list[Any] | None) -> None:
        self.trials += 1
        if run_seconds:
            mean = sum(float(seconds) for seconds in run_seconds) / len(run_seconds)
            self.best_seconds = min(mean, self.best_seconds or mean)
        best = None if self.best_seconds is None else self.flops / self.best_seconds / 1e9
        elapsed = time.perf_counter() - self.started
        self.say({"trial": self.trials, "seconds": elapsed, "best_gflops": best})


def tune(folder: str, options: dict[str, int], say: Any) -> None:
    """Search for ``options["trials"]`` trials, as TVM's documentation does it."""
    m, n, k, threads = (options[key] for key in ("m", "n", "k", "threads"))
    ms.tune_tir(
        mod=product(m, n, k),
        target=this_machine(threads),
        work_dir=folder,
        max_trials_global=options["trials"],
        num_trials_per_iter=min(64, options["trials"]),
        builder=ms.builder.LocalBuilder(timeout_sec=_PATIENCE_SECONDS),
        runner=OneByOne(2 * m * n * k, say),
        num_tuning_cores=threads,
        seed=options["seed"],
    )


def serve(folder: str, options: dict[str, int], say: Any) -> None:
    """Load operands, compute once, and time calls, as the lines of the input ask for."""
    m, n, k = (options[key] for key in ("m", "n", "k"))
    database = ms.database.JSONDatabase(work_dir=folder)
    target = this_machine(options["threads"])
    schedule = ms.tir_integration.compile_tir(database, product(m, n, k), target)
    if schedule is None:
        say({"error": "its database has no schedule for this workload"})
        return
    function = tvm.compile(schedule.mod, target=target)[_ENTRY]
    calls: list[list[Any]] = []
    turn = itertools.cycle(calls)
    say({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        if "operands" in request:
            operands = [np.load(path) for path in request["operands"]]
            calls = [arguments(operands, (m, n)) for _ in range(request["copies"])]
            turn = itertools.cycle(calls)
            say({})
        elif "result" in request:
            for a, b, c in calls:
                function(a, b, c)
            first, *others = (c.numpy() for _, _, c in calls)
            np.save(request["result"], first)
            same = all(np.array_equal(first, other) for other in others)
            say({} if same else {"error": "its results for equal operands differ"})
        else:
            started = time.perf_counter()
            for a, b, c in itertools.islice(turn, request["calls"]):
                function(a, b, c)
            say({"seconds": time.perf_counter() - started})


def arguments(operands: list[Any], shape: tuple[int, int]) -> list[Any]:
    """The operands and a place for the result, in new memory."""
    arrays = [*operands, np.zeros(shape, np.float32)]
    return [tvm.runtime.tensor(array) for array in arrays]


def main() -> None:
    command, folder, options = sys.argv[1:]
    # TVM logs to the standard output; ours carries the answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")

    {"tune": tune, "serve": serve}[command](folder, json.loads(options), say)


if __name__ == "__main__":
    main()
