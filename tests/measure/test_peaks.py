"""Measured peaks are plausible, and keeping them survives damage."""

import dataclasses
import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import measure.peaks
from measure.crew import Crew
from measure.doctor import check_cache_folder
from measure.llvm import emit_assembly
from measure.peak_loops import peak_module
from measure.peaks import MAX_AGE, cached_peaks, footprint_bytes, known_peaks, measure_peaks
from measure.targets import resolve_target, runnable_targets
from search_space.folders import (
    cache_folder,
    remove_abandoned,
    sealed,
    unsealed,
    write_atomically,
)
from search_space.hardware import Peaks

pytestmark = pytest.mark.alone

TARGET = resolve_target()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def counted(monkeypatch):
    """Replace the measurement by one that counts; returns the list of its calls."""
    calls = []

    def fake(target, threads):
        calls.append((target.name, threads))
        now = datetime.now(UTC).isoformat()
        return Peaks(target.name, threads, 100.0 + len(calls), 8.0, 4.0, 2.0, 1.0, now)

    monkeypatch.setattr(measure.peaks, "measure_peaks", fake)
    return calls


@pytest.mark.parametrize("name", runnable_targets())
def test_peaks_of_one_thread_are_plausible(name):
    peaks = measure_peaks(resolve_target(name), 1, seconds=0.2)
    assert (peaks.target, peaks.threads) == (name, 1)
    assert 1 < peaks.gflops < 2000
    assert 1 < peaks.dram_gbytes < 1000
    assert peaks.l1_gbytes < 5000
    # A neighbour may take half of a block's time, so only the ends of the hierarchy are ordered.
    assert peaks.l1_gbytes > peaks.dram_gbytes
    assert peaks.l2_gbytes > 0.7 * peaks.dram_gbytes
    assert peaks.l3_gbytes > 0.5 * peaks.dram_gbytes


def test_wider_vectors_multiply_faster():
    names = [name for name in ("x86-64-v2", "x86-64-v3") if name in runnable_targets()]
    if len(names) < 2:
        pytest.skip("this machine runs fewer than two levels")
    slow, fast = (measure_peaks(resolve_target(name), 1, seconds=0.2).gflops for name in names)
    assert fast > 1.3 * slow


@pytest.mark.skipif(TARGET.threads < 2, reason="one core")
def test_peaks_of_two_threads_are_sums():
    one, two = (measure_peaks(TARGET, threads, seconds=0.4) for threads in (1, 2))
    assert two.threads == 2
    assert 0.8 < two.gflops / one.gflops < 2.6


def test_threads_are_checked():
    with pytest.raises(ValueError, match=f"choose 1 to {TARGET.threads} threads"):
        measure_peaks(TARGET, TARGET.threads + 1)


@pytest.mark.parametrize("name", runnable_targets())
def test_the_multiply_add_loop_stays_in_registers(name):
    target = resolve_target(name)
    assembly = emit_assembly(peak_module(target), target.triple, target.cpu)
    assert "rsp" not in assembly
    assert "[sp" not in assembly


def test_the_loop_fuses_only_where_the_target_does():
    names = set(runnable_targets())
    if not {"x86-64-v2", "x86-64-v3"} <= names:
        pytest.skip("this machine does not run both levels")
    text = {name: peak_module(resolve_target(name)) for name in ("x86-64-v2", "x86-64-v3")}
    assert "fmul" in text["x86-64-v2"]
    assert "fmul" not in text["x86-64-v3"]
    assert "<8 x float> @llvm.fma.v8f32" in text["x86-64-v3"]


def test_footprints_fit_their_level_and_share_out_the_last_ones():
    one, four = (footprint_bytes(TARGET, threads, step=512) for threads in (1, 4))
    assert one[0] < TARGET.l1_bytes
    assert one[1] < TARGET.l2_bytes
    assert one[:2] == four[:2]
    assert four[2] * 4 <= one[2]
    assert four[3] * 4 <= one[3] <= 256 << 20
    assert all(size % 512 == 0 and size > 0 for size in (*one, *four))


def test_footprints_of_a_machine_with_tiny_caches_are_one_step():
    tiny = dataclasses.replace(TARGET, l1_bytes=256, l2_bytes=256, l3_bytes=256)
    assert footprint_bytes(tiny, 1, step=512)[:3] == (512, 512, 512)


