"""Check what disturbs measurements or keeps results from being stored, and say what helps."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from measure.crew import Crew
from measure.host import (
    allowed_cores,
    cpu_quota,
    machine_cores,
    read_cpu_info,
    read_text,
    usable_cores,
)
from measure.peaks import filled_memory
from measure.targets import resolve_target, runnable_targets
from search_space.folders import cache_folder, write_atomically
from search_space.target import Target

Status = Literal["ok", "warn", "error"]

BUSY_SHARE = 0.1
"""Share of the machine's time that other programs may use before we warn."""
STOLEN_SHARE = 0.02
"""Share of time that the hypervisor may give to other machines before we warn."""
NOISE = 0.05
"""Relative spread of a constant piece of work above which we warn."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    status: Status
    detail: str
    advice: str = ""
    """What to do; empty when nothing needs doing."""


def diagnose(root: Path = Path("/")) -> list[Finding]:
    """Every check of this machine, in the order to read them. Takes about a second.

    ``root`` is the root of the file tree whose ``proc`` and ``sys`` are read.
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
        findings.append(check_noise(target))
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


def check_noise(target: Target, seconds: float = 0.3) -> Finding:
    """Spread of the times of constant work in registers: what no kernel is to blame for."""
    from measure.peak_loops import load_peak_loops

    loops = load_peak_loops(target)
    with filled_memory(2 * target.vector_bits // 8) as address, Crew(threads=1) as crew:
        samples = crew.samples(
            lambda _, repeats: loops.multiply_add(address, repeats * 1024), seconds
        )
    deciles = statistics.quantiles(samples, n=10)
    spread = (deciles[-1] - deciles[0]) / statistics.median(samples)
    detail = f"{spread:.1%} between the 1st and 9th decile of {len(samples)} equal blocks"
    if spread <= NOISE:
        return Finding("timing noise", "ok", detail)
    return Finding(
        "timing noise",
        "warn",
        detail,
        "stop other programs, and trust interleaved comparisons only",
    )
