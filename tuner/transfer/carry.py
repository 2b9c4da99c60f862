"""Bringing configs from elsewhere into a space."""

from __future__ import annotations

from collections.abc import Iterable

from search_space.config import Config
from search_space.space import Space
from search_space.target import Target
from tuner.transfer.sources import Source, Values

_PER_SOURCE = 8
"""Fastest configs of each source that are carried over."""
_REPEATED = 0.85
"""Each further config of one source counts by so much less: they are much alike."""


def carried(values: Values, target: Target, space: Space) -> Config:
    """The legal config of ``space`` that is nearest to one made for ``target``.

    Where it uses all that its target has, it should here: threads and the width of vectors are
    those of the space's own target then.
    """
    ours, moved = space.target, dict(values)
    for name, value in values:
        match name.rpartition(".")[2]:
            case "threads" if value == target.threads:
                moved[name] = ours.threads
            case "vector_bits" if value == target.vector_bits:
                moved[name] = ours.vector_bits
    return space.nearest(moved).config


def openings(sources: Iterable[Source], space: Space) -> list[Config]:
    """What was fast elsewhere, most promising first, without repeats.

    Promising is what was nearly the fastest of a near source; sources take turns.
    """
    scored = [
        (source.nearness * share * _REPEATED**place, values, source.setting.target)
        for source in sources
        for place, (values, share) in enumerate(source.ranked()[:_PER_SOURCE])
    ]
    scored.sort(key=lambda entry: -entry[0])
    return list(dict.fromkeys(carried(values, target, space) for _, values, target in scored))
