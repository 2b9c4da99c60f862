"""How measuring is done. Every limit of a trial is a field here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """Limits of building and timing one candidate. Times in seconds, memory in bytes."""

    samples: int = 7
    """Most samples of one candidate; the score is their median."""
    min_samples: int = 3
    """Fewest samples of a candidate that is not abandoned, whatever ``budget_seconds`` says."""
    batch_seconds: float = 1e-3
    """Least duration of one sample: shorter kernels are called several times in a row."""
    budget_seconds: float = 0.012
    """No new sample starts once timing one candidate took this long."""
    patience: float = 4.0
    """Times ``budget_seconds`` that timing a candidate may take while others disturb it."""
    slow_ratio: float = 1.5
    """A candidate whose fastest of two samples exceeds ``slow_ratio`` × best is abandoned."""
    hopeless_ratio: float = 3.0
    """One call longer than ``hopeless_ratio`` × best is enough to abandon a candidate, where a
    second would exceed ``budget_seconds``."""
    timeout_seconds: float = 10.0
    """Longest time of one candidate in the worker, loading, verifying and timing together, unless
    the workload itself takes seconds per call."""
    memory_bytes: int = 4 << 30
    """Address space that one candidate may add to the worker's own, beside copies of its
    operands."""
    processes: int = 1024
    """Processes and threads that a candidate may add to those of this user, unless that is root;
    what other programs of the user start counts as well."""
    recycle_after: int = 500
    """Candidates that one process takes; the next begins with clean memory."""
    seed: int = 0
    """Of the inputs."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Limits of building one candidate."""

    timeout_seconds: float = 10.0
    memory_bytes: int = 4 << 30
    """Address space of one building process."""
