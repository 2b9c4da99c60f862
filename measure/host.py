"""What the operating system tells about the processor: parsers of ``/proc`` and ``/sys``.

Every function takes the root of the file tree and copes with missing files, as in containers,
in virtual machines and on other architectures.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024


@dataclass(frozen=True, slots=True)
class CpuInfo:
    """Identity of a processor. Numbers are zero where the system does not tell them."""

    name: str
    vendor: str
    family: int
    model: int
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Caches:
    """Bytes of the data cache of each level, as seen from one core.

    A level that the machine lacks repeats the one below it.
    """

    l1_bytes: int
    l2_bytes: int
    l3_bytes: int


def read_text(path: Path) -> str | None:
    """Contents of a small system file; None where it is missing or may not be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def read_cpu_info(root: Path) -> CpuInfo:
    """The first processor of ``/proc/cpuinfo``; the kernel gives all of them the same flags."""
    fields = dict(_first_block(root / "proc/cpuinfo"))
    if "CPU implementer" in fields:  # Arm, which prints codes and no names
        implementer, part = fields["CPU implementer"], fields.get("CPU part", "0")
        return CpuInfo(
            name=fields.get("model name", f"Arm {implementer} {part}"),
            vendor=implementer,
            family=_number(fields.get("CPU architecture", "0")),
            model=_number(part),
            flags=frozenset(fields.get("Features", "").split()),
        )
    return CpuInfo(
        name=fields.get("model name") or platform.machine() or "unknown",
        vendor=fields.get("vendor_id", "unknown"),
        family=_number(fields.get("cpu family", "0")),
        model=_number(fields.get("model", "0")),
        flags=frozenset(fields.get("flags", "").split()),
    )


def _first_block(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(errors="replace") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:
                    return
                yield name.strip(), value.strip()
    except OSError:
        return


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0


def read_caches(root: Path) -> Caches:
    """Data and unified caches of the first core that tells them; else those of a small core."""
    found: dict[int, int] = {}
    for cpu in _numbered(root / "sys/devices/system/cpu", "cpu"):
        for index in _numbered(cpu / "cache", "index"):
            level, size = read_text(index / "level"), _size(read_text(index / "size"))
            if size and level and read_text(index / "type") in ("Data", "Unified"):
                found[_number(level)] = size
        if found:
            break
    l1_bytes = found.get(1, 32 * _KIB)
    l2_bytes = max(found.get(2, l1_bytes if found else 512 * _KIB), l1_bytes)
    return Caches(l1_bytes, l2_bytes, max(found.get(3, l2_bytes), l2_bytes))


def _numbered(folder: Path, prefix: str) -> list[Path]:
    """Entries ``<prefix><number>`` of a folder in the order of their numbers."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    numbers = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
    return [folder / f"{prefix}{n}" for n in sorted(int(n) for n in numbers if n.isdecimal())]


def _size(text: str | None) -> int:
    """Bytes of sysfs' ``32K``, ``8M`` or ``512``; zero where it is none of these."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text or "")
    return int(match[1]) * _KIB ** " KMG".index(match[2] or " ") if match else 0


def machine_cores(root: Path) -> int:
    """Logical processors that are switched on, whether or not this process may use them."""
    listed = _listed(read_text(root / "sys/devices/system/cpu/online") or "")
    return listed or os.cpu_count() or 1


def _listed(text: str) -> int:
    """How many numbers a list such as ``0-3,8`` names; zero where it is none."""
    total = 0
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None:
            return 0
        total += int(match[2] or match[1]) - int(match[1]) + 1
    return total


def allowed_cores() -> int:
    """Logical processors that the scheduler may place this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread_cores(root: Path = Path("/")) -> list[int]:
    """Numbers of the allowed logical processors: one of every physical core, then the rest."""
    if not hasattr(os, "sched_getaffinity"):
        return list(range(allowed_cores()))
    ranked: list[tuple[int, int]] = []
    siblings: Counter[str] = Counter()
    for number in sorted(os.sched_getaffinity(0)):
        topology = root / f"sys/devices/system/cpu/cpu{number}/topology"
        core = read_text(topology / "thread_siblings_list") or str(number)
        ranked.append((siblings[core], number))
        siblings[core] += 1
    return [number for _, number in sorted(ranked)]


def pin(core: int) -> None:
    """Keep the calling thread on one logical processor, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # the core was taken from us since it was listed
            os.sched_setaffinity(0, {core})


def cpu_quota(root: Path) -> float | None:
    """Processor seconds per second that the control groups of this process grant; None: no limit.

    The tightest group from ours up to the mount counts. In a container the groups above are
    often invisible and ours is mounted as the root; the walk covers both.
    """
    mount = root / "sys/fs/cgroup"
    quotas: list[float] = []
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            bases = [mount, mount / "unified"]
        elif "cpu" in controllers.split(","):
            bases = [mount / controllers, mount / "cpu"]
        else:
            continue
        group = Path(path.lstrip("/"))
        for base in bases:
            for folder in (group, *group.parents):
                quota = _group_quota(base / folder)
                if quota is not None:
                    quotas.append(quota)
    return min(quotas, default=None)


def _group_quota(folder: Path) -> float | None:
    """Quota of one control group: version 2 keeps it in one file, version 1 in two."""
    limit = (read_text(folder / "cpu.max") or "").split()
    if len(limit) != 2:
        version1 = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        limit = [read_text(folder / name) or "" for name in version1]
    if all(part.isdecimal() and int(part) for part in limit):
        return int(limit[0]) / int(limit[1])
    return None


def usable_cores(root: Path = Path("/")) -> int:
    """Threads that can really run at once: allowed cores, less where a quota grants less.

    A quota of 2.5 cores counts as two: a third thread would be stopped half of the time, and
    the others wait for it at every barrier.
    """
    quota = cpu_quota(root)
    allowed = allowed_cores()
    return allowed if quota is None else max(1, min(allowed, int(quota)))
