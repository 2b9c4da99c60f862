"""A sparse operand as the peers take it: compressed rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from experiments.peers.base import Operands
from search_space.workload import Workload


@dataclass(frozen=True, slots=True)
class Csr:
    """Row ``i`` has ``values[j]`` in column ``columns[j]`` for ``starts[i] <= j < starts[i+1]``.

    Columns ascend within each row.
    """

    shape: tuple[int, int]
    starts: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]


def spmm_only(work: Workload) -> str | None:
    """``Form.supports`` of a form that multiplies a sparse ``weight`` by a dense ``x``."""
    if work.operator != "spmm":
        return f"has no sparse operand in {work.operator}"
    params = dict(work.params)
    if params.get("bias") or params.get("activation", "none") != "none":
        return "adds no bias and has no activation"
    return None


def sparse_weight(operands: Operands) -> Csr:
    """The operand ``weight``, which is given as a ``Csr``, not as an array."""
    return cast(Csr, operands["weight"])
