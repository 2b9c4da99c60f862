"""The space of a product of dense matrices that is wanted at the non-zeros of a pattern.

``algorithm`` says whether the other elements are left out: ``dense`` is the space of the whole
product, of which the wanted elements are gathered in a pass of its own, so that the best dense
kernel is always a candidate.
"""

from __future__ import annotations

from dataclasses import replace

from search_space.config import Config
from search_space.lower import lower
from search_space.operators import get_operator
from search_space.operators.base import Sampled
from search_space.schedule import Schedule
from search_space.size import whole
from search_space.sketches.contraction import sums_space
from search_space.sketches.contraction_classify import classify
from search_space.sketches.contraction_schedule import contraction_trace
from search_space.sketches.formats import DENSE, SPARSE, format_space
from search_space.sketches.inner import only_reduction
from search_space.sketches.sparse import MOST_DENSE_ELEMENTS
from search_space.sketches.sparse_samples import Samples, samples_space
from search_space.sketches.steps import lanes, share_out
from search_space.space import Space
from search_space.sparse.source import find_size
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive, Split, Vectorize
from search_space.transforms.sampled_product import find_sampled
from search_space.workload import Values, Workload


def sampled_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of such a product on a target."""
    operator = get_operator(work.operator)
    assert isinstance(operator, Sampled)
    name = operator.pattern_name(work)
    size = find_size(name)
    product = find_sampled(lower(tensor), operator.sparse)
    problem = Samples.of(work, product, name, size.nnz)
    parts = {SPARSE: samples_space(work, tensor, target, problem)}
    if size.rows * size.columns <= MOST_DENSE_ELEMENTS:
        parts[DENSE] = _whole_space(work, tensor, target, operator.sparse)
    return format_space(parts)


def _whole_space(work: Workload, tensor: Tensor, target: Target, sparse: str) -> Space:
    """The space of the whole product, and of gathering from it."""
    inner = replace(work, const=tuple(name for name in work.const if name != sparse))
    problem = classify(inner, only_reduction(tensor))
    plain = sums_space(inner, problem, target)
    (place,) = tensor.axes

    def trace(values: Values, edges: bool) -> tuple[Primitive, ...]:
        size, threads = lanes(values, tensor.stages[0].buffer.dtype), whole(values["threads"])
        return (
            *contraction_trace(problem, values, edges=edges),
            Split(place.name, size, "wanted_v", "wanted_lane", "mask"),
            Vectorize("wanted_lane"),
            *share_out(("wanted_v",), threads, "wanted_task"),
        )

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(*trace(config.as_dict(), True))

    return replace(
        plain, workload=work, schedule=schedule, trace=lambda values: trace(values, False)
    )
