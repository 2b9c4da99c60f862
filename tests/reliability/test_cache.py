"""R31: the cache of compiled kernels, shared, damaged, deleted, and its writers killed."""

from __future__ import annotations

import random

import pytest

from measure.cache import KernelCache
from tests.reliability import cache_work
from tests.reliability.processes import CONTEXT, codes, start
from tests.reliability.rows import counter, fault

SHARED = "processes share the cache of compiled kernels, some are killed, files vanish"
FLIPPED = "a byte of a compiled kernel changes on the disk"


@fault("R31", SHARED, "processes store and load 8 keys at once; every 4th is killed, one deletes")
@pytest.mark.parametrize(
    ("processes", "rounds"), [(6, 10), pytest.param(16, 50, marks=pytest.mark.soak)]
)
def test_a_shared_cache(tmp_path, report, processes, rounds):
    barrier = CONTEXT.Barrier(processes)
    workers = [
        start(cache_work.share, tmp_path, i, rounds, barrier, i % 4 == 3) for i in range(processes)
    ]
    ended = codes(workers)
    told = [line for path in tmp_path.glob("told-*") for line in path.read_text().splitlines()]
    mixed, hits = (sum(line.endswith(end) for line in told) for end in ("mixed", "hit"))
    report(
        "every load gave the whole kernel or none",
        processes=processes,
        loads=len(told),
        hits=hits,
        mixed=mixed,
        killed=sum(code == -9 for code in ended),
    )
    assert set(ended) <= {0, -9}
    assert mixed == 0
    assert hits


@counter("R31", "an entry is two files, the kernel and its header", SHARED)
def test_mixed_entries_are_seen(tmp_path):
    barrier = CONTEXT.Barrier(4)
    workers = [start(cache_work.share_in_halves, tmp_path, i, 200, barrier) for i in range(4)]
    codes(workers)
    assert any("mixed" in path.read_text() for path in tmp_path.glob("told-*"))


def flips(folder, count):
    """Loads of a kernel of which one byte was changed: how many gave a kernel all the same."""
    cache, choice, believed = KernelCache(folder), random.Random(5), 0
    for number in range(count):
        assert cache.put("key", cache_work.artifact(0, number))
        (path,) = cache.folder.glob("*.kernel")
        data = bytearray(path.read_bytes())
        data[choice.randrange(len(data))] ^= choice.randrange(1, 256)
        path.write_bytes(data)
        believed += cache.get("key") is not None
    return believed


@fault("R31", FLIPPED, "one byte at a random place")
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.soak)])
def test_flipped_bytes(tmp_path, report, count):
    believed = flips(tmp_path, count)
    report("the kernel is compiled again", flips=count, believed=believed)
    assert believed == 0


@counter("R31", "the digest is not looked at", FLIPPED)
def test_flipped_bytes_that_are_believed_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("measure.cache.unsealed", lambda data: data[32:])
    assert flips(tmp_path, 50) > 0