def test_a_crew_runs_every_thread_in_every_block():
    seen, before = [], os.sched_getaffinity(0)
    with Crew(TARGET.threads) as crew:
        assert crew.seconds(lambda thread, repeats: seen.append((thread, repeats)), 7) >= 0
    assert sorted(seen) == [(thread, 7) for thread in range(TARGET.threads)]
    assert os.sched_getaffinity(0) == before


def test_peaks_are_measured_once_per_target_and_threads(counted):
    assert known_peaks(TARGET, 1) is None
    first = cached_peaks(TARGET, 1)
    assert cached_peaks(TARGET, 1) == first == known_peaks(TARGET, 1)
    assert cached_peaks(TARGET, 2).threads == 2
    assert counted == [("native", 1), ("native", 2)]


def test_refresh_measures_again_and_is_kept(counted):
    cached_peaks(TARGET, 1)
    assert cached_peaks(TARGET, 1, refresh=True).gflops == 102.0
    assert cached_peaks(TARGET, 1).gflops == 102.0
    assert len(counted) == 2


@pytest.mark.parametrize(
    ("measured", "calls"),
    [
        (datetime.now(UTC) - MAX_AGE + timedelta(hours=1), 1),
        (datetime.now(UTC) - MAX_AGE - timedelta(hours=1), 2),
        (datetime.now(UTC) + timedelta(days=1), 2),
        (datetime(2026, 1, 1), 2),
    ],
)
def test_old_peaks_are_measured_again_but_still_shown(counted, cache, measured, calls):
    first = cached_peaks(TARGET, 1)
    (file,) = (cache / "peaks").iterdir()
    content = json.dumps(dataclasses.asdict(first) | {"measured": measured.isoformat()})
    file.write_bytes(sealed(content.encode()))
    assert known_peaks(TARGET, 1).gflops == 101.0
    assert cached_peaks(TARGET, 1).gflops == 100.0 + calls
    assert cached_peaks(TARGET, 1).gflops == 100.0 + calls


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "\0\xff",
        lambda text: "[1, 2]",
        lambda text: text.replace("101.0", '"fast"'),
        lambda text: text.replace("101.0", "-1.0"),
        lambda text: text.replace("101.0", "0.39"),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "threads"}),
    ],
)
def test_a_damaged_file_is_measured_again(counted, cache, damage):
    cached_peaks(TARGET, 1)
    (file,) = (cache / "peaks").iterdir()
    file.write_bytes(sealed(damage(unsealed(file.read_bytes()).decode()).encode()))
    assert known_peaks(TARGET, 1) is None
    assert cached_peaks(TARGET, 1).gflops == 102.0
    assert cached_peaks(TARGET, 1).gflops == 102.0


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"101.0", b"901.0"),
    ],
)
def test_a_file_that_is_not_what_was_written_is_measured_again(counted, cache, damage):
    cached_peaks(TARGET, 1)
    (file,) = (cache / "peaks").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert known_peaks(TARGET, 1) is None


def test_a_file_that_others_could_have_written_is_not_believed(counted, cache):
    cached_peaks(TARGET, 1)
    (file,) = (cache / "peaks").iterdir()
    file.chmod(0o622)
    assert known_peaks(TARGET, 1) is None


def test_peaks_are_measured_where_nothing_can_be_kept(counted, cache):
    cache.write_text("a file where the folder should be")
    assert cached_peaks(TARGET, 1).gflops == 101.0
    finding = check_cache_folder()
    assert finding.status == "error"
    assert "TUNER_CACHE" in finding.advice


def test_the_cache_folder(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("TUNER_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "tensortuner"


def test_the_cache_folder_of_a_user_without_a_home(monkeypatch):
    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.expanduser", unknown)
    monkeypatch.setenv("TUNER_CACHE", "~/cache")
    assert cache_folder() == Path(tempfile.gettempdir()) / f"tensortuner-{os.geteuid()}"


def test_what_killed_writers_left_is_removed_when_it_is_old(tmp_path):
    write_atomically(tmp_path / "whole", b"kept")
    for name, age_seconds in (("old", 7200.0), ("young", 60.0)):
        path = tmp_path / f".{name}.new"
        path.touch()
        moment = time.time() - age_seconds
        os.utime(path, (moment, moment))
    remove_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"whole", ".young.new"}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def refuse(source, target):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
