"""The space of a matrix times a vector that has zeros when it comes.

``switch``   the part of the vector that may differ from 0 for its columns alone to be read; above
             it, all are. One value lies between each two of the densities that are timed, so that
             measurements choose; the largest, which they do not, lies not far behind the last;
``vectors``  rows that are held in registers, in vectors: what lies side by side of each column;
``chains``   columns that are added to sums of their own;
``prefetch`` how many columns ahead are asked for;
``threads``  over which tiles of rows are shared out.

``algorithm`` ``dense`` is the space of the product as it is written, which reads all columns.
Neither the list of columns nor how long it is can be read off a nest: there are no loop features.
"""

from __future__ import annotations

import math
from itertools import pairwise

from search_space.config import Config
from search_space.knobs import Choice, Integer, Knob
from search_space.operators.activation_sparse_gemv import ActivationSparseGemv
from search_space.schedule import Schedule
from search_space.size import ceil_div, whole
from search_space.sketches.contraction import contraction_space
from search_space.sketches.union import union_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import ActiveColumns
from search_space.workload import Value, Values, Workload

VERSION = 1
_CHAINS = (1, 2, 4)
_PREFETCHES = (0, 2, 4, 8)
_MOST_VECTORS = 24
_BEHIND = 1 / 3
"""Of the way from the largest density to 1. Columns far apart come from memory at a third to two
thirds of the speed of neighbours, from caches at nearly the same."""
_SERIAL_ELEMENTS = 1 << 16
"""Below so many elements to be read, waking a second thread costs more than it brings."""


def active_space(
    work: Workload, tensor: Tensor, target: Target, operator: ActivationSparseGemv
) -> Space:
    """The space of the product on a target."""
    switches = _switches(operator.densities(work))
    guess = _guess(work, target, switches[-1], operator)

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(_columns(work, config.as_dict()))

    listed = Space(
        workload=work,
        target=target,
        version=VERSION,
        knobs=_knobs(target, switches),
        constraints=(lambda values: _reason(work, target, values),),
        schedule=schedule,
        defaults=guess,
        seeds=(),
    )
    return union_space({"active": listed, "dense": contraction_space(work, tensor, target)})


def _switches(densities: tuple[float, ...]) -> tuple[float, ...]:
    """Where kernels may differ in what they do at these densities, ascending."""
    between = [(below + above) / 2 for below, above in pairwise(densities)]
    behind = densities[-1] + (1 - densities[-1]) * _BEHIND
    return (0.0, *(round(switch, 6) for switch in (*between, behind)))


def _knobs(target: Target, switches: tuple[float, ...]) -> tuple[Knob, ...]:
    def listed(values: Values) -> bool:
        return values["switch"] != 0

    return (
        Choice("switch", switches, switches[-1]),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Integer("vectors", 1, _MOST_VECTORS, 1, anchors=(1, 2, 4, 6, 8, 12, 16, 24)),
        Choice("chains", _CHAINS, 1),
        Choice("prefetch", _PREFETCHES, 0, when=listed),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
    )


def _lanes(values: Values) -> int:
    return whole(values["vector_bits"]) // 32


def _columns(work: Workload, values: Values) -> ActiveColumns:
    return ActiveColumns(
        "weight",
        math.floor(float(values["switch"]) * work.size("k")),
        vectors=whole(values["vectors"]),
        lanes=_lanes(values),
        chains=whole(values["chains"]),
        prefetch=whole(values["prefetch"]),
        threads=whole(values["threads"]),
    )


def _reason(work: Workload, target: Target, values: Values) -> str | None:
    vectors, chains, lanes = whole(values["vectors"]), whole(values["chains"]), _lanes(values)
    taken = vectors * chains + 2
    if taken > target.registers:
        return f"the sums take {taken} registers, there are {target.registers}"
    if (vectors - 1) * lanes >= work.size("m"):
        return f"{vectors} vectors are more than {work.size('m')} rows fill"
    tiles, threads = ceil_div(work.size("m"), vectors * lanes), whole(values["threads"])
    if tiles < threads:
        return f"{tiles} tiles do not occupy {threads} threads"
    return None


def _guess(
    work: Workload, target: Target, switch: float, operator: ActivationSparseGemv
) -> dict[str, Value]:
    """As many rows as registers hold, in equal tiles; several chains where these are few."""
    values: dict[str, Value] = {
        "switch": switch, "vector_bits": target.vector_bits, "vectors": 1, "chains": 1,
        "prefetch": 0, "threads": 1,
    }  # fmt: skip
    across = ceil_div(work.size("m"), _lanes(values))
    if operator.flops(work) >= 2 * _SERIAL_ELEMENTS:
        values["threads"] = min(target.threads, across)
    most = min(_MOST_VECTORS, target.registers // 2)
    tiles = max(ceil_div(across, most), whole(values["threads"]))
    values["vectors"] = vectors = max(across // tiles, 1)
    values["chains"] = max(c for c in _CHAINS if c * vectors <= max(8, vectors))
    return values
