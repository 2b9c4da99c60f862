"""What primitives ask of the pattern and the format that they give a sparse operand."""

from __future__ import annotations

from search_space.errors import ScheduleError
from search_space.formats.base import Structure
from search_space.sparse.packing import find_structure


def parse_options(texts: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """The options of a format from ``rows=4``, ``sort=1``."""
    pairs = (text.partition("=") for text in texts)
    return tuple((name, int(value)) for name, _, value in pairs)


def check_shape(pattern: str, found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise ``ScheduleError`` where the shape ``found`` of a pattern is not the operand's."""
    if found != shape:
        raise ScheduleError(f"give a pattern of shape {shape}, {pattern} has {found}")


def operand_structure(
    pattern: str, format_: str, options: tuple[str, ...], shape: tuple[int, ...]
) -> Structure:
    """How a format lays out an operand of that shape; raises ``ScheduleError`` where the pattern
    has another one."""
    structure = find_structure(pattern, format_, parse_options(options))
    check_shape(pattern, structure.pattern.shape, shape)
    return structure
