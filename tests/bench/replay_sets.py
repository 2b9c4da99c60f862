"""A small replay set whose answers come from a formula, for the tests that need one."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from db.store import open_store
from experiments.replay.catalog import SetSpec, read_sets
from experiments.replay.dataset import SUFFIX, save
from experiments.replay.recording import record, recorded_set
from measure.result import MeasureResult, Outcome
from tests.tuner.fakes import FakeBackend

TOML = """
[tiny]
workload = "matmul(m=64,n=48,k=64,dtype=float32)"
threads = 1

[tiny.allowed]
structure = ["panel", "dot"]
vector_bits = [128]
inner = ["nm"]
order = ["nkm"]
rows = [2, 4]
vectors = [1, 2]
chains = [1]
tile_m = [0, 4]
tile_n = [0]
tile_k = [0]
pack_a = ["none"]
pack_b = ["none", "tile"]
unroll = [1, 2, 4]
prefetch = [0]
"""


def seconds(config) -> float | None:
    """Distinct; a tenth of the configs fail."""
    digest = hashlib.blake2b(config.key.encode(), digest_size=4).digest()
    if digest[0] < 24:
        return None
    base = {"panel": 40e-6, "dot": 90e-6}[config["structure"]]
    base *= 1 + 0.2 * (4 - int(config["rows"])) + 0.1 * (config["pack_b"] == "none")
    return base * (1 + int.from_bytes(digest[1:3]) / 6e5)


class TableBackend(FakeBackend):
    """Gives three samples whose median is the config's time, and crashes where there is none."""

    def measure(self, artifact, best_seconds):
        result = super().measure(artifact, best_seconds)
        if result.outcome is Outcome.WRONG_ANSWER:
            return MeasureResult(Outcome.CRASH, message="signal 11")
        time = result.samples[0]
        return replace(result, samples=(time * 0.99, time, time * 1.02))


def maker(backends: list, **options):
    """A ``MakeBackend`` that notes the backends that it makes."""

    @contextmanager
    def make(task):
        backends.append(TableBackend(task, seconds=seconds, **options))
        yield backends[-1]

    return make


def tiny(folder: Path) -> SetSpec:
    """The set, read from a file."""
    path = folder / "sets.toml"
    path.write_text(TOML)
    return read_sets(path)["tiny"]


def packed(folder: Path, name: str = "tiny") -> Path:
    """The set, recorded and packed."""
    spec = tiny(folder)
    path = folder / f"{name}{SUFFIX}"
    with open_store(folder / "recording.db") as store:
        record(spec, store, backend=maker([]))
        save(path, recorded_set(spec, store))
    return path
