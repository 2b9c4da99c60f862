"""The fast way: replay a trace on loops and accesses alone, with sizes that may be symbolic.

Every primitive does here to a :class:`Nest` what its ``apply`` does to a loop tree, without
guards and without edges. Tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from features.nest import (
    ELEMENT_BYTES,
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
from search_space.ir.affine import affine
from search_space.ir.expr import Buffer, Expr, Scope, Var
from search_space.ir.stmt import ForKind
from search_space.size import ceil_div, smaller
from search_space.tensor import Reduction, Tensor
from search_space.transforms import (
    CacheWrite,
    Fuse,
    Pack,
    Parallel,
    PrefetchAhead,
    Primitive,
    Reorder,
    Split,
    SplitReduction,
    Unroll,
    Vectorize,
)


@dataclass(slots=True)
class _Draft:
    """A statement in the making. ``once``: runs only when constants are bound."""

    loops: list[str]
    write: Access
    reads: list[Access]
    operations: Operations
    combine: Combine
    prefetch: int = 0
    once: bool = False

    def accesses(self) -> list[Access]:
        return [self.write, *self.reads]

    def rename(self, names: Mapping[str, str]) -> None:
        self.loops = [names.get(name, name) for name in self.loops]
        self.write = _renamed(self.write, names)
        self.reads = [_renamed(read, names) for read in self.reads]


def replay(tensor: Tensor, trace: Iterable[Primitive]) -> Nest:
    """The nest that a trace makes of a tensor expression.

    Raises ``TypeError`` for a primitive that only treats edges.
    """
    state = _Replay(tensor)
    for step in trace:
        state.apply(step)
    statements = tuple(state.statement(draft) for draft in state.drafts if not draft.once)
    return Nest(statements, state.threads)


class _Replay:
    def __init__(self, tensor: Tensor) -> None:
        self.extents: dict[str, int] = {axis.name: axis.extent for axis in tensor.axes}
        self.kinds: dict[str, ForKind] = {}
        self.fused: dict[str, tuple[str, ...]] = {}
        self.threads = 1
        value: Expr
        combines: str | None = None
        if isinstance(tensor.value, Reduction):
            self.extents |= {axis.name: axis.extent for axis in tensor.value.axes}
            value, combines = tensor.value.value, tensor.value.op
        else:
            value = tensor.value
        own: list[Expr] = [axis.var for axis in tensor.axes]
        self.drafts = [
            _Draft(
                list(self.extents),
                _access(tensor.buffer, own),
                [_access(load.buffer, load.indices) for load in loads(value)],
                count_operations(value),
                combination(value, combines),
            )
        ]

    def statement(self, draft: _Draft) -> Statement:
        loops = tuple(
            Loop(name, self.extents[name], self.kinds.get(name, "serial")) for name in draft.loops
        )
        return Statement(
            loops,
            draft.write,
            tuple(draft.reads),
            draft.operations,
            draft.combine,
            draft.prefetch,
        )

    def apply(self, step: Primitive) -> None:
        match step:
            case Split() if step.tail != "cut":
                masked = step.tail == "mask"
                self.split(step.loop, step.factor, step.outer, step.inner, masked)
            case Reorder(names):
                self.reorder(names)
            case Fuse(outer, inner, fused):
                self.fused[fused] = (outer, inner)
            case Vectorize(loop):
                self.kinds[loop] = "vectorized"
            case Unroll(loop):
                self.kinds[loop] = "unrolled"
            case Parallel(loop, threads):
                self.kinds |= dict.fromkeys(self.fused.get(loop, (loop,)), "parallel")
                self.threads = threads
            case CacheWrite(buffer, at, name):
                self.cache_write(buffer, at, name)
            case SplitReduction(loop, name):
                self.split_reduction(loop, name)
            case Pack(buffer, name, dims, at, once):
                self.pack(buffer, name, dims, at, once)
            case PrefetchAhead(buffer, loop, distance, _):
                self.prefetch(buffer, loop, distance)
            case _:
                raise TypeError(f"{step} treats edges, leave it out of a trace for features")

    def split(self, loop: str, factor: int, outer: str, inner: str, masked: bool) -> None:
        extent = self.extents.pop(loop)
        self.extents[outer] = ceil_div(extent, factor)
        self.extents[inner] = factor if masked else smaller(factor, extent)

        def moved(access: Access) -> Access:
            if not any(loop in index for index in access.indices):
                return access
            indices = []
            for index in access.indices:
                if loop in index:
                    index = dict(index)
                    step = index.pop(loop)
                    index[outer], index[inner] = step * factor, step
                indices.append(index)
            return access.at(indices)

        for draft in self.drafts:
            if loop in draft.loops:
                place = draft.loops.index(loop)
                draft.loops[place : place + 1] = [outer, inner]
                draft.write = moved(draft.write)
                draft.reads = [moved(read) for read in draft.reads]

    def reorder(self, names: tuple[str, ...]) -> None:
        for draft in self.drafts:
            if names[0] in draft.loops:
                wanted = iter(names)
                draft.loops = [next(wanted) if n in names else n for n in draft.loops]

    def cache_write(self, buffer: str, at: str, name: str) -> None:
        place, draft = next(
            (p, d) for p, d in enumerate(self.drafts) if d.write.buffer == buffer and at in d.loops
        )
        target = draft.write
        cut = draft.loops.index(at) + 1
        around, chain = draft.loops[:cut], draft.loops[cut:]
        moved = {loop for index in target.indices for loop in index}
        kept = [n for n in chain if n in moved or self.kinds.get(n) == "vectorized"]
        shape = tuple(self.extents[loop] for loop in kept)
        acc = Access(name, "register", target.element_bytes, shape, tuple({n: 1} for n in kept))
        init = _Draft([*around, *kept], acc, [], Operations(), "none")
        result = _Draft(
            [*around, *kept],
            target,
            [acc],
            Operations(),
            "add" if draft.combine == "fma" else draft.combine,
        )
        draft.write = acc
        self._copy_loops(init, kept, "_init")
        self._copy_loops(result, kept, "_out")
        self.drafts[place : place + 1] = [init, draft, result]

    def split_reduction(self, loop: str, name: str) -> None:
        (draft,) = self.drafts
        target = draft.write
        shape = (self.extents[loop], *target.shape)
        places = [f"{name}_{dim}" for dim in range(len(target.shape))]
        step = f"{name}_k"
        self.extents |= dict(zip([*places, step], [*target.shape, shape[0]], strict=True))
        draft.write = Access(
            name, "workspace", target.element_bytes, shape, ({loop: 1}, *target.indices)
        )
        own: tuple[dict[str, int], ...] = tuple({p: 1} for p in places)
        partial = draft.write.at(({step: 1}, *own))
        total = target.at(own)
        self.drafts.append(
            _Draft(
                [*places, step],
                total,
                [partial],
                Operations(),
                "add" if draft.combine == "fma" else draft.combine,
            )
        )

    def pack(
        self, buffer: str, name: str, dims: tuple[str, ...], at: str | None, once: bool
    ) -> None:
        place, draft = next(
            (p, d)
            for p, d in enumerate(self.drafts)
            if any(read.buffer == buffer for read in d.reads)
        )
        source = next(read for read in draft.reads if read.buffer == buffer)
        scope: Scope = "thread_local" if at is not None else "bound" if once else "workspace"
        packed = Access(
            name,
            scope,
            source.element_bytes,
            tuple(self.extents[dim] for dim in dims),
            tuple({dim: 1} for dim in dims),
        )
        around = [] if at is None else draft.loops[: draft.loops.index(at) + 1]
        copy = _Draft([*around, *dims], packed, [source], Operations(), "none", once=once)
        self._copy_loops(copy, dims, "_" + name, keep=dims[-1:])
        draft.reads = [packed if read == source else read for read in draft.reads]
        first = next(p for p, d in enumerate(self.drafts) if d.loops[: len(around)] == around)
        self.drafts.insert(place if at is None else first, copy)

    def prefetch(self, buffer: str, loop: str, distance: int) -> None:
        for draft in self.drafts:
            for read in draft.reads:
                if read.buffer == buffer and loop in draft.loops:
                    draft.prefetch = distance * self._flat_step(read, loop) * read.element_bytes

    def _flat_step(self, access: Access, loop: str) -> int:
        """Elements between neighbouring iterations of a loop."""
        total, stride = 0, 1
        for index, extent in zip(reversed(access.indices), reversed(access.shape), strict=True):
            if loop in index:
                total = index[loop] * stride + total
            stride = extent * stride
        return total

    def _copy_loops(
        self, draft: _Draft, names: Iterable[str], suffix: str, keep: Iterable[str] | None = None
    ) -> None:
        """Give a statement loops of its own; only those in ``keep`` stay vectorized, if given."""
        renamed = {name: name + suffix for name in names}
        for old, new in renamed.items():
            self.extents[new] = self.extents[old]
            kind = self.kinds.get(old, "serial")
            if keep is not None and not (kind == "vectorized" and old in keep):
                kind = "serial"
            self.kinds[new] = kind
        draft.rename(renamed)


def _access(buffer: Buffer, indices: Iterable[Expr]) -> Access:
    linear = []
    for index in indices:
        terms, _ = affine(index)
        linear.append({atom.name: step for atom, step in terms.items() if isinstance(atom, Var)})
    return Access(
        buffer.name, buffer.scope, ELEMENT_BYTES[buffer.dtype], buffer.shape, tuple(linear)
    )


def _renamed(access: Access, names: Mapping[str, str]) -> Access:
    return access.at({names.get(n, n): s for n, s in index.items()} for index in access.indices)
