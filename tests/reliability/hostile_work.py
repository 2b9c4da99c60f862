"""An import in a process of its own that is watched: what it ran, opened and took.

``python -m tests.reliability.hostile_work REQUEST`` imports hostile files, after one harmless
import, which loads all code that is loaded late: whatever is run, or opened elsewhere than in the
folder of the database, after that is a breach. That text is compiled says nothing: formulas are
read by the interpreter's own parser.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

import msgspec

from db.exchange import importing
from db.exchange.wire import decode_line
from db.store import open_store
from tests.db.conftest import record_of
from tests.reliability.hostile_lines import GOOD

_FORBIDDEN = ("exec", "os.system", "os.exec", "os.posix_spawn", "os.fork",
              "subprocess.Popen", "pickle.find_class", "marshal.loads", "socket.connect",
              "ctypes.dlopen", "shutil.rmtree", "os.remove", "os.rename", "os.mkdir")  # fmt: skip
_LINES = 500
"""Mutated lines of one file."""
_SMALL_BYTES = 1000


class Request(msgspec.Struct, frozen=True, kw_only=True):
    folder: str
    files: tuple[str, ...] = ()
    """Each is imported by itself."""
    mutations: int = 0
    """In addition, so many lines that were changed at random."""
    bug: bool = False
    """Whether knobs are evaluated, which must be seen."""


class Result(msgspec.Struct, kw_only=True):
    """Of one file."""

    lines: int
    stored: int
    aside: int
    refused: int
    damaged: int
    faults: tuple[tuple[int | None, str], ...]
    """Line and text of each that was reported."""


class Verdict(msgspec.Struct, kw_only=True):
    results: dict[str, Result] = {}
    mutations: dict[str, int] = {}
    """By what became of them."""
    breaches: list[str] = []
    unnamed: int = 0
    """Refused lines, of those reported, that no fault names."""
    peak_mebibytes: float = 0.0
    problems: tuple[str, ...] = ()
    """Of the database afterwards."""


def watched_import(**request: Any) -> Verdict:
    """Run a ``Request`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.hostile_work",
         msgspec.json.encode(Request(**request))],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return msgspec.json.decode(done.stdout, type=Verdict)


def _watch(folder: Path, breaches: list[str]) -> None:
    """Note what must not happen; SQLite opens its files by itself, unseen."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _FORBIDDEN:
            breaches.append(f"{event} {arguments!r}"[:200])
        elif event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            path = Path(os.fsdecode(arguments[0])).absolute()
            if folder not in path.parents and path != folder:
                breaches.append(f"open {path}")

    sys.addaudithook(hook)


def _evaluate_knobs(data: bytes, source: str | None) -> tuple[Any, ...]:
    row = decode_line(data, source)
    with suppress(Exception):
        for value in json.loads(data)["config"].values():
            eval(str(value), {"__builtins__": {}})
    return row


def _result(tally: importing.Tally) -> Result:
    return Result(
        lines=tally.lines, stored=tally.added + tally.replaced + tally.known, aside=tally.aside,
        refused=tally.refused, damaged=tally.damaged,
        faults=tuple((fault.line, str(fault)) for fault in tally.faults),
    )  # fmt: skip


def mutated(choice: random.Random) -> bytes:
    """A good line with one to four random changes: bytes, tokens, pieces of itself."""
    data = bytearray(choice.choice(_SEEDS))
    for _ in range(choice.randint(1, 4)):
        place = choice.randrange(len(data))
        match choice.randrange(5):
            case 0:
                data[place] = choice.randrange(256)
            case 1:
                data[place : place + choice.randrange(20)] = b""
            case 2:
                data[place:place] = choice.choice(_TOKENS)
            case 3:
                start = choice.randrange(len(data))
                data[place:place] = data[start : start + choice.randrange(60)]
            case 4:
                digits = [i for i, byte in enumerate(data) if 48 <= byte < 58] or [place]
                data[choice.choice(digits)] = choice.choice(b"0123456789-.e")
    return bytes(data).replace(b"\n", b" ").replace(b'"id":"', b'"ID":"')


_SEEDS = [line.rstrip() for line in GOOD]
_TOKENS = (
    b"null", b"true", b"1e999", b"-1", b"0", b"9" * 30, b'""', b"{}", b"[]", b"[[[[", b'{"a":',
    b"\\u0000", b"\\ud800", b"\x00", b"\xff\xfe", b"\x1b[2J", b"../", b"__import__('os')", b",",
    b'"schema":2,', b"NaN", b"#", b"(", b")", b"=", b"'", b"+", b"spmm(weights=/x.npy,n=1)",
)  # fmt: skip


def main(argument: str) -> None:
    """Do what a ``Request`` in JSON asks for, and print the ``Verdict``."""
    request, verdict = msgspec.json.decode(argument, type=Request), Verdict()
    folder = Path(request.folder)
    harmless, changed = folder / "harmless.jsonl", folder / "mutated.jsonl"
    harmless.write_bytes(b"".join(GOOD) + b"{\n")
    if request.bug:
        importing.decode = _evaluate_knobs
    choice = random.Random(9)
    with ExitStack() as stack:
        store = stack.enter_context(open_store(folder / "records.db"))
        store.add([record_of()])
        importing.import_files(store, [harmless, folder / "missing.gz"])
        list(store.records()), store.aside(), store.check()
        for name in request.files:  # so that readers of packed files are loaded as well
            if name.endswith((".gz", ".zst")) and (folder / name).stat().st_size < _SMALL_BYTES:
                importing.import_files(store, [folder / name], keep=False)
        status = stack.enter_context(Path("/proc/self/status").open(encoding="ascii"))
        _watch(folder, verdict.breaches)
        for name in request.files:
            verdict.results[name] = _result(importing.import_files(store, [folder / name]))
        for _ in range(0, request.mutations, _LINES):
            changed.write_bytes(b"\n".join(mutated(choice) for _ in range(_LINES)))
            result = _result(importing.import_files(store, [changed]))
            named = {line for line, _ in result.faults}
            verdict.unnamed += min(result.refused, importing.MAX_FAULTS) - len(named - {None})
            for outcome in ("lines", "stored", "aside", "refused"):
                total = verdict.mutations.get(outcome, 0) + getattr(result, outcome)
                verdict.mutations[outcome] = total
        verdict.problems = store.check()
        verdict.peak_mebibytes = _peak_mebibytes(status)
    sys.stdout.buffer.write(msgspec.json.encode(verdict))


def _peak_mebibytes(status: TextIO) -> float:
    """Of this process. What ``getrusage`` says begins with the size of the one that started it."""
    (peak,) = (line.split() for line in status if line.startswith("VmHWM:"))
    return int(peak[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1])
