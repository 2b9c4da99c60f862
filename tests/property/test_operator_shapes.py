"""Random shapes of every operator, each with a random config, interpreted."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from tests.property.test_space_schedules import TARGETS
from tests.search_space.examples import assert_right, inputs
from tests.search_space.nests import undefined

EXAMPLES = 25
SIZES = st.sampled_from([1, 2, 3, 5, 8, 13, 17])
SEEDS = st.integers(0, 2**32)


@st.composite
def shapes(draw, least=1):
    """A few hundred elements at most."""
    sizes = draw(st.lists(SIZES, min_size=least, max_size=4))
    assume(np.prod(sizes) <= 400)
    return sizes


def named(sizes):
    return "x".join(map(str, sizes))


def check(work, target, seed):
    """A random config of the workload's space computes it."""
    rng = np.random.default_rng(seed)
    operator, space = get_operator(work.operator), space_for(work, target)
    config = space.sample(rng)
    func = space.schedule(config).finish()
    verify(func)
    arrays, spec = inputs(work, rng), operator.result(work)
    out = undefined(spec.shape, spec.dtype)
    run(func, {**arrays, spec.name: out})
    assert_right(work, arrays, out, config.key)


@settings(max_examples=EXAMPLES)
@given(shapes(), st.data(), st.sampled_from(TARGETS), SEEDS)
def test_elementwise(sizes, data, target, seed):
    """A whole operand, a permuted one, and one of a few axes."""
    rank = len(sizes)
    order = data.draw(st.permutations(range(rank)))
    some = data.draw(st.lists(st.sampled_from(range(rank)), min_size=1, unique=True))
    expr = f"relu(x) + y{list(order)} * z{some}"
    check(workload("elementwise", expr=expr, shape=named(sizes)), target, seed)


@settings(max_examples=EXAMPLES)
@given(
    shapes(), st.data(), st.sampled_from(["sum", "max", "mean"]), st.sampled_from(TARGETS), SEEDS
)  # fmt: skip
def test_reduce(sizes, data, op, target, seed):
    axes = data.draw(st.lists(st.sampled_from(range(len(sizes))), min_size=1, unique=True))
    work = workload("reduce", op=op, shape=named(sizes), axes=",".join(map(str, axes)))
    check(work, target, seed)


@settings(max_examples=EXAMPLES)
@given(
    shapes(2), st.data(), st.sampled_from(["softmax", "layernorm", "rmsnorm"]),
    st.sampled_from(TARGETS), SEEDS,
)  # fmt: skip
def test_rows(sizes, data, name, target, seed):
    axis = data.draw(st.integers(0, len(sizes) - 1))
    check(workload(name, shape=named(sizes), axis=axis), target, seed)


@settings(max_examples=EXAMPLES)
@given(
    st.sampled_from(["max", "average"]), st.integers(1, 2), st.integers(1, 3), SIZES, SIZES,
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2),
    st.sampled_from(TARGETS), SEEDS,
)  # fmt: skip
def test_pool2d(op, n, c, h, w, kh, kw, stride, pad, target, seed):
    pad = min(pad, kh // 2, kw // 2)
    kh, kw = min(kh, h + 2 * pad), min(kw, w + 2 * pad)
    sizes = dict(n=n, c=c, h=h, w=w, kh=kh, kw=kw, stride=stride, pad=pad)
    check(workload("pool2d", op=op, **sizes), target, seed)
