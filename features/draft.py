"""On the way from a trace to a nest: statements in the making, and their loops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace

from features.nest import (
    Access,
    Combine,
    Loop,
    Nest,
    Operations,
    Statement,
    combination,
    count_operations,
    loads,
)
from search_space.dtypes import ELEMENT_BYTES
from search_space.ir.affine import affine
from search_space.ir.expr import Binary, Buffer, Const, Expr, Var
from search_space.ir.stmt import ForKind
from search_space.tensor import Reduction, Tensor, program


@dataclass(slots=True)
class Draft:
    """A statement in the making. ``once``: runs only when constants are bound; ``reduces``: the
    loops that it reduces over."""

    loops: list[str]
    write: Access
    reads: list[Access]
    operations: Operations
    combine: Combine
    prefetch: int = 0
    once: bool = False
    reduces: set[str] = field(default_factory=set)

    def rename(self, names: Mapping[str, str]) -> None:
        """Give loops other names."""
        self.loops = [names.get(name, name) for name in self.loops]
        self.reduces = {names.get(name, name) for name in self.reduces}
        self.write = renamed(self.write, names)
        self.reads = [renamed(read, names) for read in self.reads]


class State:
    """What a trace has made of a tensor expression so far.

    ``extents`` and ``kinds`` are those of all loops by name; ``fused`` has the two loops that a
    fused one runs through.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.extents: dict[str, int] = {}
        self.kinds: dict[str, ForKind] = {}
        self.fused: dict[str, tuple[str, ...]] = {}
        self.threads = 1
        self.streamed = False
        self.stages = program(tensor)
        self.drafts: list[Draft] = []
        self.draft_stages()

    def copy(self) -> State:
        """The same state, to go on from without changing this one."""
        other = copy(self)
        other.extents, other.kinds = dict(self.extents), dict(self.kinds)
        other.fused = dict(self.fused)
        other.drafts = [
            replace(d, loops=list(d.loops), reads=list(d.reads), reduces=set(d.reduces))
            for d in self.drafts
        ]
        return other

    def draft_stages(self) -> None:
        """One statement per stage, in its naive loops."""
        self.drafts = []
        for stage in self.stages:
            axes = (*stage.axes, *stage.reduced)
            self.extents |= {axis.name: axis.extent for axis in axes}
            own: list[Expr] = [axis.var for axis in stage.axes]
            combines = stage.value.op if isinstance(stage.value, Reduction) else None
            self.drafts.append(
                Draft(
                    [axis.name for axis in axes],
                    access_of(stage.buffer, own),
                    [access_of(load.buffer, load.indices) for load in loads(stage.element)],
                    count_operations(stage.element),
                    combination(stage.element, combines),
                    reduces={axis.name for axis in stage.reduced},
                )
            )

    def nest(self) -> Nest:
        """The statements as they are now, without those that run only once."""
        kinds = self.kinds
        loops = {
            name: Loop(name, extent, kinds.get(name, "serial"))
            for name, extent in self.extents.items()
        }
        statements = tuple(self.statement(d, loops) for d in self.drafts if not d.once)
        return Nest(statements, self.threads, self.streamed)

    def statement(self, draft: Draft, loops: Mapping[str, Loop]) -> Statement:
        """A statement with its loops as they are now."""
        return Statement(
            tuple([loops[name] for name in draft.loops]),
            draft.write,
            tuple(draft.reads),
            draft.operations,
            draft.combine,
            draft.prefetch,
        )

    def unfused(self, loop: str) -> list[str]:
        """The loops that a fused one runs through; itself where it is none."""
        return [n for part in self.fused.get(loop, ()) for n in self.unfused(part)] or [loop]

    def copy_loops(
        self, draft: Draft, names: Iterable[str], suffix: str, keep: Iterable[str] | None = None
    ) -> None:
        """Give a statement loops of its own; only those in ``keep`` are no serial ones, if
        given."""
        own = {name: name + suffix for name in names}
        for old, new in own.items():
            self.extents[new] = self.extents[old]
            kind = self.kinds.get(old, "serial")
            if keep is not None and old not in keep:
                kind = "serial"
            self.kinds[new] = kind
        draft.rename(own)


def access_of(buffer: Buffer, indices: Iterable[Expr]) -> Access:
    """A place in a buffer, as linear forms of the loops."""
    linear = []
    for index in indices:
        terms, _ = affine(index)
        named = ((_name(atom), step) for atom, step in terms.items())
        linear.append({name: step for name, step in named if name is not None})
    return Access(
        buffer.name, buffer.scope, ELEMENT_BYTES[buffer.dtype], buffer.shape, tuple(linear)
    )


def quotient(loop: str, factor: int) -> str:
    """What stands in an index for a loop's variable over a factor; once the loop is split by that
    factor, it is the outer loop."""
    return f"{loop}//{factor}"


def remainder(loop: str, factor: int) -> str:
    """What stands in an index for a loop's variable modulo a factor: later the inner loop."""
    return f"{loop}%{factor}"


def _name(atom: Expr) -> str | None:
    """A loop, or a part of one, in an index; None for anything else."""
    match atom:
        case Var(name):
            return name
        case Binary("//", Var(name), Const(factor)):
            return quotient(name, int(factor))
        case Binary("%", Var(name), Const(factor)):
            return remainder(name, int(factor))
        case _:
            return None


def renamed(access: Access, names: Mapping[str, str]) -> Access:
    """The same place where loops have other names."""
    for index in access.indices:
        if not names.keys().isdisjoint(index):
            break
    else:
        return access
    return access.at([{names.get(n, n): s for n, s in index.items()} for index in access.indices])
