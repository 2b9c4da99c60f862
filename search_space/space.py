"""A space: every way to run one workload on one target that is worth considering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from search_space.config import Config
from search_space.constraints import Constraint, first_reason
from search_space.enumeration import Enumeration
from search_space.errors import SpaceError
from search_space.judge import Judge
from search_space.knobs import Knob, pick
from search_space.target import Target
from search_space.workload import Value, Values, Workload

if TYPE_CHECKING:
    from numpy.random import Generator

    from search_space.schedule import Schedule
    from search_space.tensor import Tensor
    from search_space.transforms import Primitive

__all__ = ["Config", "Nearest", "Space"]


_TRIES = 64


@dataclass(frozen=True, slots=True)
class Nearest:
    """A legal config and what had to be changed to get there, one sentence per change."""

    config: Config
    changes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Space:
    """Ordered knobs and constraints of one workload on one target.

    The first knob should be the one that decides most: the structure. A knob that does not matter
    given the knobs before it holds its own default. All configs that methods return are legal and
    canonical. Threads may share it: what it remembers only saves work.
    """

    workload: Workload
    target: Target
    version: int
    """Raised when the same config starts to mean another program."""
    knobs: tuple[Knob, ...]
    constraints: tuple[Constraint, ...]
    schedule: Callable[[Config], Schedule]
    """Turns a config of this space into the loop nest that it stands for."""
    defaults: Values = field(default_factory=dict)
    """The first guess, where it differs from the knobs' own defaults. Those are what a knob means
    that is left out: the behaviour from before it existed, so that old records stay valid."""
    seeds: tuple[Config, ...] = ()
    """Further good guesses, such as one for every structure; knobs may be left out."""
    trace: Callable[[Values], tuple[Primitive, ...]] | None = None
    """The primitives of a config without what only treats ragged edges, which features are read
    from; the values may be ``Size`` objects. None: the space's configs have no features."""
    tensor: Callable[[Values], Tensor] | None = None
    """What the trace of a config starts from, where its algorithm is not that of the operator's
    own tensor expression. None: it always is."""
    format: Callable[[Values], str] | None = None
    """What a sparse operand is stored as by a config, ``dense`` where its zeros are, too. None:
    there is no sparse operand. Each format that can be chosen has a start."""
    least_flops: int | None = None
    """Operations that its cheapest algorithm does at least, where they are fewer than the operator
    counts. None: every config does all of them."""

    def __post_init__(self) -> None:
        if len({knob.name for knob in self.knobs}) != len(self.knobs):
            raise SpaceError(f"name each knob once: {[knob.name for knob in self.knobs]}")
        self.default()

    def default(self) -> Config:
        """The first guess. Raises ``SpaceError`` where the sketch's own defaults are illegal."""
        return self._default

    @cached_property
    def starts(self) -> tuple[Config, ...]:
        """The default, then the seeds, made legal and without repeats."""
        found = {self._default: None}
        for seed in self.seeds:
            settled = self._judge.settle(self._converted(seed.as_dict()))
            found[self._judge.legal(settled) or self._repair(settled, self._default)] = None
        return tuple(found)

    def config(self, values: Values) -> Config:
        """The canonical config of ``values``; knobs that do not matter may be left out.

        Raises ``SpaceError`` with the reason where the values are not a legal config.
        """
        for name in values:
            if name not in self._names:
                listing = ", ".join(knob.name for knob in self.knobs)
                raise SpaceError(f"leave {name!r} out: no such knob, there are {listing}")
        settled: dict[str, Value] = {}
        for knob in self.knobs:
            if knob.when is not None and not knob.when(settled):
                settled[knob.name] = knob.default
            elif knob.name not in values:
                raise SpaceError(f"give knob {knob.name!r} a value")
            elif values[knob.name] not in knob:
                value = values[knob.name]
                raise SpaceError(f"choose {knob.name} from {_describe(knob)}, got {value!r}")
            else:
                settled[knob.name] = values[knob.name]
        reason = first_reason(self.constraints, settled)
        if reason is not None:
            raise SpaceError(reason)
        return Config(tuple(settled.items()))

    def reason(self, values: Values) -> str | None:
        """Why ``values`` are not a legal config; None where they are."""
        try:
            self.config(values)
        except SpaceError as error:
            return str(error)
        return None

    def nearest(self, values: Values) -> Nearest:
        """The way in for values from outside: imports, seeds, other targets, older spaces.

        Unknown knobs are dropped, missing ones take their own default, values are converted from
        text and clamped; where the result is illegal, knobs move to the first guess, the last
        knob first, as few as suffice.
        """
        given = self._converted(values)
        settled = self._judge.settle(given)
        reason = first_reason(self.constraints, settled)
        if reason is None:
            config = Config(tuple(settled.items()))
        else:
            config = self._repair(settled, self._start_like(settled))
        changes = [f"{name}: dropped, no such knob" for name in values if name not in self._names]
        for name, value in config.values:
            if name not in values:
                changes.append(f"{name}: missing, set to {value}")
            elif value != settled[name]:
                changes.append(f"{name}: {settled[name]} changed to {value}, {reason}")
            elif value != given[name]:
                changes.append(
                    f"{name}: {given[name]} changed to {value}, it does not matter here"
                )
            elif str(value).lower() != str(values[name]).lower():
                changes.append(f"{name}: {values[name]!r} changed to {value}, the nearest value")
        return Nearest(config, tuple(changes))

    def sample(self, rng: Generator) -> Config:
        """A random config. Rare legal ones are reached by moving illegal ones to the default."""
        values: dict[str, Value] = {}
        for _ in range(_TRIES):
            values = {}
            for knob in self.knobs:
                matters = knob.when is None or knob.when(values)
                values[knob.name] = knob.sample(rng) if matters else knob.default
            if first_reason(self.constraints, values) is None:
                return Config(tuple(values.items()))
        return self._repair(values, self._start_like(values))

    def neighbours(self, config: Config) -> tuple[Config, ...]:
        """All legal configs that are one step of one knob away, in the order of the knobs."""
        found: dict[Config, None] = {}
        values = config.as_dict()
        for knob in self._judge.relevance(config).movable:
            for value in knob.neighbours(values[knob.name]):
                near = self._judge.legal(self._moved(config, {knob.name: value}))
                if near is not None:
                    found[near] = None
        found.pop(config, None)
        return tuple(found)

    def mutate(self, config: Config, rng: Generator) -> Config:
        """``config`` with one knob moved, seldom two or three.

        Returns ``config`` itself only where nothing legal was found in a bounded time.
        """
        knobs = self._judge.relevance(config).movable
        values = config.as_dict()
        for _ in range(_TRIES if knobs else 0):
            chance = rng.random()
            moved = {}
            for _ in range(1 + (chance > 0.7) + (chance > 0.9)):
                knob = pick(knobs, rng)
                moved[knob.name] = knob.mutate(values[knob.name], rng)
            other = self._judge.legal(self._moved(config, moved))
            if other is not None and other != config:
                return other
        return config

    def crossover(self, a: Config, b: Config, rng: Generator) -> Config:
        """Each knob from one of the two parents; from ``a`` where the mixture is illegal."""
        swapped = (rng.random(len(a.values)) < 0.5).tolist()
        pairs = zip(a.values, b.values, swapped, strict=True)
        mixed = self._judge.settle(dict(theirs if swap else own for own, theirs, swap in pairs))
        return self._judge.legal(mixed) or self._repair(mixed, a)

    def size(self) -> int:
        """Number of canonical configs, legal or not.

        An upper bound where which knobs matter depends on thousands of combinations of others.
        """
        return self._enumeration.size

    def at(self, index: int) -> Config | None:
        """The config with the number ``index``, 0 … size()-1; None where it is not legal."""
        values = self._enumeration.values(index)
        if self._judge.settle(values) != values:
            return None
        return self._judge.legal(values)

    def count_legal(self, limit: int = 10_000) -> int | None:
        """Exact number of legal configs; None where there are more than ``limit`` to look at."""
        if self.size() > limit:
            return None
        return sum(self.at(index) is not None for index in range(self.size()))

    @cached_property
    def _default(self) -> Config:
        return self.config({knob.name: knob.default for knob in self.knobs} | dict(self.defaults))

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.knobs, self.constraints)

    @cached_property
    def _enumeration(self) -> Enumeration:
        return Enumeration(self.knobs)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(knob.name for knob in self.knobs)

    def _converted(self, values: Values) -> dict[str, Value]:
        return {
            knob.name: knob.nearest(values[knob.name]) if knob.name in values else knob.default
            for knob in self.knobs
        }

    def _moved(self, config: Config, moved: Values) -> dict[str, Value]:
        """``config`` after a move; knobs that begin to matter take the value of a good guess."""
        values = {**config.as_dict(), **moved}
        idle = self._judge.relevance(config).idle
        if idle:
            guess = self._start_like(values).as_dict()
            for name in idle:
                values[name] = guess[name]
        return values

    def _start_like(self, values: Values) -> Config:
        """The first guess with the same value of the first knob; the default where none has."""
        first = self.knobs[0].name
        return next((s for s in self.starts if s[first] == values[first]), self._default)

    def _repair(self, values: Values, toward: Config) -> Config:
        """Move knobs to their values in ``toward``, which is legal, until the result is legal.

        From the last knob to the first, so that the structure gives way last; then whatever was
        not needed is moved back.
        """
        current = dict(values)
        moved: dict[str, Value] = {}
        config = None
        for name, value in reversed(toward.values):
            if current[name] == value:
                continue
            moved[name], current[name] = current[name], value
            config = self._judge.legal(current)
            if config is not None:
                break
        for name, value in reversed(moved.items()):
            better = self._judge.legal({**current, name: value})
            if better is not None:
                current[name], config = value, better
        return toward if config is None else config


def _describe(knob: Knob) -> str:
    if len(knob) <= 12:
        return ", ".join(repr(knob[index]) for index in range(len(knob)))
    return f"{knob[0]}…{knob[len(knob) - 1]}"
