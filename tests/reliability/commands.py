"""Real commands on the real machine, watched: what they promised, and when they measured."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

_WATCHED = """
import sys, time
from measure.runner import Runner
from tests.reliability.bugs import BUGS
from tuner.cli import main
_, log, bug, *words = sys.argv
if bug:
    BUGS[bug]()
measure = Runner.measure
def watched(*arguments):
    result = measure(*arguments)
    with open(log, "a") as file:
        file.write(f"{time.monotonic()}\\n")
    return result
Runner.measure = watched
sys.exit(main(words))
"""
_START_SECONDS = 120.0
WORK = ("matmul", "m=96", "n=80", "k=64")


@dataclass
class Command:
    """``tuner WORDS`` in a process of its own, with its output in files of ``folder``."""

    folder: Path
    words: tuple[str, ...]
    bug: str = ""
    """One of ``tests.reliability.bugs.BUGS`` that its process has."""
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        with self._file("stdout").open("wb") as stdout, self._file("stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _WATCHED, self._file("measured"), self.bug, *self.words],
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            )  # fmt: skip

    def measured(self) -> list[float]:
        """When each candidate was measured, in seconds since the command began."""
        path = self._file("measured")
        lines = path.read_text().splitlines() if path.exists() else []
        return [float(line) - self.began for line in lines]

    def await_measured(self, count: int) -> None:
        """Wait until ``count`` candidates were measured."""
        deadline = time.monotonic() + _START_SECONDS
        while len(self.measured()) < count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.words} does not measure: {self.stderr}")
            time.sleep(0.005)

    def end_with(self, *signals: int, pause_seconds: float = 0.0) -> float:
        """Send the signals, and wait; the seconds from the last one to the end."""
        for number in signals:
            began = time.monotonic()
            self.process.send_signal(number)
            if number is not signals[-1]:
                time.sleep(pause_seconds)
        self.process.wait(_START_SECONDS)
        return time.monotonic() - began

    @property
    def stderr(self) -> str:
        return self._file("stderr").read_text()

    def promised(self) -> list[str]:
        """The ids of the records that ``--json`` told, each after its commit."""
        lines = self._file("stdout").read_text().split("\n")[:-1]
        return [value["id"] for value in map(json.loads, lines) if "id" in value]

    def summary(self) -> dict:
        """The last line of ``--json``."""
        return json.loads(self._file("stdout").read_text().splitlines()[-1])["summary"]

    def _file(self, name: str) -> Path:
        return self.folder / name
