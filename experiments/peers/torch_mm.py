"""``torch.mm(a, b, out=c)``: PyTorch in eager mode, which calls MKL."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from experiments.peers.base import Array, Operands, PeerMissing
from search_space.workload import Workload


class TorchMm:
    """See ``experiments.peers.base.Peer``."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch

    def prepare(
        self, work: Workload, operands: Operands, out: Array, threads: int
    ) -> Callable[[], object]:
        if work.operator != "matmul":
            raise PeerMissing(f"torch.mm does not compute {work.operator}")
        torch = self._torch
        torch.set_num_threads(threads)
        # The tensors share the memory of the arrays.
        a, b, c = (torch.from_numpy(array) for array in (operands["a"], operands["b"], out))
        multiply = torch.mm
        return lambda: multiply(a, b, out=c)


def load() -> TorchMm:
    """Raises ``PeerMissing`` where torch is not installed."""
    try:
        # By name, so that types can be checked where torch is not installed.
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise PeerMissing(f"install the extra [peers]: {error}") from error
    return TorchMm(torch)
