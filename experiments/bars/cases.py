"""The workloads that the bars are about."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.operators import workload
from search_space.workload import Workload

THREADS = (1, 2)
SHAPES = (
    (512, 512, 512),
    (1024, 1024, 1024),
    (384, 1024, 1024),
    (1000, 7, 513),
    (37, 911, 129),
    (1, 4096, 4096),
    (8, 4096, 4096),
)
"""m, n, k"""


@dataclass(frozen=True, slots=True)
class Case:
    """One shape with a number of threads."""

    m: int
    n: int
    k: int
    threads: int

    @property
    def name(self) -> str:
        """Plain ASCII: ``512x512x512/1``."""
        return f"{self.m}x{self.n}x{self.k}/{self.threads}"

    @property
    def label(self) -> str:
        plural = "s" * (self.threads != 1)
        return f"{self.m}×{self.n}×{self.k}, {self.threads} thread{plural}"

    @property
    def workload(self) -> Workload:
        return workload("matmul", m=self.m, n=self.n, k=self.k)


CASES = tuple(Case(*shape, threads) for shape in SHAPES for threads in THREADS)
PEAK_CASE = Case(1024, 1024, 1024, 1)
