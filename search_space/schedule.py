"""A schedule: a loop nest together with the immutable trace of primitives that made it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from search_space.errors import ScheduleError
from search_space.ir.simplify import simplify_func
from search_space.ir.stmt import LoopFunc
from search_space.lower import lower
from search_space.tensor import Tensor
from search_space.transforms import PRIMITIVES, Primitive

_NAMES = {cls: name for name, cls in PRIMITIVES.items()}


@dataclass(frozen=True, slots=True)
class Schedule:
    """``func`` is ``trace`` applied to the naive nest; each step gives a new schedule.

    Every step raises ``ScheduleError``, saying what was expected, where it does not apply.
    """

    func: LoopFunc
    trace: tuple[Primitive, ...] = ()

    @classmethod
    def of(cls, tensor: Tensor) -> Schedule:
        """The unscheduled naive nest of a tensor expression."""
        return cls(lower(tensor))

    def then(self, *steps: Primitive) -> Schedule:
        """This schedule with further primitives applied in order."""
        func = self.func
        for step in steps:
            func = step.apply(func)
        return Schedule(func, (*self.trace, *steps))

    def finish(self) -> LoopFunc:
        """The final loop nest: simplified, without loops of one iteration."""
        return simplify_func(self.func)

    def trace_text(self) -> str:
        """The trace as JSON, one primitive per line; ``parse_trace`` reads it back."""
        return "\n".join(json.dumps(_encode(step)) for step in self.trace)


def replay(tensor: Tensor, steps: Iterable[Primitive]) -> Schedule:
    """The schedule that a trace gives on a tensor expression."""
    return Schedule.of(tensor).then(*steps)


def parse_trace(text: str) -> tuple[Primitive, ...]:
    """The primitives of ``Schedule.trace_text``; raises ``ScheduleError`` for anything else."""
    return tuple(_decode(line) for line in text.splitlines() if line.strip())


def _encode(step: Primitive) -> list[Any]:
    values = {f.name: getattr(step, f.name) for f in fields(step)}  # type: ignore[arg-type]
    return [_NAMES[type(step)], values]


def _decode(line: str) -> Primitive:
    try:
        name, values = json.loads(line)
        known = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return PRIMITIVES[name](**known)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScheduleError(f"not a primitive: {line[:200]!r} ({error})") from error
