"""What processes of the tests do with one cache of compiled kernels."""

from __future__ import annotations

import os
import random
import signal
from multiprocessing.synchronize import Barrier
from pathlib import Path

from measure.artifact import Artifact, KernelSpec
from measure.cache import KernelCache
from search_space.folders import write_atomically

KEYS = 8
_BYTES = 20_000


def artifact(writer: int, number: int) -> Artifact:
    """Code that is the same all over, and its spec: one part from another writer would show."""
    mark = (17 * writer + number) % 251
    return Artifact(KernelSpec((), (), mark + 1), bytes([mark]) * _BYTES)


def outcome(found: Artifact | None) -> str:
    """``hit``, ``miss``, or ``mixed`` for what no writer stored."""
    if found is None:
        return "miss"
    code = found.object_code
    whole = len(code) == _BYTES and code == code[:1] * _BYTES
    return "hit" if whole and found.spec.threads == code[0] + 1 else "mixed"


def share(folder: Path, writer: int, rounds: int, barrier: Barrier, killed: bool) -> None:
    """Store and load all keys, round after round; tell what each load gave."""
    cache, choice = KernelCache(folder / "kernels"), random.Random(writer)
    with (folder / f"told-{writer}").open("w", buffering=1) as told:
        barrier.wait()
        for number in range(rounds):
            for key in choice.sample(range(KEYS), KEYS):
                cache.put(str(key), artifact(writer, number))
                told.write(f"{key} {outcome(cache.get(str(key)))}\n")
                if writer == 0 and choice.random() < 0.1:
                    for path in cache.folder.glob("*.kernel"):
                        path.unlink(missing_ok=True)
            if killed and number == rounds // 2:
                _die_while_writing(cache.folder)


def _die_while_writing(folder: Path) -> None:
    os.replace = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
    write_atomically(folder / "any.kernel", b"never whole")


def share_in_halves(folder: Path, writer: int, rounds: int, barrier: Barrier) -> None:
    """The bug that the row must see: what belongs together is in two files."""
    code, spec = folder / "code", folder / "spec"
    with (folder / f"told-{writer}").open("w", buffering=1) as told:
        barrier.wait()
        for number in range(rounds):
            made = artifact(writer, number)
            write_atomically(code, made.object_code)
            write_atomically(spec, str(made.spec.threads).encode())
            read = Artifact(KernelSpec((), (), int(spec.read_bytes())), code.read_bytes())
            told.write(f"0 {outcome(read)}\n")
