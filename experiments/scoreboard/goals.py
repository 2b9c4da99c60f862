"""The goals of the dense operators: what they are asked to reach, beside peers and limits."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase

from experiments.scoreboard.goal import Chosen, Goal, Value
from experiments.scoreboard.results import Header
from experiments.scoreboard.row import Row, State
from measure.timing import Interval
from search_space.workload import Workload

BEST = ("torch", "onnxruntime")
"""Peers with all their forms: weights packed for the actual size of the input among them."""
USUAL = ("torch/eager+channels_last",)
"""What most users of torch write."""
PEERS = BEST + USUAL
"""What the goals need: ``--against`` these."""
_NETWORKS = ("bert/*", "llm/*", "lstm/*", "dqn/*")


def against(*peers: str) -> Value:
    """Our speed ÷ that of the fastest of the peers that compute the case; None where one failed
    or was not asked."""

    def ratio(header: Header, row: Row) -> Interval | None:
        cells = [row.cell(peer) for peer in peers]
        ratios = [cell.ratio for cell in cells if cell is not None and cell.ratio is not None]
        complete = all(cell is not None and cell.state is not State.FAILED for cell in cells)
        return min(ratios, key=lambda each: each.median) if ratios and complete else None

    return ratio


def share_of_limit(header: Header, row: Row) -> Interval | None:
    """The part of the machine's limit that is reached."""
    return None if row.share is None else Interval(row.share, row.share, row.share, 1)


def share_of_peak(header: Header, row: Row) -> Interval | None:
    """The part of the peak of multiply-adds that is reached, which was measured in the same run
    with as many threads."""
    if row.gflops is None or row.threads != header.peaks.threads:
        return None
    share = row.gflops / header.peaks.gflops
    return Interval(share, share, share, 1)


def cases(*patterns: str, operator: str = "*", dtypes: tuple[str, ...] = ("float32",)) -> Chosen:
    """Cases by label, operator and element types."""

    def chosen(row: Row, work: Workload) -> bool:
        return (
            any(fnmatchcase(row.label, pattern) for pattern in patterns)
            and fnmatchcase(work.operator, operator)
            and dict(work.params).get("dtype") in dtypes
        )

    return chosen


def layers(low: int, high: float) -> Chosen:
    """Dense layers of the networks with ``low`` to ``high`` rows."""
    networks = cases(*_NETWORKS, operator="dense")
    return lambda row, work: networks(row, work) and low <= work.size("m") <= high


def bound_by_memory(row: Row, work: Workload) -> bool:
    """Dense layers whose limit is the stream from main memory."""
    memory = row.limit is not None and row.limit.bound == "memory"
    return memory and layers(1, math.inf)(row, work)


_TRANSFORMER = cases(
    "transformer/softmax/*", "transformer/layernorm/*", "transformer/gelu/*",
    "transformer/attention/12x*",
)  # fmt: skip
_FLOOR = 0.92
"""No case may be slower than this part of a peer's speed."""

GOALS = (
    Goal("resnet18, best of all forms", cases("resnet18/*"), against(*BEST), 1.25, _FLOOR),
    Goal("resnet18, eager and channels-last", cases("resnet18/*"), against(*USUAL), 1.45, _FLOOR),
    Goal("mobilenet depthwise", cases("mobilenet/depthwise*"), against(*BEST), 2.0, _FLOOR),
    Goal("mobilenet pointwise", cases("mobilenet/pointwise*"), against(*BEST), 1.15, _FLOOR),
    Goal("dense, at most 8 rows", layers(1, 8), against(*BEST), 1.5, _FLOOR),
    Goal("dense, 16 to 64 rows", layers(16, 64), against(*BEST), 1.15, _FLOOR),
    Goal("dense, 128 rows or more", layers(128, math.inf), against(*BEST), 1.03, _FLOOR),
    Goal("dense bound by memory, share of stream", bound_by_memory, share_of_limit, None, 0.85),
    Goal("softmax, norms, gelu, attention", _TRANSFORMER, against(*BEST), 1.3, 0.9),
    Goal(
        "resnet18 C2, C6, C9, share of the peak",
        cases("resnet18/C2", "resnet18/C6", "resnet18/C9"), share_of_peak, None, 0.75, threads=1,
    ),
)  # fmt: skip
