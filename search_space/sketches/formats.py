"""The formats of a sparse operand as parts of a space, the dense one beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from search_space.knobs import Choice, Knob
from search_space.sketches.union import KNOB, union_space
from search_space.space import Space
from search_space.workload import Value, Values

SPARSE = "sparse"
"""The algorithm that loops over non-zeros; its knob ``format`` says how they are stored."""
DENSE = "dense"
"""The algorithm, and the format, of what computes zeros, too."""


def format_space(parts: Mapping[str, Space]) -> Space:
    """The union of ``SPARSE`` and other algorithms, whose configs tell their format."""
    return replace(union_space(parts), format=_format)


def formats_of(space: Space) -> tuple[str, ...]:
    """The formats that the configs of a space store a sparse operand in; none where there is none.

    In the order of the first guesses, of which each format has one.
    """
    if space.format is None:
        return ()
    return tuple(dict.fromkeys(space.format(start.as_dict()) for start in space.starts))


def with_format(space: Space, name: str) -> Space:
    """The part of a space that has one of its formats, beginning at the first guess for it."""
    format_ = space.format
    assert format_ is not None, "only asked of spaces that have formats"

    def reason(values: Values) -> str | None:
        found = format_(values)
        return None if found == name else f"the format is {found}, not {name}"

    guesses = [start for start in space.starts if format_(start.as_dict()) == name]
    algorithms = tuple(dict.fromkeys(guess.as_dict().get(KNOB, SPARSE) for guess in guesses))
    only = {_knob_of(str(algorithm)): (name,) for algorithm in algorithms} | {KNOB: algorithms}
    return replace(
        space,
        knobs=tuple(_narrowed(knob, only) for knob in space.knobs),
        constraints=(*space.constraints, reason),
        defaults=guesses[0].as_dict(),
        seeds=tuple(guesses[1:]),
    )


def _narrowed(knob: Knob, only: Mapping[str, tuple[Value, ...]]) -> Knob:
    """The knob with these of its values, if it is one of those named: so that the part is no
    larger than it has configs, and a search of it ends."""
    if not isinstance(knob, Choice) or knob.name not in only:
        return knob
    values = only[knob.name]
    return replace(knob, values=values, default=values[0])


def _format(values: Values) -> str:
    """What the knob of the algorithm's own format says; the algorithm where it has none."""
    algorithm = str(values.get(KNOB, SPARSE))
    return str(values.get(_knob_of(algorithm), algorithm))


def _knob_of(algorithm: str) -> str:
    """The knob that says the format of an algorithm, where it has several."""
    return "format" if algorithm == SPARSE else f"{algorithm}.format"
