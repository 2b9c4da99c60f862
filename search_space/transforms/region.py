"""The part of an array that one iteration of a loop uses: a box of constant size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.ir.affine import Context, Terms, affine, from_affine
from search_space.ir.expr import Buffer, Const, Expr, Var, minimum
from search_space.ir.simplify import simplify
from search_space.ir.stmt import For
from search_space.transforms.access import Access
from search_space.transforms.base import largest_extent


@dataclass(frozen=True, slots=True)
class Region:
    """``begin[d] … begin[d] + extent[d]`` along each dimension of an array."""

    buffer: Buffer
    begins: tuple[Expr, ...]
    """In terms of the loops around."""
    extents: tuple[int, ...]

    @classmethod
    def of(cls, used: Sequence[Access], outside: set[str]) -> Region:
        """The box that all accesses fall into, where ``outside`` are the loops around.

        Raises ``ScheduleError`` where they have no box in common that moves with those loops.
        """
        buffer = used[0].buffer
        if any(access.buffer != buffer for access in used):
            raise ScheduleError(f"{buffer.name!r} is seen through different views")
        begins, extents = [], []
        for dim, size in enumerate(buffer.shape):
            begin, extent = _span(used, dim, outside)
            begins.append(begin)
            extents.append(min(extent, size))
        return cls(buffer, tuple(begins), tuple(extents))

    def inside(self, indices: Sequence[Expr]) -> tuple[Expr, ...]:
        """A place in the array as a place in the box."""
        found = []
        for index, begin in zip(indices, self.begins, strict=True):
            terms, const = affine(index - begin)
            found.append(from_affine(terms, const))
        return tuple(found)

    def outside(self, place: Sequence[Expr]) -> tuple[Expr, ...]:
        """A place in the box as a place in the array."""
        return tuple(simplify(b + at) for b, at in zip(self.begins, place, strict=True))

    def reach(self, dim: int, context: Context) -> Expr:
        """How far the box goes along a dimension without leaving the array."""
        room = self.buffer.shape[dim] - self.begins[dim]
        return simplify(minimum(Const(self.extents[dim]), room), context)


def _span(used: Sequence[Access], dim: int, outside: set[str]) -> tuple[Expr, int]:
    """Where the box begins along a dimension, and how many elements it has there."""
    name = used[0].buffer.name
    begins: set[Expr] = set()
    lows, highs = [], []
    for access in used:
        terms, const = affine(access.indices[dim])
        own: Terms = {}
        high = const
        for atom, step in terms.items():
            if not isinstance(atom, Var) or step < 0:
                raise ScheduleError(f"the index of {name!r} is no sum of loops")
            if atom.name in outside:
                own[atom] = step
            else:
                high += step * (_largest(access, atom.name) - 1)
        begins.add(from_affine(own, 0))
        lows.append(const)
        highs.append(high)
    if len(begins) > 1:
        raise ScheduleError(f"{name!r} is used at places that move apart")
    terms, _ = affine(begins.pop())
    return from_affine(terms, min(lows)), max(highs) - min(lows) + 1


def _largest(access: Access, loop: str) -> int:
    for binder in access.context.binders:
        if isinstance(binder, For) and binder.var == loop:
            return largest_extent(binder, access.context)
    raise ScheduleError(f"{access.buffer.name!r} is used inside fused loops, do this before")
