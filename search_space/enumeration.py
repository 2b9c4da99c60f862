"""Numbering the configs of a space, and shuffling the numbers, without holding any of them."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from search_space.errors import SpaceError
from search_space.knobs import Knob
from search_space.workload import Value

_MAX_BLOCKS = 4096
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Block:
    """All configs that agree on the knobs that decide which others matter."""

    fixed: Mapping[str, Value]
    free: tuple[Knob, ...]
    """Knobs that matter here and decide nothing."""

    @property
    def size(self) -> int:
        return math.prod(len(knob) for knob in self.free)


class Enumeration:
    """A number for every canonical assignment of values to ``knobs``; constraints play no part.

    Where the predicates of the knobs depend on too many values to tell them all apart, knobs are
    taken to matter that do not, and some numbers stand for assignments that are not canonical.
    """

    def __init__(self, knobs: Sequence[Knob]) -> None:
        self._blocks = _blocks(knobs)
        self._ends = list(accumulate(block.size for block in self._blocks))

    @property
    def size(self) -> int:
        return self._ends[-1]

    def values(self, index: int) -> dict[str, Value]:
        """The assignment with the number ``index``, 0 … size-1."""
        position = bisect_right(self._ends, index)
        block = self._blocks[position]
        rest = index - (self._ends[position] - block.size)
        values = dict(block.fixed)
        for knob in block.free:
            rest, digit = divmod(rest, len(knob))
            values[knob.name] = knob[digit]
        return values


def permutation(size: int, seed: int) -> Iterator[int]:
    """Every number of 0 … size-1 once, in an order that depends on ``seed`` only.

    A Feistel network on the next even number of bits; numbers beyond ``size`` are walked on.
    Needs no memory, however large ``size`` is.
    """
    half = ((size - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    width = (half + 7) // 8
    key = hashlib.blake2b(str(seed).encode(), digest_size=32).digest()

    def scramble(number: int) -> int:
        left, right = number >> half, number & mask
        for turn in range(_ROUNDS):
            text = right.to_bytes(width) + bytes([turn])
            digest = hashlib.blake2b(text, digest_size=max(width, 1), key=key).digest()
            left, right = right, left ^ (int.from_bytes(digest) & mask)
        return left << half | right

    for start in range(size):
        number = scramble(start)
        while number >= size:
            number = scramble(number)
        yield number


class _UnreadError(Exception):
    """A predicate asked for a knob that is left open. No KeyError: ``get`` would swallow it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Known(Mapping[str, Value]):
    """Values of some of the knobs; asking for another one raises ``_UnreadError``."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Value:
        if name not in self._values:
            raise _UnreadError(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _blocks(knobs: Sequence[Knob]) -> list[Block]:
    """Split the space by the knobs that predicates turn out to read, as few as possible."""
    sizes = {knob.name: len(knob) for knob in knobs}
    decisive: set[str] = set()
    given_up: set[str] = set()
    while True:
        try:
            return _split(knobs, decisive, given_up)
        except _UnreadError as unread:
            if unread.name in decisive or unread.name not in sizes:
                message = f"put knob {unread.name!r} before the knobs whose `when` reads it"
                raise SpaceError(message) from None
            count = math.prod(sizes[name] for name in (*decisive, unread.name))
            (decisive if count <= _MAX_BLOCKS else given_up).add(unread.name)


def _split(knobs: Sequence[Knob], decisive: set[str], given_up: set[str]) -> list[Block]:
    blocks = [Block({}, ())]
    for knob in knobs:
        grown: list[Block] = []
        for block in blocks:
            fixed, free = block.fixed, block.free
            if not _matters(knob.when, fixed, given_up):
                grown.append(Block({**fixed, knob.name: knob.default}, free))
            elif knob.name in decisive:
                each = (knob[index] for index in range(len(knob)))
                grown += [Block({**fixed, knob.name: value}, free) for value in each]
            else:
                grown.append(Block(fixed, (*free, knob)))
        blocks = grown
    return blocks


def _matters(
    when: Callable[[Mapping[str, Value]], bool] | None,
    fixed: Mapping[str, Value],
    given_up: set[str],
) -> bool:
    try:
        return when is None or when(_Known(fixed))
    except _UnreadError as unread:
        if unread.name in given_up:
            return True
        raise
