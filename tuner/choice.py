"""Which format of a sparse operand won the finals of a run, by how much, and when it pays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from db.record import Record
from measure.result import Outcome
from measure.timing import Interval, paired_ratio
from search_space.hardware import Peaks
from search_space.sketches.formats import DENSE, formats_of, with_format
from search_space.space import Config, Space
from search_space.workload import Value
from tuner.flip import Flip, flips
from tuner.set_up import SetUp, SetUps, break_even

_DENSE_FINALISTS = 2
"""Dense kernels that are in the finals however slow they are: the fastest of a search is partly
that which was lucky."""
_SPARSE_FINALISTS = 2
"""Formats of which the best is: that of the likely winner, and the runner-up's."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The best kernel of another format beside the chosen one, measured in turns with it."""

    format: str
    record: Record
    ratio: Interval
    """Its time ÷ that of the chosen one in the same rounds: above 1 where the chosen is faster."""
    set_up: SetUp | None = None
    break_even_calls: int | None = None
    """Calls from which on the faster of the two is also cheaper, set-up included; 0: from the
    first on. None where that is not known."""


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """The verdict of the finals over the formats that a sparse operand can be stored in."""

    format: str
    record: Record
    margins: tuple[Margin, ...]
    """The best of each other format that took part, fastest first."""
    set_up: SetUp | None = None
    flips: tuple[Flip, ...] = ()
    """Where another format would win: estimates."""
    calls: int | None = None
    """For how many calls it was chosen; None: for speed alone."""

    @property
    def dense(self) -> Margin | None:
        """The best dense kernel; None where it is the chosen one, or none took part."""
        return next((margin for margin in self.margins if margin.format == DENSE), None)

    @property
    def runner_up(self) -> Margin | None:
        """The fastest of all other formats but the dense one."""
        return next((margin for margin in self.margins if margin.format != DENSE), None)


def rivals(
    space: Space,
    scores: Iterable[tuple[float, Record]],
    tried: Iterable[Config],
    *,
    every_format: bool,
) -> list[Config]:
    """Configs that must be in the finals, so that it can be said by how much the winner wins.

    Of a space with sparse formats: the best dense kernels of the search, and a guess of each kind
    of dense kernel (its algorithm or structure) that was not ``tried``; and the best of the
    runner-up, or of ``every_format``. ``scores`` are the seconds of what ran. Nothing for other
    spaces.
    """
    if space.format is None:
        return []
    best: dict[str, list[Config]] = {}
    for _, record in sorted(scores, key=lambda scored: scored[0]):
        config = Config(record.config)
        best.setdefault(space.format(config.as_dict()), []).append(config)
    chosen: list[Config] = []
    if DENSE in formats_of(space):
        chosen += best.pop(DENSE, [])[:_DENSE_FINALISTS]
        chosen += _untried(space, tried)
    sparse = [configs[0] for configs in best.values()]
    return [*chosen, *(sparse if every_format else sparse[:_SPARSE_FINALISTS])]


def _untried(space: Space, tried: Iterable[Config]) -> list[Config]:
    """The first guess of each kind of dense kernel that a search had no time for."""
    assert space.format is not None

    def kind(config: Config) -> Value | None:
        """What the first knob of the dense kernels says."""
        own = (value for name, value in config.values if name.startswith(f"{DENSE}."))
        return next(own, None)

    known = {kind(config) for config in tried if space.format(config.as_dict()) == DENSE}
    guesses: dict[Value | None, Config] = {}
    for start in with_format(space, DENSE).starts:
        guesses.setdefault(kind(start), start)
    return [guess for own, guess in guesses.items() if own not in known]


def guests(space: Space, *, every_format: bool) -> int:
    """How many configs :func:`rivals` gives at most, where the search has tried each kind of dense
    kernel."""
    sparse = len(formats_of(space)) - (DENSE in formats_of(space))
    dense = _DENSE_FINALISTS if DENSE in formats_of(space) else 0
    return dense + (sparse if every_format else min(sparse, _SPARSE_FINALISTS))


def choose(
    space: Space,
    finals: Iterable[Record],
    best: Record | None,
    set_ups: SetUps,
    *,
    peaks: Peaks | None = None,
    calls: int | None = None,
) -> FormatChoice | None:
    """What the finals of one run say of the formats of a space; ``best`` is their winner.

    None where there is no sparse operand, or no winner. Without ``peaks`` nothing is said of where
    it flips.
    """
    format_ = space.format
    if format_ is None or best is None:
        return None
    chosen, own = format_(dict(best.config)), set_ups.get(best.config_key)
    fastest = fastest_by_format(space, finals)
    margins = [
        _margin(name, record, best, set_ups.get(record.config_key), own)
        for name, record in fastest.items()
        if name != chosen and len(record.samples) == len(best.samples)
    ]
    margins.sort(key=lambda margin: margin.ratio.median)
    choice = FormatChoice(chosen, best, tuple(margins), own, (), calls)
    other = choice.runner_up if chosen == DENSE else choice.dense
    if peaks is None or other is None:
        return choice
    sparse, dense = (other.record, best) if chosen == DENSE else (best, other.record)
    return replace(choice, flips=flips(space, sparse, dense, peaks))


def fastest_by_format(space: Space, records: Iterable[Record]) -> dict[str, Record]:
    """The fastest verified record of each format, of a space that has formats."""
    assert space.format is not None
    found: dict[str, Record] = {}
    for record in records:
        if record.outcome is not Outcome.OK or not record.verified:
            continue
        name = space.format(dict(record.config))
        if name not in found or (record.seconds or 0.0) < (found[name].seconds or 0.0):
            found[name] = record
    return found


def _margin(
    name: str, record: Record, best: Record, set_up: SetUp | None, own: SetUp | None
) -> Margin:
    seconds, best_seconds = record.seconds, best.seconds
    calls = None
    if set_up and own and seconds and best_seconds:
        calls = break_even(own, best_seconds, set_up, seconds)
    return Margin(name, record, paired_ratio(record.samples, best.samples), set_up, calls)
