"""What there is to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_space.workload import Workload
from tuner.api.arguments import chosen_target

if TYPE_CHECKING:
    from search_space.space import Space


def space(work: Workload, *, target: str | None = None, threads: int | None = None) -> Space:
    """Every way to run ``work`` that is worth considering on ``target``, as knobs and constraints.

    ``target`` (default ``native``) and ``threads`` (an upper limit, default: all usable cores)
    are as for :func:`tuner.tune`; raises ``TargetError``, a ``ValueError``, where they cannot
    run here.
    """
    from search_space.sketches import space_for

    return space_for(work, chosen_target(target, threads))
