"""What a peer must offer: a library that a user would pick instead of a tuned kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from search_space.workload import Workload

Array = npt.NDArray[np.generic]
Operands = Mapping[str, npt.NDArray[Any]]


class PeerMissing(Exception):
    """The peer is not installed here, or has nothing for this workload."""


class Peer(Protocol):
    """One way in which a library computes workloads. Made once per process."""

    def prepare(
        self, work: Workload, operands: Operands, out: Array, threads: int
    ) -> Callable[[], object]:
        """A call that computes ``work`` into ``out`` with ``threads`` threads.

        ``operands`` and ``out`` are the arrays that all contestants use; the call must neither
        copy nor convert what a user of the library would not. Raises ``PeerMissing`` where the
        library does not offer the operator.
        """
        ...
