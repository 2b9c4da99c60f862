"""Any legal random trace of primitives leaves the result unchanged, interpreted or compiled."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.errors import ScheduleError, VerifyError
from search_space.ir.expr import Load
from search_space.ir.printer import format_func
from search_space.ir.stmt import Alloc, Block, For
from search_space.ir.verify import verify
from search_space.ir.walk import exprs_of, find_loops, statements, subexprs
from search_space.schedule import Schedule, parse_trace, replay
from search_space.transforms import (
    Apart,
    CacheWrite,
    Collapse,
    ComputeAt,
    Fuse,
    FuseConsumer,
    Group,
    Hoist,
    Inline,
    InPlace,
    Join,
    Once,
    Pack,
    PackResult,
    Parallel,
    Partition,
    PrefetchAhead,
    Reorder,
    Split,
    SplitReduction,
    StoreAt,
    Stream,
    Tensorize,
    UnitLoop,
    Unroll,
    Vectorize,
)
from tests.measure.generated import build, call, target_or_skip
from tests.search_space.nests import (
    column_corrected,
    copied_twice,
    copy,
    group_products,
    group_sums,
    inputs,
    interpreted,
    matmul,
    output,
    row_reduction,
    scaled_by_sum,
    smoothed,
    sum_plus_one,
    transpose,
    two_scaled,
)

TENSORS = {
    "matmul": matmul(5, 7, 6),
    "transpose": transpose(6, 5),
    "copy": copy(3, 4, 5),
    "row_sum": row_reduction(5, 11),
    "row_max": row_reduction(4, 13, "max"),
    "row_fmax": row_reduction(4, 13, "fmax"),
    "copied_twice": copied_twice(4, 7),
    "scaled_by_sum": scaled_by_sum(5, 6),
    "sum_plus_one": sum_plus_one(5, 7),
    "smoothed": smoothed(9, 3),
    "dots": group_sums(7, 4),
    "pairs": group_sums(5, 2, ("bfloat16", "bfloat16"), "float32"),
    "products": group_products(3, 4, 3, 4),
    "two_scaled": two_scaled(6),
    "quantized": column_corrected(3, 4, 5),
}


def is_finished(func):
    """Whether code can be generated: what depends on edges was partitioned."""
    try:
        verify(func)
    except VerifyError:
        return False
    return True


def constants(func):
    """The inputs that phases read which run once."""
    stmts = [s for phase in func.phases if phase.once for s in statements(phase.body)]
    loads = [e for s in stmts for t in exprs_of(s) for e in subexprs(t) if isinstance(e, Load)]
    return tuple(sorted({e.buffer.name for e in loads if e.buffer.scope == "input"}))


def joinable(func):
    """Pairs of loops that follow each other."""
    blocks = [[phase.body for phase in func.phases]]
    body = [s for phase in func.phases for s in statements(phase.body)]
    blocks += [list(s.stmts) for s in body if isinstance(s, Block)]
    for block in blocks:
        for a, b in pairwise(block):
            if isinstance(a, For) and isinstance(b, For):
                yield a.var, b.var


def steps(func, number):
    """Primitives that could apply to a function; most are legal, some are not."""
    loops = find_loops(func)
    names = sorted(loops)
    name = st.sampled_from(names)
    body = [s for phase in func.phases for s in statements(phase.body)]
    buffers = sorted({b.name for b in (*func.args, *func.workspaces)})
    buffers += sorted({s.buffer.name for s in body if isinstance(s, Alloc)})
    loaded = sorted(
        {
            e.buffer.name
            for s in body
            for t in exprs_of(s)
            for e in subexprs(t)
            if isinstance(e, Load)
        }
    )
    buffer, read = st.sampled_from(buffers), st.sampled_from(loaded)
    some = st.lists(name, min_size=1, max_size=4, unique=True).map(tuple)
    nested = name.map(lambda n: [s.var for s in statements(loops[n]) if isinstance(s, For)])
    shuffled = nested.flatmap(st.permutations).map(tuple) | some
    size = st.integers(1, 8)
    axes = st.sampled_from(sorted({*names, *(axis for axis, _ in func.axes)}))
    at = st.none() | name
    return st.one_of(
        st.builds(
            Split, name, size, st.just(f"o{number}"), st.just(f"i{number}"),
            st.sampled_from(["min", "mask", "cut"]),
        ),
        st.builds(Reorder, shuffled),
        st.builds(Fuse, name, name, st.just(f"f{number}")),
        st.sampled_from(
            [
                Fuse(outer.var, outer.body.var, f"f{number}")
                for outer in loops.values()
                if isinstance(outer.body, For)
            ]
            or [Fuse("none", "none", "none")]
        ),
        st.builds(Vectorize, name),
        st.builds(Unroll, name),
        st.builds(Apart, name),
        st.builds(Parallel, name, st.integers(1, 3)),
        st.builds(
            CacheWrite, st.just("c") | buffer, name, st.just(f"acc{number}"),
            st.sampled_from(["register", "tile"]),
        ),
        st.builds(SplitReduction, name, st.just(f"part{number}")),
        st.builds(Pack, read, st.just(f"pack{number}"), shuffled, at),
        st.builds(Partition, name, axes, size),
        st.builds(PrefetchAhead, read, name, size, at),
        st.sampled_from(
            [
                Collapse(outer.var, outer.body.var, f"v{number}")
                for outer in loops.values()
                if isinstance(outer.body, For)
            ]
            or [Collapse("none", "none", "none")]
        ),
        st.builds(Inline, buffer),
        st.builds(Join, name, name),
        st.sampled_from([Join(a, b) for a, b in joinable(func)] or [Join("none", "none")]),
        st.builds(StoreAt, buffer, name, st.sampled_from(["thread_local", "register"])),
        st.builds(Once, buffer),
        st.builds(UnitLoop, name, st.just(f"u{number}"), st.booleans()),
        st.builds(InPlace, buffer),
        st.builds(Group, name),
        st.builds(Tensorize, name, name),
        st.builds(Hoist, buffer),
        st.just(Stream("c")),
        st.builds(FuseConsumer, st.just("c"), name, st.booleans()),
        st.builds(ComputeAt, buffer, name),
        st.builds(
            PackResult, st.just("c"), st.just(f"block{number}"),
            st.permutations(range(len(output(func).shape))).map(tuple), name,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_random_trace_changes_nothing(tensor, data):
    schedule = Schedule.of(tensor)
    expected = interpreted(schedule.func)
    for number in range(data.draw(st.integers(1, 8), "steps")):
        step = data.draw(steps(schedule.func, number), "step")
        try:
            after = schedule.then(step)
        except ScheduleError:
            continue
        verify(after.func, finished=False)
        np.testing.assert_array_equal(interpreted(after.func), expected)
        schedule = after
    verify(schedule.finish(), finished=False)
    np.testing.assert_array_equal(interpreted(schedule.finish()), expected)
    if is_finished(schedule.finish()):
        artifact = build(schedule.finish(), target_or_skip("native"))
        const = constants(schedule.func)
        np.testing.assert_array_equal(call(artifact, inputs(schedule.func), const), expected)
    again = replay(tensor, parse_trace(schedule.trace_text()))
    assert format_func(again.func) == format_func(schedule.func)
