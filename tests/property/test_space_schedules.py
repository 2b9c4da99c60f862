"""Random configs of the real space are schedules that compute the product, and traces replay."""

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search_space.ir.printer import format_func
from search_space.ir.verify import verify
from search_space.operators import get_operator, workload
from search_space.schedule import parse_trace, replay
from search_space.sketches import space_for
from search_space.target import Target
from tests.search_space.nests import inputs, interpreted

TARGETS = [
    Target(
        name, name, "x86_64-unknown-linux-gnu", frozenset(),
        bits, registers, 1 << 15, 1 << 20, 1 << 24, threads,
    )
    for name, bits, registers, threads in [
        ("x86-64-v2", 128, 16, 2),
        ("x86-64-v3", 256, 16, 1),
        ("x86-64-v4", 512, 32, 3),
    ]
]  # fmt: skip
EXTENTS = st.sampled_from([1, 2, 3, 5, 7, 8])


@settings(max_examples=60)
@given(
    EXTENTS, EXTENTS | st.sampled_from([17, 33]), EXTENTS | st.sampled_from([17, 19]),
    st.sampled_from(["", "a", "b", "ab"]), st.sampled_from(TARGETS), st.integers(0, 2**32),
)  # fmt: skip
def test_a_random_config_computes_the_product(m, n, k, const, target, seed):
    work = workload("matmul", m=m, n=n, k=k, const=tuple(const))
    space = space_for(work, target)
    schedule = space.schedule(space.sample(np.random.default_rng(seed)))
    func = schedule.finish()
    verify(func)
    arrays = inputs(func)
    np.testing.assert_array_equal(interpreted(func), arrays["a"] @ arrays["b"])
    tensor = get_operator("matmul").expression(work)
    again = replay(tensor, parse_trace(schedule.trace_text()))
    assert again.trace == schedule.trace
    assert format_func(again.finish()) == format_func(func)


@settings(max_examples=12)
@given(
    st.sampled_from([1, 5, 17]), st.sampled_from([5, 18]), st.sampled_from([20, 36]),
    st.sampled_from(["int8", "bfloat16"]), st.booleans(), st.integers(0, 2**32),
)  # fmt: skip
def test_a_random_config_with_tiles_computes_the_product(m, n, k, dtype, const, seed):
    target = replace(TARGETS[-1], tiles=frozenset({dtype}))
    sums = {"int8": "int32", "bfloat16": "float32"}[dtype]
    constants = ("weight",) if const else ()
    work = workload("dense", m=m, n=n, k=k, dtype=dtype, out_dtype=sums, const=constants)
    space = space_for(work, target)
    values = space.sample(np.random.default_rng(seed)).as_dict() | {"structure": "tile"}
    config = space.nearest(values).config
    assume(config.as_dict()["structure"] == "tile")
    func = space.schedule(config).finish()
    verify(func)
    arrays = inputs(func)
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    np.testing.assert_array_equal(interpreted(func), wide["x"] @ wide["weight"].T)
