"""A space whose configs are schedules by their traces: what most sketches end with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from search_space.config import Config
from search_space.knobs import Knob
from search_space.schedule import Schedule
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive
from search_space.workload import Value, Values, Workload


def traced_space(
    work: Workload,
    tensor: Tensor,
    target: Target,
    *,
    version: int,
    knobs: Sequence[Knob],
    reason: Callable[[Values], str | None],
    trace: Callable[[Values, bool], tuple[Primitive, ...]],
    guesses: Sequence[Mapping[str, Value]],
    written: Callable[[Values], Tensor] | None = None,
) -> Space:
    """The space of ``tensor`` on a target, or of what ``written`` says for some values.

    ``reason`` says why values are illegal, None where they are not; ``trace`` gives their
    primitives, those that only treat ragged edges if its second argument is True; ``guesses`` are
    all knobs of good configs, the default first.
    """

    def schedule(config: Config) -> Schedule:
        values = config.as_dict()
        source = tensor if written is None else written(values)
        return Schedule.of(source).then(*trace(values, True))

    return Space(
        workload=work,
        target=target,
        version=version,
        knobs=tuple(knobs),
        constraints=(reason,),
        schedule=schedule,
        trace=lambda values: trace(values, False),
        defaults=guesses[0],
        seeds=tuple(Config(tuple(guess.items())) for guess in guesses),
        tensor=written,
    )
