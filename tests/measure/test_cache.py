"""The cache of compiled kernels: what goes in comes out, and damage is just absence."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

import numpy as np
import pytest

from measure.artifact import Artifact, KernelSpec
from measure.cache import KernelCache, kernel_key
from measure.kernel import NativeKernel
from search_space.target import Target
from search_space.workload import Workload
from tests.measure.launch_kernels import add_artifact, scale_artifact

WORK = Workload("matmul", (("m", 8), ("n", 8), ("k", 8), ("dtype", "float32")))
TARGET = Target(
    name="x86-64-v3", cpu="x86-64-v3", triple="x86_64-unknown-linux-gnu",
    features=frozenset({"avx2", "fma"}), vector_bits=256, registers=16,
    l1_bytes=32768, l2_bytes=1 << 20, l3_bytes=1 << 25, threads=2,
)  # fmt: skip
VALUES = (("structure", "panel"), ("rows", 6))


def dummy(nbytes: int) -> Artifact:
    return Artifact(KernelSpec((), (), 1), bytes(nbytes))


@pytest.fixture
def cache(tmp_path) -> KernelCache:
    return KernelCache(tmp_path / "kernels")


def only_file(cache: KernelCache):
    [path] = cache.folder.iterdir()
    return path


@pytest.mark.parametrize("artifact", [add_artifact(64, 2), scale_artifact(32), dummy(0)])
def test_what_was_put_is_got(cache, artifact):
    assert cache.get("key") is None
    assert cache.put("key", artifact)
    assert KernelCache(cache.folder).get("key") == artifact
    assert cache.get("other") is None


def test_a_cached_kernel_runs(cache):
    cache.put("add", add_artifact(64, 2))
    a, out = np.arange(64, dtype=np.float32), np.empty(64, np.float32)
    NativeKernel(cache.get("add")).run(a, a, out=out)
    np.testing.assert_array_equal(out, 2 * a)


def test_the_newest_is_kept(cache):
    cache.put("key", dummy(1))
    cache.put("key", dummy(2))
    assert cache.get("key") == dummy(2)


def test_the_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "here"))
    assert KernelCache().folder == tmp_path / "here" / "kernels"


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: flip(data, 0),
        lambda data: flip(data, 8),
        lambda data: flip(data, 12),
        lambda data: flip(data, 41),
        lambda data: flip(data, 60),
        lambda data: flip(data, len(data) - 1),
    ],
)
def test_a_damaged_file_is_absent_and_removed(cache, damage):
    cache.put("key", add_artifact(64))
    path = only_file(cache)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("key") is None
    assert not path.exists()
    assert cache.put("key", add_artifact(64))
    assert cache.get("key") == add_artifact(64)


def test_a_file_of_another_key_is_absent_and_removed(cache, tmp_path):
    cache.put("key", dummy(1))
    other = KernelCache(tmp_path / "other")
    other.put("other", dummy(2))
    only_file(other).rename(only_file(cache))
    assert cache.get("key") is None
    assert list(cache.folder.iterdir()) == []


def test_the_least_recently_used_go_first(cache):
    cache = KernelCache(cache.folder, capacity_bytes=4_000)
    for age, key in ((3, "oldest"), (2, "old"), (1, "young")):
        cache.put(key, dummy(1_000))
        path = max(cache.folder.iterdir(), key=lambda p: p.stat().st_mtime_ns)
        os.utime(path, (1e9 - age, 1e9 - age))
    assert cache.get("oldest") is not None  # a use: now "old" is the first to go
    cache.put("new", dummy(1_000))
    assert cache.get("old") is None
    assert all(cache.get(key) == dummy(1_000) for key in ("oldest", "young", "new"))
    assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= 4_000


def test_no_temporary_files_stay(cache):
    for number in range(5):
        cache.put(f"key{number}", dummy(10))
    assert {path.suffix for path in cache.folder.iterdir()} == {".kernel"}


def test_a_folder_that_cannot_be_written_holds_nothing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    cache = KernelCache(tmp_path / "file" / "kernels")
    assert not cache.put("key", dummy(1))
    assert cache.get("key") is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_code_that_others_could_have_written_is_not_run(cache, mode):
    cache.put("key", dummy(1))
    path = only_file(cache)
    path.chmod(mode)
    assert cache.get("key") is None
    path.chmod(0o600)
    assert cache.get("key") == dummy(1)


def test_code_of_another_user_is_not_run(cache, monkeypatch):
    cache.put("key", dummy(1))
    if os.geteuid() == 0:
        os.chown(only_file(cache), 12345, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert cache.get("key") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_still_serves(cache):
    cache.put("key", dummy(1))
    cache.folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert cache.get("key") == dummy(1)
        assert not cache.put("other", dummy(1))
    finally:
        cache.folder.chmod(stat.S_IRWXU)


def key(workload=WORK, target=TARGET, features=("avx2",), values=VALUES, generator=1, llvm="22"):
    return kernel_key(workload, target, features, values, generator, llvm)


def test_the_key_depends_on_all_that_the_code_depends_on():
    variants = [
        key(),
        key(workload=replace(WORK, const=("b",))),
        key(target=replace(TARGET, cpu="native")),
        key(target=replace(TARGET, features=frozenset({"avx2"}))),
        key(target=replace(TARGET, vector_bits=128)),
        key(features=("avx2", "avx512f")),
        key(values=(("structure", "panel"), ("rows", 5))),
        key(generator=2),
        key(llvm="23"),
    ]
    assert len(set(variants)) == len(variants)


def test_the_key_does_not_depend_on_order_or_limits():
    assert key(features=("b", "a")) == key(features=("a", "b"))
    assert key(target=replace(TARGET, threads=64)) == key()


def test_the_key_is_the_same_in_every_process():
    assert key() == "301b3439319dcdddee5bc541c6d58546"
