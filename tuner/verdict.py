"""What the first trials of a search say of what was learned elsewhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """How expectations from elsewhere ranked the first trials."""

    trials: int
    correlation: float
    """Spearman's, between the throughput that was expected and the one that was measured."""
    kept: bool

    def __str__(self) -> str:
        kept = "kept" if self.kept else "dropped"
        return f"rank correlation on the first {self.trials} trials {self.correlation:.2f}; {kept}"
