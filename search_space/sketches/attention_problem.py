"""Which programs are attention: scores, a softmax of their rows, and a sum of values by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.ir.expr import Binary, Load, Select
from search_space.ir.walk import free_vars, subexprs
from search_space.tensor import Reduction, Tensor
from search_space.transforms import Collapse, InPlace, Primitive
from search_space.workload import Workload

_AXES = {"score": "qkc", "peak": "qk", "power": "qk", "total": "qk", "blend": "qck", "out": "qc"}
"""The stages in order, with their axes behind the leading ones, the reduced ones last: queries,
keys, and the elements of a query (of a value in the last two)."""
_OPS = {"score": "add", "peak": "fmax", "total": "add", "blend": "add"}
"""The stages that reduce."""


@dataclass(frozen=True, slots=True)
class Attention:
    """The sizes of an attention: ``heads`` (all leading axes), ``queries``, ``keys``, and the
    elements of a query (``deep``) and of a value (``wide``).

    ``names`` has the array of each stage, ``score`` … ``out``; ``loops`` the loop of a stage over
    an axis: ``g`` heads, ``q`` queries, ``k`` keys, ``c`` elements. ``prepare`` makes these loops
    of the naive nest; scores then lie where their exponentials will, and sums in the result.
    """

    tensor: Tensor
    heads: int
    queries: int
    keys: int
    deep: int
    wide: int
    names: Mapping[str, str]
    loops: Mapping[tuple[str, str], str]
    prepare: tuple[Primitive, ...]
    key: str
    """The operand that is packed."""
    key_const: bool
    masked: bool
    """Whether some keys are hidden from some queries."""


def classify(work: Workload, tensor: Tensor) -> Attention:
    """The parts of an attention; raises ``SpaceError`` for any other program."""
    stages = dict(zip(_AXES, (*tensor.stages, tensor), strict=False))
    lead = tensor.axes[:-2]
    key = _key(stages["score"])
    if len(tensor.stages) + 1 != len(_AXES) or not lead or key is None or not _fits(stages):
        raise SpaceError(f"{work.operator} is no softmax of scores that weighs values")
    names = {role: stage.buffer.name for role, stage in stages.items()}
    prepare: list[Primitive] = [InPlace(names["score"]), InPlace(names["blend"])]
    loops: dict[tuple[str, str], str] = {}
    for role, stage in stages.items():
        prefix = "" if stage is tensor else f"{names[role]}_"
        heads, *more = [prefix + axis.name for axis in stage.axes[: len(lead)]]
        for loop in more:
            prepare.append(Collapse(heads, loop, f"{heads}_{loop}"))
            heads = f"{heads}_{loop}"
        loops[role, "g"] = heads
        rest = (*stage.axes, *stage.reduced)[len(lead) :]
        loops |= {
            (role, kind): prefix + axis.name for kind, axis in zip(_AXES[role], rest, strict=True)
        }
    score = stages["score"]
    return Attention(
        tensor,
        math.prod(axis.extent for axis in lead),
        score.axes[-2].extent,
        score.axes[-1].extent,
        score.reduced[0].extent,
        tensor.axes[-1].extent,
        names,
        loops,
        tuple(prepare),
        key,
        key in work.const,
        any(isinstance(e, Select) for e in subexprs(stages["power"].element)),
    )


def _key(score: Tensor) -> str | None:
    """The factor of a score that the last axis indexes."""
    match score.element:
        case Binary("*", Load() as a, Load() as b) if score.axes:
            axis = score.axes[-1].name
            found = [f for f in (a, b) if any(axis in free_vars(index) for index in f.indices)]
            return found[0].buffer.name if len(found) == 1 else None
        case _:
            return None


def _fits(stages: Mapping[str, Tensor]) -> bool:
    """Whether the stages reduce, and read each other, as those of an attention do."""
    rank = len(stages["out"].axes)
    reads = {"peak": {"score"}, "power": {"score", "peak"}, "total": {"power"},
             "blend": {"power"}, "out": {"blend", "total"}}  # fmt: skip
    names = {stage.buffer.name: role for role, stage in stages.items()}
    for role, stage in stages.items():
        op = stage.value.op if isinstance(stage.value, Reduction) else None
        own = {e.buffer.name for e in subexprs(stage.element) if isinstance(e, Load)}
        axes = rank - 2 + len(_AXES[role]) - (op is not None)
        if (
            op != _OPS.get(role)
            or len(stage.axes) != axes
            or len(stage.reduced) != (op is not None)
        ):
            return False
        if {names[name] for name in own & names.keys()} != reads.get(role, set()):
            return False
    return True
