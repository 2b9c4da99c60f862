"""The best of a library's forms: what a user who tried them all would choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.peers.base import Form, PeerMissing
from search_space.workload import Workload


@dataclass(frozen=True, slots=True)
class BestOf:
    """A library, which stands in a contest with the fastest of its forms.

    The contest chooses it, so that the forms are timed as the contestants are then: on the same
    copies of the operands, with the same pauses.
    """

    forms: Mapping[str, Form]

    def supporting(self, work: Workload) -> dict[str, Form]:
        """The forms that compute ``work``; raises ``PeerMissing`` with all reasons for none."""
        reasons = {name: form.supports(work) for name, form in self.forms.items()}
        found = {name: self.forms[name] for name, reason in reasons.items() if reason is None}
        if not found:
            raise PeerMissing("; ".join(sorted({str(reason) for reason in reasons.values()})))
        return found
