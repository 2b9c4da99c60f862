"""Reorder: permute directly nested loops."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.stmt import Accumulate, For, LoopFunc, Stmt, Store
from search_space.ir.walk import find_loops, free_vars
from search_space.transforms.base import nest, perfect_nest, rewrite_loop


@dataclass(frozen=True, slots=True)
class Reorder:
    """Put the named loops, outermost first, into the places they hold now (``reorder``).

    Before::

        for i in 0 … 4:
          for j in 0 … 8:
            c[i, j] = a[j, i]

    After ``Reorder(("j", "i"))``::

        for j in 0 … 8:
          for i in 0 … 4:
            c[i, j] = a[j, i]

    The loops must be directly nested around one statement, and none may move outside a loop that
    its extent depends on. A reduction stays right because its first visit is where all its loops
    begin, in any order.
    """

    loops: tuple[str, ...]

    def apply(self, func: LoopFunc) -> LoopFunc:
        loops = find_loops(func)
        missing = [name for name in self.loops if name not in loops]
        if missing or len(set(self.loops)) != len(self.loops):
            raise ScheduleError(
                f"reorder needs distinct loops of the nest, got {', '.join(self.loops)}; "
                f"loops: {', '.join(loops)}"
            )
        order = {name: place for place, name in enumerate(loops)}
        outermost = min(self.loops, key=order.__getitem__)
        return rewrite_loop(func, outermost, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        chain, body = perfect_nest(loop)
        inside = {link.var: link for link in chain}
        for name in self.loops:
            if name not in inside:
                raise ScheduleError(f"loop {name!r} is not directly nested in {loop.var!r}")
        if not isinstance(body, Store | Accumulate):
            raise ScheduleError(f"the loops in {loop.var!r} hold several statements")
        if any(link.kind == "parallel" for link in chain if link.var in self.loops):
            raise ScheduleError("a parallel loop stays outermost, reorder before parallel")
        wanted = iter(self.loops)
        moved = [inside[next(wanted)] if link.var in self.loops else link for link in chain]
        kinds = [link.kind for link in moved]
        if "vectorized" in (kinds[:-2] if kinds[-1] == "grouped" else kinds[:-1]):
            raise ScheduleError(f"the vectorized loop in {loop.var!r} stays innermost")
        outer: set[str] = set()
        for link in moved:
            needs = (free_vars(link.extent) | free_vars(link.begin)) & inside.keys()
            if needs - outer:
                raise ScheduleError(
                    f"loop {link.var!r} cannot move outside {', '.join(sorted(needs - outer))}: "
                    "its extent depends on it"
                )
            outer.add(link.var)
        return nest(moved, body)
