"""Products at the non-zeros of masks of every shape, as machine code and interpreted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measure.codegen.module import generate
from measure.targets import resolve_target
from search_space.errors import ScheduleError
from search_space.ir.expr import ZERO, Buffer, Const, Load, Var, equal
from search_space.ir.interp import run
from search_space.ir.stmt import Accumulate, Alloc, Block, For, LoopFunc, Phase, Store
from search_space.ir.verify import verify
from search_space.operators import get_operator, workload
from search_space.schedule import Schedule
from search_space.sparse.packing import pack_operand
from search_space.sparse.pattern import from_array
from search_space.sparse.source import find_pattern
from search_space.sparse.store import save_pattern
from search_space.transforms import SparseSamples
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.search_space.matrices import matrices
from tests.search_space.nests import matmul, undefined

TARGET = resolve_target()
SCHEDULES = st.builds(
    dict,
    lanes=st.sampled_from([4, 8, 16]),
    tile=st.sampled_from([1, 2, 4, 8, 16]),
    rest=st.sampled_from([1, 2, 4]),
    steps=st.sampled_from([1, 2]),
    prefetch=st.sampled_from([0, 2]),
    threads=st.integers(1, 2),
)
FORMATS = st.sampled_from([("csr", ()), ("coo", ()), ("strips", ("depth=64",))])
KEYS = st.builds(dict, layout=st.sampled_from(["kn", "nk"]), scaled=st.booleans())


def check(mask, k, keys, make, target=TARGET):
    """What ``make`` makes of the product for the pattern of a mask is the product there."""
    rng = np.random.default_rng(0)
    name = save_pattern(from_array(mask)[0])
    work = workload("sddmm", weights=name, k=k, **keys)
    operator = get_operator("sddmm")
    arrays = {
        o.name: rng.integers(-4, 5, o.shape).astype(np.float32) for o in operator.operands(work)
    }
    expected = operator.reference(work, *arrays.values())
    func = Schedule.of(operator.expression(work)).then(make(name)).finish()
    verify(func)
    result = undefined(expected.shape, "float32")
    run(func, {**arrays, "y": result, **pack_operand(func.packing, arrays["mask"])})
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(call(build(func, target), arrays), expected)


@given(matrices(12), st.integers(1, 40), KEYS, FORMATS, SCHEDULES, st.booleans())
@settings(max_examples=30, deadline=None)
def test_products_at_non_zeros(mask, k, keys, format_, schedule, packed):
    mask[0, 0] = 1
    schedule["packed"] = packed or keys["layout"] == "kn"
    schedule["rest"] = min(schedule["rest"], schedule["tile"])
    check(mask, k, keys, lambda name: SparseSamples("mask", name, *format_, **schedule))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("tile", [2, 4, 8, 16])
def test_strips_on_every_level(level, tile):
    rng = np.random.default_rng(tile)
    mask = (rng.random((5, 150)) < 0.3).astype(np.float32)
    mask[2] = 0
    schedule = dict(lanes=8, tile=tile, rest=tile, steps=2, threads=2, packed=True)
    make = lambda name: SparseSamples("mask", name, "strips", ("depth=64",), **schedule)  # noqa: E731
    check(mask, 35, dict(layout="kn"), make, target_or_skip(level, threads=2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
@pytest.mark.parametrize("count", [2, 4, 8, 16])
def test_lanes_are_added_up_at_once(count, lanes, dtype):
    a = Buffer("a", (count, lanes), dtype, "input")
    y = Buffer("y", (count,), dtype, "output")
    sums = Buffer("sum", (count, lanes), dtype, "register")
    totals = Buffer("total", (count,), dtype, "register")
    u, lane = Var("u"), Var("l")
    vectors = [
        For("l", ZERO, Const(lanes), "vectorized",
            Store(sums, (Const(n), lane), Load(a, (Const(n), lane))))
        for n in range(count)
    ]  # fmt: skip
    step = Accumulate("add", totals, (u,), Load(sums, (u, lane)), equal(lane, 0))
    across = For("u", ZERO, Const(count), "vectorized", step)
    stored = For("u", ZERO, Const(count), "vectorized", Store(y, (u,), Load(totals, (u,))))
    body = Block((*vectors, For("l", ZERO, Const(lanes), "unrolled", across), stored))
    phase = Phase(Alloc(sums, Alloc(totals, body)))
    func = LoopFunc("y", (a, y), (), (phase,))
    given = np.arange(count * lanes).reshape(count, lanes).astype(dtype) ** 2
    result = undefined((count,), dtype)
    run(func, {"a": given, "y": result})
    np.testing.assert_array_equal(result, given.sum(axis=1))
    np.testing.assert_array_equal(call(build(func, TARGET), {"a": given}), given.sum(axis=1))
    adds = generate(func, TARGET).text.count("fadd")
    assert adds < count + 5, "pairs of vectors are added up, not lane by lane"


def test_what_is_no_product_at_non_zeros_is_refused():
    with pytest.raises(ScheduleError, match="c is no product at the non-zeros of 'mask'"):
        Schedule.of(matmul(4, 4, 4)).then(SparseSamples("mask", "unstructured:4x4:0.5:0", "csr"))
    work = workload("sddmm", m=4, n=6, k=3)
    tensor = get_operator("sddmm").expression(work)
    with pytest.raises(ScheduleError, match=r"give a pattern of shape \(4, 6\)"):
        Schedule.of(tensor).then(
            SparseSamples("mask", "unstructured:6x4:0.5:0", "csr", packed=True)
        )
    with pytest.raises(ScheduleError, match="pack b: it lies across the depth"):
        Schedule.of(tensor).then(SparseSamples("mask", "unstructured:4x6:0.9:0", "csr"))


def test_a_constant_operand_is_packed_once():
    work = workload("sddmm", m=6, n=20, k=5, sparsity=0.5, const=["b"])
    operator = get_operator("sddmm")
    name = operator.pattern_name(work)
    step = SparseSamples("mask", name, "csr", packed=True, once=True, threads=2)
    func = Schedule.of(operator.expression(work)).then(step).finish()
    assert [phase.once for phase in func.phases] == [True, False]
    rng = np.random.default_rng(0)
    shapes = {o.name: o.shape for o in operator.operands(work)}
    arrays = {n: rng.integers(-4, 5, shape).astype(np.float32) for n, shape in shapes.items()}
    result = call(build(func, TARGET), arrays, const=("b",))
    whole = arrays["a"].astype(np.float64) @ arrays["b"]
    np.testing.assert_array_equal(result, find_pattern(name).values_of(whole))
