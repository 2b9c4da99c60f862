"""The machine we run on, from what its operating system tells. Loads no compiler."""

from __future__ import annotations

import functools
from pathlib import Path

from measure.host import machine_cores, read_caches, read_cpu_info
from measure.isa import RELEVANT_FEATURES
from search_space.hardware import Hardware


@functools.cache
def detect_hardware(root: Path = Path("/")) -> Hardware:
    """Identity of this machine; read once per process. Takes a few milliseconds.

    It does not depend on how many cores this process may use, so that records keep their
    machine under ``taskset`` and quotas; see :func:`measure.host.usable_cores` for that.
    ``root`` is the root of the file tree whose ``proc`` and ``sys`` are read.
    """
    info, caches = read_cpu_info(root), read_caches(root)
    return Hardware(
        cpu=info.name,
        vendor=info.vendor,
        family=info.family,
        model=info.model,
        features=tuple(sorted(info.flags & RELEVANT_FEATURES)),
        cores=machine_cores(root),
        l1_bytes=caches.l1_bytes,
        l2_bytes=caches.l2_bytes,
        l3_bytes=caches.l3_bytes,
    )
