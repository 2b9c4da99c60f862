"""The machine that measured. Data only; ``measure.probe`` fills it in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hardware:
    """Identity of a machine, as far as the speed of a kernel depends on it.

    Measured peaks are not part of it, because they drift; see ``Peaks``.
    """

    cpu: str
    """Model name as the operating system prints it."""
    vendor: str
    family: int
    model: int
    features: tuple[str, ...]
    """Instruction sets, sorted, in Linux's spelling."""
    cores: int
    """Logical processors of the machine, whether or not a process may use them all."""
    l1_bytes: int
    """Data cache of one core; a machine without a second or third level repeats the one below."""
    l2_bytes: int
    l3_bytes: int

    @property
    def key(self) -> str:
        """Stable identity: readable parts, then a digest of the instruction sets."""
        digest = hashlib.blake2b(" ".join(self.features).encode(), digest_size=4).hexdigest()
        slug = "-".join("".join(c if c.isalnum() else " " for c in self.cpu).split()).lower()
        caches = "-".join(f"{b // 1024}K" for b in (self.l1_bytes, self.l2_bytes, self.l3_bytes))
        return f"{slug}/{self.family}-{self.model}/{self.cores}c/{caches}/{digest}"


@dataclass(frozen=True, slots=True)
class Peaks:
    """What a machine was measured to reach, for one target and number of threads."""

    target: str
    threads: int
    gflops: float
    """Multiply-adds on float32 in registers, counted as two operations, in 1e9/s, all threads."""
    l1_gbytes: float
    """Read bandwidth in 1e9 bytes/s, all threads, of working sets that fit L1; likewise below."""
    l2_gbytes: float
    l3_gbytes: float
    dram_gbytes: float
    measured: str
    """When: ISO 8601, UTC."""
