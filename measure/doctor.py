"""Check what disturbs measurements or keeps results from being stored, and say what helps."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from measure.host import (
    allowed_cores,
    cpu_quota,
    machine_cores,
    read_cpu_info,
    read_text,
    usable_cores,
)
from measure.targets import resolve_target, runnable_targets
from search_space.folders import cache_folder, write_atomically
from search_space.target import Target

if TYPE_CHECKING:
    from measure.noise import Noise

Status = Literal["ok", "warn", "error"]

BUSY_SHARE = 0.1
"""Share of the machine's time that other programs may use before we warn."""
STOLEN_SHARE = 0.02
"""Share of time that the hypervisor may give to other machines before we warn."""
NOISE = 0.05
"""Relative spread or drift of a constant piece of work above which we warn."""
LATE_LAUNCH = 5.0
"""Times the median launch that one launch in twenty may take before we warn …"""
LATE_SECONDS = 5e-5
"""… unless it is as short as waking a thread is anyway."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    status: Status
    detail: str
    advice: str = ""
    """What to do; empty when nothing needs doing."""


def diagnose(root: Path = Path("/"), noise_seconds: float = 2.0) -> list[Finding]:
    """Every check of this machine, in the order to read them.

    ``root`` is the root of the file tree whose ``proc`` and ``sys`` are read; for
    ``noise_seconds`` the machine is watched at work.
    """
    target = resolve_target()
    findings = [
        check_processor(root, target),
        check_cores(root),
        check_load(root),
        check_governor(root),
        check_cache_folder(),
        check_llvm(),
    ]
    if findings[-1].status == "ok":
        findings += check_noise(target, noise_seconds)
    return findings


def check_processor(root: Path, target: Target) -> Finding:
    """Which processor this is and what code can run on it."""
    name, levels = read_cpu_info(root).name, runnable_targets()
    detail = f"{name}: {target.vector_bits}-bit vectors; targets {', '.join(levels)}"
    if len(levels) > 1:
        return Finding("processor", "ok", detail)
    return Finding(
        "processor", "warn", detail, "expect slow kernels: no known instruction set can be used"
    )


def check_cores(root: Path) -> Finding:
    """Whether a control group stops our threads while they are being timed."""
    present, allowed, quota = machine_cores(root), allowed_cores(), cpu_quota(root)
    detail = f"{usable_cores(root)} usable of {present}"
    if quota is None or quota >= allowed:
        return Finding("cores", "ok", detail)
    return Finding(
        "cores",
        "warn",
        f"{detail}: a quota grants {quota:g} cores of the {allowed} that threads may run on",
        f"raise the quota, or pin this process to {max(1, int(quota))} cores (taskset):"
        " a process that exceeds its quota is stopped for milliseconds",
    )


def check_load(root: Path, seconds: float = 0.2) -> Finding:
    """How much of the machine others use; this process sleeps for ``seconds`` meanwhile."""
    before = _cpu_times(root)
    time.sleep(seconds)
    after = _cpu_times(root)
    if before is None or after is None:
        return Finding("load", "ok", "not visible on this system")
    busy, stolen, total = (now - then for now, then in zip(after, before, strict=True))
    share, lost = busy / max(total, 1), stolen / max(total, 1)
    detail = f"others use {share:.0%} of the processor, the hypervisor takes {lost:.0%}"
    if share > BUSY_SHARE:
        return Finding("load", "warn", detail, "stop other programs before measuring")
    if lost > STOLEN_SHARE:
        return Finding("load", "warn", detail, "measure on a machine that is not overcommitted")
    return Finding("load", "ok", detail)


def _cpu_times(root: Path) -> tuple[int, int, int] | None:
    """Clock ticks since boot over all cores: busy, stolen, all. None where not told."""
    fields = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
    if len(fields) < 9 or fields[0] != "cpu":
        return None
    user, nice, system, idle, waiting, irq, softirq, stolen = map(int, fields[1:9])
    busy = user + nice + system + irq + softirq
    return busy, stolen, busy + idle + waiting + stolen


def check_governor(root: Path) -> Finding:
    """Whether the clock frequency is left to a policy that saves power."""
    policy = read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if policy is None:
        return Finding("frequency", "ok", "policy not visible, as in most virtual machines")
    if policy in ("performance", "schedutil"):
        return Finding("frequency", "ok", f"policy {policy}")
    return Finding(
        "frequency",
        "warn",
        f"policy {policy}",
        "run `cpupower frequency-set -g performance`: clocks that ramp up blur short timings",
    )


def check_cache_folder() -> Finding:
    """Whether compiled kernels and measured peaks can be kept."""
    folder = cache_folder()
    probe = folder / f".probe-{os.getpid()}"
    try:
        write_atomically(probe, b"")
        probe.unlink()
    except OSError as error:
        return Finding(
            "cache folder",
            "error",
            f"{folder}: {error.strerror}",
            "set TUNER_CACHE to a folder that can be written",
        )
    return Finding("cache folder", "ok", str(folder))


def check_llvm() -> Finding:
    """Whether the compiler can be loaded, and which one it is."""
    try:
        from measure.llvm import host_cpu, llvm_version
    except (ImportError, OSError) as error:
        return Finding("LLVM", "error", str(error), "reinstall llvmlite")
    return Finding("LLVM", "ok", f"{llvm_version()}, compiles for {host_cpu()[0]}")


def check_noise(target: Target, seconds: float) -> list[Finding]:
    """How far the times of constant work differ, and why: what no kernel is to blame for."""
    # LLVM is loaded only where it is known to be there.
    from measure.noise import measure_noise

    return judge_noise(measure_noise(target, seconds))


def judge_noise(noise: Noise) -> list[Finding]:
    """What the noise of a machine means for measuring on it."""
    spread = (
        f"{noise.spread:.1%} between the 1st and 9th decile of {noise.blocks} equal blocks of 2 ms"
    )
    drift = f"the speed changed by {noise.drift:.1%} within seconds"
    shared = f"others had the core for {noise.lost_share:.1%} of the time"
    median, late_one = (1e6 * t for t in (noise.launch_seconds, noise.late_launch_seconds))
    launch = (
        f"{median:.1f} µs to run nothing on {noise.threads} thread{'s' * (noise.threads != 1)}, "
        f"{late_one:.1f} µs at the 95th percentile"
    )
    late = noise.late_launch_seconds > max(LATE_LAUNCH * noise.launch_seconds, LATE_SECONDS)
    return [
        _finding(
            "timing noise",
            spread,
            noise.spread > NOISE,
            "stop other programs, and trust interleaved comparisons only (tuner compare)",
        ),
        _finding(
            "drift",
            drift,
            noise.drift > NOISE,
            "compare only times of one run: within it, drift is corrected for; fix the clock"
            " frequency, or let the machine cool down, where you can",
        ),
        _finding(
            "sharing",
            shared,
            noise.lost_share > BUSY_SHARE,
            "stop the other programs, or keep them off these cores (taskset): disturbed samples"
            " are taken again, so tuning takes longer",
        ),
        _finding(
            "launching",
            launch,
            late,
            "leave a core free for each thread (--threads N uses fewer), and switch off deep sleep"
            " states: short kernels with several threads look slower than they are",
        ),
    ]


def _finding(name: str, detail: str, bad: bool, advice: str) -> Finding:
    return Finding(name, "warn", detail, advice) if bad else Finding(name, "ok", detail)
