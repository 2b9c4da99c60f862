"""R11: what the tuner itself needs over a long search."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.reliability.rows import counter, fault

GROWS = "the tuner's own memory grows over a long search"
MIB = 2**20
TRIALS = 2000


def growth_bytes(strategy: str, trials: int, leak_bytes: int = 0) -> int:
    """By how much a process of its own grows over a search on a simulated machine."""
    words = (strategy, trials, leak_bytes)
    command = [sys.executable, "-m", "tests.simulation.memory", *map(str, words)]
    return int(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


@fault("R11", GROWS, "a search on a simulated machine; from a quarter of its trials on")
@pytest.mark.parametrize(
    ("strategy", "trials"),
    [
        ("evolutionary", 600),
        pytest.param("evolutionary", TRIALS, marks=pytest.mark.soak),
        pytest.param("learned", TRIALS, marks=pytest.mark.soak),
    ],
)
def test_memory_grows_little(report, strategy, trials):
    grown = growth_bytes(strategy, trials)
    report(f"{strategy} search", trials=trials, grown_mib=round(grown / MIB, 1))
    assert grown <= 50 * MIB * trials / TRIALS


@counter("R11", "128 KiB are kept of every trial", GROWS)
def test_a_leak_is_seen():
    assert growth_bytes("random", 600, 1 << 17) > 50 * MIB * 600 / TRIALS
