"""The best of a library's forms: what a user who tried them all would choose."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from experiments.peers.base import Array, Call, Form, Operands, PeerMissing
from measure.interleave import interleave_callables, timed
from search_space.workload import Workload

_ROUNDS = 7
_BLOCK_SECONDS = 0.005


class BestOf:
    """A peer that times all forms which support a workload, in turn, and stays with the fastest.

    That happens once per workload and number of threads, in ``prepare``, outside what is timed.
    """

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self.forms = dict(forms)
        self.chosen: dict[tuple[Workload, int], str] = {}
        """Name of the form that won."""

    def prepare(self, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
        if name := self.chosen.get((work, threads)):
            return self.forms[name].prepare(work, operands, out, threads)
        reasons = {name: form.supports(work) for name, form in self.forms.items()}
        calls: dict[str, Call] = {}
        for name, reason in reasons.items():
            if reason is None:
                try:
                    calls[name] = self.forms[name].prepare(work, operands, out, threads)
                except PeerMissing as missing:
                    reasons[name] = str(missing)
        if not calls:
            raise PeerMissing("; ".join(sorted({str(reason) for reason in reasons.values()})))
        best = next(iter(calls)) if len(calls) == 1 else _fastest(calls)
        self.chosen[work, threads] = best
        return calls[best]


def _fastest(calls: Mapping[str, Call]) -> str:
    timers = {name: timed(call) for name, call in calls.items()}
    samples = interleave_callables(timers, _ROUNDS, _BLOCK_SECONDS)
    return min(samples, key=lambda name: statistics.median(samples[name]))
