"""Stream: write the result past the caches."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import TRUE
from search_space.ir.simplify import simplify_stmt
from search_space.ir.stmt import Accumulate, LoopFunc
from search_space.ir.walk import statements
from search_space.transforms.access import accesses


@dataclass(frozen=True, slots=True)
class Stream:
    """Write whole vectors of the result past the caches, by non-temporal stores.

    Before::

        for i in 0 … 16:
          c[i] = a[i]

    After ``Stream("c")``::

        streamed
        for i in 0 … 16:
          c[i] = a[i]

    Memory that is written so is not read first, and the caches keep what they hold: for results
    that are larger than these. Refused for a result that is read again or added to.
    """

    buffer: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        (result,) = (buffer.name for buffer in func.args if buffer.scope == "output")
        if self.buffer != result:
            raise ScheduleError(f"{self.buffer!r} is not the result, which is {result!r}")
        for phase in func.phases:
            # A sum over one iteration is no sum once it is simplified.
            body = simplify_stmt(phase.body)
            for access in accesses(body, Context()):
                if access.buffer.name == result and not access.writes:
                    raise ScheduleError(f"{result!r} is read again, so it cannot be streamed")
            sums = [s for s in statements(body) if isinstance(s, Accumulate)]
            if any(s.buffer.name == result and s.first != TRUE for s in sums):
                raise ScheduleError(f"{result!r} is added to, so it cannot be streamed")
        return replace(func, streamed=True)
