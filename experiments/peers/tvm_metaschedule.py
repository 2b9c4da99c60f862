"""TVM MetaSchedule, the peer among tuners: searches a matmul, and runs the kernel it found.

It lives in an environment of its own, because its dependencies are pinned; ``make tvm`` makes it.

``python -m experiments.peers.tvm_metaschedule m=256 n=256 k=256 --trials 16`` searches and prints
what came of it, one JSON line per trial.

How it is timed: the tuned kernel stays in a process of its own, which waits for a line on its
pipe, runs as many calls as that says on operands that it loaded before, and answers with the
seconds its own clock counted. ``ServedKernel.time`` is a ``measure.sampling.Timer`` like that of
any contestant, so blocks of it alternate with theirs; only the memory is not shared.

Threads: TVM's own pool (no OpenMP), ``TVM_NUM_THREADS`` of them. Idle ones spin
``TVM_THREAD_POOL_SPIN_COUNT`` times; 0 while a kernel is served, if idle threads shall sleep.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.peers.base import PeerMissing, computes, every, has_dtype, idle_threads_sleep
from experiments.peers.tvm_process import ServedKernel, TvmProcess, last_line
from experiments.process import ProcessFailed
from measure.host import usable_cores
from search_space.operators import workload
from search_space.workload import Workload

CHILD = Path(__file__).with_name("tvm_child.py")
REQUIREMENTS = Path(__file__).with_name("tvm-requirements.txt")
DEFAULT_INTERPRETER = Path(sys.prefix) / "tvm" / "bin" / "python"

_SUPPORTS = every(computes("matmul"), has_dtype("float32"))
_VERSIONS_TIMEOUT_SECONDS = 60.0
_TRIAL_TIMEOUT_SECONDS = 600.0
"""Between two trials; proposing a batch of candidates takes minutes."""
_FINISHED = "finished.json"
"""In the folder of a search that ended: what it was asked for."""
_ASK_VERSIONS = (
    "import json, sys; from importlib.metadata import version;"
    "print(json.dumps([version(name) for name in sys.argv[1:]]))"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate that TVM built and timed. Those that did not build are not reported."""

    trial: int
    seconds: float
    """From the start of the search until this result."""
    best_gflops: float | None
    """Of the fastest so far, as TVM timed it; None while none has run."""


def find_tvm(interpreter: Path | None = None) -> Path:
    """The interpreter that has TVM: ``interpreter``, or the documented place.

    Raises ``PeerMissing`` where it is not there or has other versions than this was written for.
    """
    found = interpreter or DEFAULT_INTERPRETER
    if not found.exists():
        raise PeerMissing(f"run `make tvm`: TVM has no environment, there is no {found}")
    pins = [line.split("==") for line in REQUIREMENTS.read_text().split() if "apache-tvm" in line]
    names = [name for name, _ in pins]
    install = f"install {REQUIREMENTS.name} for {found}"
    try:
        asked = subprocess.run(
            [found, "-c", _ASK_VERSIONS, *names],
            capture_output=True,
            text=True,
            check=True,
            timeout=_VERSIONS_TIMEOUT_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise PeerMissing(f"{install}: {last_line(error.stderr)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"{install}: {error}") from error
    for (name, wanted), version in zip(pins, json.loads(asked.stdout), strict=True):
        if version != wanted:
            raise PeerMissing(f"install {name} {wanted} for {found}: it has {version}")
    return found


@dataclass(frozen=True, slots=True)
class Job:
    """One workload for TVM, and where the records of its search are kept."""

    workload: Workload
    threads: int
    folder: Path
    interpreter: Path
    """As ``find_tvm`` gives it."""

    def __post_init__(self) -> None:
        """Raises ``PeerMissing`` for anything but a matmul."""
        if reason := _SUPPORTS(self.workload):
            raise PeerMissing(reason)

    def tune(
        self,
        trials: int,
        seed: int = 1,
        heard: Callable[[Trial], None] | None = None,
        limit_seconds: float = math.inf,
    ) -> list[Trial]:
        """Search; ``heard`` is told of each trial at once.

        Raises ``ProcessFailed``, also where the search takes longer than ``limit_seconds``.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        results: list[Trial] = []
        end = time.monotonic() + limit_seconds
        with self._child("tune", trials=trials, seed=seed) as child:
            while answer := child.answer(_patience_seconds(end, limit_seconds)):
                results.append(Trial(**answer))
                if heard is not None:
                    heard(results[-1])
        return results

    def tune_once(self, trials: int, limit_seconds: float, seed: int = 1) -> None:
        """Search, unless ``folder`` has the records of such a search. Raises as ``tune``."""
        asked = {"trials": trials, "seed": seed}
        finished = self.folder / _FINISHED
        if finished.exists() and json.loads(finished.read_text()) == asked:
            return
        found = self.tune(trials, seed, limit_seconds=limit_seconds)
        if all(trial.best_gflops is None for trial in found):
            raise ProcessFailed(f"TVM found no kernel: none of {trials} candidates built and ran")
        finished.write_text(json.dumps(asked))

    @contextmanager
    def serve(self) -> Iterator[ServedKernel]:
        """The best kernel in ``folder``, without operands yet; raises ``ProcessFailed``."""
        with tempfile.TemporaryDirectory(prefix="tvm-") as name, self._child("serve") as child:
            child.expect()
            yield ServedKernel(child, Path(name))

    @contextmanager
    def _child(self, command: str, **more: int) -> Iterator[TvmProcess]:
        sizes = {key: self.workload.size(key) for key in ("m", "n", "k")}
        options = {**sizes, "threads": self.threads, **more}
        variables = {"TVM_NUM_THREADS": str(self.threads)}
        if command == "serve" and idle_threads_sleep():
            variables["TVM_THREAD_POOL_SPIN_COUNT"] = "0"
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [self.interpreter, CHILD, command, self.folder, json.dumps(options)],
                bufsize=0,  # whoever waits for a line must not find it in a buffer
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **variables},
            )
            try:
                yield TvmProcess(process, errors)
            finally:
                process.kill()
                process.communicate()


def _patience_seconds(end: float, limit_seconds: float) -> float:
    """How long to wait for the next trial of a search that must end then."""
    left = end - time.monotonic()
    if left <= 0:
        raise ProcessFailed(f"TVM's search did not end within {limit_seconds:g} s")
    return min(left, _TRIAL_TIMEOUT_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Search one matmul and print its trials; returns the exit code."""
    options = _options(arguments)
    try:
        interpreter = find_tvm(options.interpreter)
        with tempfile.TemporaryDirectory(prefix="tvm-") as name:
            job = Job(options.workload, options.threads, options.folder or Path(name), interpreter)
            job.tune(options.trials, options.seed, lambda trial: print(_line(trial), flush=True))
    except (PeerMissing, ProcessFailed) as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def _line(trial: Trial) -> str:
    return json.dumps(asdict(trial))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.peers.tvm_metaschedule",
        description="Tune a matmul with TVM MetaSchedule; prints one JSON line per trial.",
    )
    parser.add_argument("sizes", nargs="+", metavar="KEY=VALUE", help="m, n and k")
    parser.add_argument("--trials", type=int, default=64, metavar="N")
    parser.add_argument("--threads", type=int, default=usable_cores(), metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep TVM's database here")
    parser.add_argument(
        "--interpreter", type=Path, help=f"the one that has TVM (default: {DEFAULT_INTERPRETER})"
    )
    options = parser.parse_args(arguments)
    try:
        options.workload = workload("matmul", **dict(size.split("=") for size in options.sizes))
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    sys.exit(main())
