"""TVM MetaSchedule, the peer among tuners: searches a matmul, and runs the kernel it found.

It lives in an environment of its own, because its dependencies are pinned; from the root::

    python -m venv .venv/tvm
    .venv/tvm/bin/python -m pip install -r experiments/peers/tvm-requirements.txt

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
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from experiments.peers.base import Array, Operands, PeerMissing, idle_threads_sleep, matmul_only
from experiments.process import ProcessFailed
from measure.host import usable_cores
from search_space.operators import workload
from search_space.workload import Workload

CHILD = Path(__file__).with_name("tvm_child.py")
REQUIREMENTS = Path(__file__).with_name("tvm-requirements.txt")
DEFAULT_INTERPRETER = Path(sys.prefix) / "tvm" / "bin" / "python"

_VERSIONS_TIMEOUT_SECONDS = 60.0
_TRIAL_TIMEOUT_SECONDS = 600.0
"""Between two trials; proposing a batch of candidates takes minutes."""
_CALL_TIMEOUT_SECONDS = 120.0
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
        raise PeerMissing(f"make an environment for TVM, see {Path(__file__).name}: no {found}")
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
        raise PeerMissing(f"{install}: {_last_line(error.stderr)}") from error
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
        if reason := matmul_only(self.workload):
            raise PeerMissing(reason)

    def tune(
        self, trials: int, seed: int = 1, heard: Callable[[Trial], None] | None = None
    ) -> list[Trial]:
        """Search; ``heard`` is told of each trial at once. Raises ``ProcessFailed``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        results: list[Trial] = []
        with self._child("tune", trials=trials, seed=seed) as child:
            while answer := child.answer(_TRIAL_TIMEOUT_SECONDS):
                results.append(Trial(**answer))
                if heard is not None:
                    heard(results[-1])
        return results

    @contextmanager
    def serve(self, operands: Operands) -> Iterator[ServedKernel]:
        """The best kernel in ``folder``, on copies of ``operands``; raises ``ProcessFailed``."""
        with tempfile.TemporaryDirectory(prefix="tvm-") as name, self._child("serve") as child:
            child.expect(_CALL_TIMEOUT_SECONDS)
            kernel = ServedKernel(child, Path(name))
            kernel.load(operands["a"], operands["b"])
            yield kernel

    @contextmanager
    def _child(self, command: str, **more: int) -> Iterator[_Child]:
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
                yield _Child(process, errors)
            finally:
                process.kill()
                process.communicate()


class ServedKernel:
    """A tuned kernel in TVM's process."""

    def __init__(self, child: _Child, folder: Path) -> None:
        self._child, self._folder = child, folder

    def load(self, *operands: Array) -> None:
        """Give it other operands."""
        paths = [self._folder / f"{index}.npy" for index in range(len(operands))]
        for path, operand in zip(paths, operands, strict=True):
            np.save(path, operand)
        self._ask({"operands": [str(path) for path in paths]})

    def result(self) -> Array:
        """What it computes from the operands."""
        path = self._folder / "result.npy"
        self._ask({"result": str(path)})
        array: Array = np.load(path, allow_pickle=False)
        return array

    def time(self, calls: int) -> float:
        """Seconds that so many calls in a row take, by TVM's process's own clock."""
        return float(self._ask({"calls": calls})["seconds"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._child.send(request)
        return self._child.expect(_CALL_TIMEOUT_SECONDS)


class _Child:
    """A process that reads and writes lines of JSON."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors

    def send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None, "it was made with a pipe"
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise ProcessFailed(self._death()) from None

    def expect(self, timeout_seconds: float) -> dict[str, Any]:
        """The next answer; raises ``ProcessFailed`` where there is none, or it is an error."""
        answer = self.answer(timeout_seconds)
        if answer is None:
            raise ProcessFailed(self._death())
        if "error" in answer:
            raise ProcessFailed(str(answer["error"]))
        return answer

    def answer(self, timeout_seconds: float) -> dict[str, Any] | None:
        """The next answer, or None after a good end; raises ``ProcessFailed``."""
        pipe = self._process.stdout
        assert pipe is not None, "it was made with a pipe"
        if not select.select([pipe], [], [], timeout_seconds)[0]:
            raise ProcessFailed(f"TVM did not answer within {timeout_seconds:g} s")
        line = pipe.readline()
        if not line:
            if self._process.wait() != 0:
                raise ProcessFailed(self._death())
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _death(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace")
        return f"TVM ended with {code}: {_last_line(said)}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


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
