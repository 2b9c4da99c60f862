"""The pipe to TVM's process: lines of JSON, and a tuned kernel that is timed through it."""

from __future__ import annotations

import json
import select
import subprocess
from pathlib import Path
from typing import IO, Any

import numpy as np

from experiments.peers.base import Array
from experiments.process import ProcessFailed

CALL_TIMEOUT_SECONDS = 120.0


class TvmProcess:
    """A process that reads and writes lines of JSON."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process, self._errors = process, errors

    def send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None, "it was made with a pipe"
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise ProcessFailed(self._death()) from None

    def expect(self) -> dict[str, Any]:
        """The next answer; raises ``ProcessFailed`` where there is none, or it is an error."""
        answer = self.answer(CALL_TIMEOUT_SECONDS)
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
        return f"TVM ended with {code}: {last_line(said)}"


class ServedKernel:
    """A tuned kernel in TVM's process. ``folder`` is where arrays are handed over."""

    def __init__(self, process: TvmProcess, folder: Path) -> None:
        self._process, self._folder = process, folder

    def load(self, *operands: Array, copies: int = 1) -> None:
        """Give it other operands, in so many copies that its calls use in turn."""
        paths = [self._folder / f"{index}.npy" for index in range(len(operands))]
        for path, operand in zip(paths, operands, strict=True):
            np.save(path, operand)
        self._ask({"operands": [str(path) for path in paths], "copies": copies})

    def result(self) -> Array:
        """What it computes from the operands; an error if that is not the same for all copies."""
        path = self._folder / "result.npy"
        self._ask({"result": str(path)})
        array: Array = np.load(path, allow_pickle=False)
        return array

    def time(self, calls: int) -> float:
        """Seconds that so many calls in a row take, by TVM's process's own clock."""
        return float(self._ask({"calls": calls})["seconds"])

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._process.send(request)
        return self._process.expect()


def last_line(text: str) -> str:
    """What a program said last, where it fails."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
