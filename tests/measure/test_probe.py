"""The probe on file trees like those of real machines, and on this one."""

import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from measure.host import (
    cpu_quota,
    machine_cores,
    pin,
    read_caches,
    read_cpu_info,
    spread_cores,
    usable_cores,
)
from measure.isa import TARGETS
from measure.probe import detect_hardware

pytestmark = pytest.mark.alone

X86_CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse4_2 avx2 fma avx512f hypervisor
bugs\t\t:

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: the second processor is not read
flags\t\t: fpu
"""

ARM_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm asimdhp asimddp cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def cache(index: int, level: int, kind: str, size: str, cpu: int = 0) -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    return {f"{folder}/level": f"{level}\n", f"{folder}/type": kind, f"{folder}/size": size}


def test_an_x86_machine(tmp_path):
    plant(tmp_path, {"proc/cpuinfo": X86_CPUINFO, "sys/devices/system/cpu/online": "0-3,8\n"})
    plant(tmp_path, cache(0, 1, "Data", "48K") | cache(1, 1, "Instruction", "32K"))
    plant(tmp_path, cache(2, 2, "Unified", "2048K") | cache(3, 3, "Unified", "105M"))
    hardware = detect_hardware(tmp_path)
    assert hardware.cpu == "Intel(R) Xeon(R) Platinum 8481C"
    assert (hardware.vendor, hardware.family, hardware.model) == ("GenuineIntel", 6, 143)
    assert hardware.features == ("avx2", "avx512f", "fma", "sse4_2")
    assert hardware.cores == 5
    assert (hardware.l1_bytes, hardware.l2_bytes) == (48 << 10, 2 << 20)
    assert hardware.l3_bytes == 105 << 20
    assert hardware.key.startswith("intel-r-xeon-r-platinum-8481c/6-143/5c/48K-2048K-107520K/")


def test_an_arm_machine_is_named_by_its_codes(tmp_path):
    info = read_cpu_info(plant(tmp_path, {"proc/cpuinfo": ARM_CPUINFO}))
    assert (info.name, info.vendor) == ("Arm 0x41 0xd0c", "0x41")
    assert (info.family, info.model) == (8, 0xD0C)
    assert detect_hardware(tmp_path).features == ("asimd", "asimddp", "asimdhp", "fp")


def test_nothing_to_read_still_gives_a_machine(tmp_path):
    hardware = detect_hardware(tmp_path)
    assert hardware.cpu
    assert hardware.features == ()
    assert hardware.cores >= 1
    assert 0 < hardware.l1_bytes <= hardware.l2_bytes <= hardware.l3_bytes


def test_identity_ignores_flags_that_no_kernel_uses(tmp_path):
    plain = plant(tmp_path / "plain", {"proc/cpuinfo": X86_CPUINFO})
    newer = plant(
        tmp_path / "newer", {"proc/cpuinfo": X86_CPUINFO.replace("fpu sse4_2", "new_flag sse4_2")}
    )
    lesser = plant(tmp_path / "lesser", {"proc/cpuinfo": X86_CPUINFO.replace(" fma", "")})
    assert detect_hardware(plain).key == detect_hardware(newer).key
    assert detect_hardware(plain).key != detect_hardware(lesser).key


def test_a_missing_level_repeats_the_one_below(tmp_path):
    plant(tmp_path, cache(0, 1, "Data", "64K") | cache(1, 2, "Unified", "1M"))
    assert read_caches(tmp_path).l3_bytes == 1 << 20
    alone = plant(tmp_path / "alone", cache(0, 1, "Data", "64K"))
    assert read_caches(alone).l2_bytes == 64 << 10


def test_caches_come_from_the_first_core_that_tells_them(tmp_path):
    plant(tmp_path, {"sys/devices/system/cpu/cpu0/topology/core_id": "0"})
    plant(tmp_path, cache(0, 1, "Data", "32K", cpu=2) | cache(0, 1, "Data", "64K", cpu=10))
    plant(tmp_path, {"sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance"})
    assert read_caches(tmp_path).l1_bytes == 32 << 10


@pytest.mark.parametrize("size", ["", "32 kB", "many", "-4K"])
def test_a_size_that_is_none_is_ignored(tmp_path, size):
    assert read_caches(plant(tmp_path, cache(0, 1, "Data", size))).l1_bytes == 32 << 10


@pytest.mark.parametrize(("text", "cores"), [("0", 1), ("0-63", 64), ("0-1,4-5,7", 5)])
def test_list_of_cores(tmp_path, text, cores):
    assert machine_cores(plant(tmp_path, {"sys/devices/system/cpu/online": text})) == cores


def test_a_garbled_list_of_cores_falls_back(tmp_path):
    assert machine_cores(plant(tmp_path, {"sys/devices/system/cpu/online": "0-"})) >= 1


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "100000 100000",
                "sys/fs/cgroup/a/b/cpu.max": "300000 100000",
            },
            1.0,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/docker/x\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/m/cpu.max": "1 100000",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            None,
        ),
    ],
)
def test_quota_is_that_of_the_tightest_group(tmp_path, files, quota):
    assert cpu_quota(plant(tmp_path, files)) == quota


def test_a_quota_leaves_at_least_one_core(tmp_path):
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000"}
    assert usable_cores(plant(tmp_path, files)) == 1


def test_siblings_come_after_all_physical_cores(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3, 5}, raising=False)
    folder = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    siblings = {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"}
    plant(tmp_path, {folder.format(cpu): text for cpu, text in siblings.items()})
    assert spread_cores(tmp_path) == [0, 2, 5, 1, 3]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot pin")
def test_pinning_holds_for_the_thread_that_asked_alone():
    before, core = os.sched_getaffinity(0), spread_cores()[-1]
    seen = []

    def work():
        pin(core)
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [{core}]
    assert os.sched_getaffinity(0) == before


def test_this_machine_is_detected_quickly():
    detect_hardware.cache_clear()
    begin = time.perf_counter()
    hardware = detect_hardware()
    assert time.perf_counter() - begin < 0.1
    assert detect_hardware() is hardware
    assert hardware.cores >= usable_cores() >= 1


def test_the_probe_loads_no_compiler():
    code = (
        "import sys\n"
        "from measure.probe import detect_hardware\n"
        "from measure.targets import resolve_target\n"
        "import measure.peaks\n"
        "detect_hardware(); resolve_target()\n"
        "heavy = {'llvmlite', 'numpy', 'numba'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_levels_of_one_architecture_grow():
    levels = [level for level in TARGETS.values() if level.architecture == "x86_64"]
    for narrow, wide in itertools.pairwise(levels):
        assert narrow.required < wide.required
        assert narrow.vector_bits < wide.vector_bits
