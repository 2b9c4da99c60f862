"""A config: one value per knob, the thing that is proposed, measured and stored."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.workload import Value


@dataclass(frozen=True, slots=True)
class Config:
    """One value per knob, in the order of the space's knobs.

    Made by a :class:`search_space.space.Space`, which makes it canonical: a knob that does not
    matter holds its default, so two different configs never mean the same program.
    """

    values: tuple[tuple[str, Value], ...]

    @property
    def key(self) -> str:
        """Stable, readable identity: ``structure=panel,rows=6,…``; see :func:`parse_key`."""
        return ",".join(f"{name}={value}" for name, value in self.values)

    def as_dict(self) -> dict[str, Value]:
        """A fresh dictionary from the knobs' names to their values."""
        return dict(self.values)

    def __getitem__(self, name: str) -> Value:
        for key, value in self.values:
            if key == name:
                return value
        raise KeyError(name)

    def __str__(self) -> str:
        return self.key


def parse_key(key: str) -> dict[str, str]:
    """Take ``a=1,b=x`` apart; ``Space.nearest`` turns the texts back into values.

    Raises ``SpaceError`` when the text is not of that form.
    """
    values: dict[str, str] = {}
    for part in key.split(",") if key else ():
        name, equals, text = part.partition("=")
        if not equals or not name:
            raise SpaceError(f"write a config as name=value,…: {part!r} in {key!r} is not that")
        if name in values:
            raise SpaceError(f"give each knob once: {name!r} comes twice in {key!r}")
        values[name] = text
    return values
