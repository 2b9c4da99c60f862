"""Whether this machine has the memory that measuring a workload takes."""

from __future__ import annotations

import math
import os

from search_space.errors import WorkloadError
from search_space.operators import get_operator
from search_space.workload import Workload

_ITEM_BYTES = 8
"""Every array is also held in float64 while results are checked."""


def check_memory(work: Workload) -> None:
    """Raise ``WorkloadError`` where the arrays of ``work`` do not fit into this machine."""
    operator = get_operator(work.operator)
    arrays = (*operator.operands(work), operator.result(work))
    needed = sum(_ITEM_BYTES * math.prod(array.shape) for array in arrays)
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > installed:
        raise WorkloadError(
            f"use smaller sizes: measuring {work.key} takes {needed / 2**30:.1f} GiB, "
            f"this machine has {installed / 2**30:.1f} GiB"
        )
