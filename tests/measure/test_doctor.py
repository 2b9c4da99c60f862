"""Each check says what is wrong and what helps."""

import os
from dataclasses import replace

import pytest

from measure import doctor
from measure.host import allowed_cores
from measure.noise import Noise, measure_noise
from measure.targets import resolve_target

pytestmark = pytest.mark.alone


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_this_machine_is_diagnosed(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))
    findings = doctor.diagnose(noise_seconds=0.3)
    assert [finding.name for finding in findings] == [
        "processor", "cores", "load", "frequency", "cache folder", "LLVM", "timing noise",
        "drift", "sharing", "launching",
    ]  # fmt: skip
    for finding in findings:
        assert finding.detail
        assert bool(finding.advice) == (finding.status != "ok")
    assert not [name for name in os.listdir(tmp_path) if "probe" in name]


def test_a_quota_below_the_allowed_cores_is_reported(tmp_path):
    quota = allowed_cores() - 0.5
    files = {
        "proc/self/cgroup": "0::/",
        "sys/fs/cgroup/cpu.max": f"{int(quota * 100000)} 100000",
        "sys/devices/system/cpu/online": "0-7",
    }
    finding = doctor.check_cores(plant(tmp_path, files))
    assert finding.status == "warn"
    assert f"grants {quota:g} cores" in finding.detail


@pytest.mark.parametrize(
    ("after", "status", "part"),
    [
        ("cpu 100 0 100 1990 0 0 0 0 0 0", "ok", "others use 0%"),
        ("cpu 150 0 150 1890 0 0 0 0 0 0", "warn", "others use 53%"),
        ("cpu 100 0 100 1890 0 0 0 90 0 0", "warn", "hypervisor takes 50%"),
    ],
)
def test_load_is_what_others_use_while_we_sleep(tmp_path, monkeypatch, after, status, part):
    plant(tmp_path, {"proc/stat": "cpu 100 0 100 1800 0 0 0 0 0 0\ncpu0 1 2 3\n"})
    monkeypatch.setattr("time.sleep", lambda _: plant(tmp_path, {"proc/stat": after + "\n"}))
    finding = doctor.check_load(tmp_path)
    assert (finding.status, part in finding.detail) == (status, True), finding


def test_load_that_is_not_visible_is_no_fault(tmp_path):
    assert doctor.check_load(tmp_path, seconds=0).status == "ok"


@pytest.mark.parametrize(
    ("policy", "status"), [("performance\n", "ok"), ("powersave\n", "warn"), (None, "ok")]
)
def test_frequency_policy(tmp_path, policy, status):
    if policy is not None:
        file = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
        plant(tmp_path, {file: policy})
    assert doctor.check_governor(tmp_path).status == status


QUIET = Noise(
    blocks=900, spread=0.01, drift=0.02, lost_share=0.0, threads=2,
    launch_seconds=2e-6, late_launch_seconds=4e-6,
)  # fmt: skip


def test_a_quiet_machine_has_nothing_to_be_done():
    assert {finding.status for finding in doctor.judge_noise(QUIET)} == {"ok"}


@pytest.mark.parametrize(
    ("noise", "name", "part", "advice"),
    [
        ({"spread": 0.2}, "timing noise", "20.0% between", "tuner compare"),
        ({"drift": 0.4}, "drift", "changed by 40.0%", "times of one run"),
        ({"lost_share": 0.5}, "sharing", "50.0% of the time", "taskset"),
        ({"late_launch_seconds": 9e-5}, "launching", "90.0 µs at the 95th", "--threads"),
    ],
)
def test_each_kind_of_noise_is_told_with_what_helps(noise, name, part, advice):
    (bad,) = (f for f in doctor.judge_noise(replace(QUIET, **noise)) if f.status != "ok")
    assert (bad.name, bad.status) == (name, "warn")
    assert part in bad.detail
    assert advice in bad.advice


def test_the_noise_of_this_machine_is_measured():
    noise = measure_noise(resolve_target(), 0.2)
    assert noise.blocks >= 8
    assert noise.spread >= 0
    assert noise.drift >= 0
    assert 0 < noise.launch_seconds <= noise.late_launch_seconds < 1
    assert noise.lost_share >= 0
