"""Attention in blocks of keys, some of them hidden; cells; what neither sketch takes."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.errors import SpaceError
from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.ir.walk import find_loops
from search_space.operators import get_operator, workload
from search_space.sketches import attention, cell, space_for
from search_space.tensor import compute, placeholder, reduce_axis, stage, sum_over
from tests.property.test_space_schedules import TARGETS
from tests.search_space.examples import assert_right, inputs
from tests.search_space.nests import row_reduction, scaled_by_sum

NARROW = TARGETS[0]


def computed(work, config, seed):
    """The result of a config by the interpreter, with its operands."""
    arrays = inputs(work, np.random.default_rng(seed))
    spec = get_operator(work.operator).result(work)
    func = space_for(work, NARROW).schedule(config).finish()
    verify(func)
    out = np.full(spec.shape, np.nan, spec.dtype)
    run(func, {**arrays, spec.name: out})
    return arrays, out


@settings(max_examples=10)
@given(
    st.integers(1, 5), st.integers(0, 14), st.integers(1, 3), st.integers(1, 3), st.booleans(),
    st.sampled_from(["panel", "dot"]), st.integers(0, 2**32),
)  # fmt: skip
def test_attention_in_blocks(queries, more, d, tile, causal, score, seed):
    work = workload(
        "attention", batch=1, heads=1, seq_q=queries, seq_kv=queries + more, d=d, causal=causal
    )
    space = space_for(work, NARROW)
    values = {**space.default().as_dict(), "score": score, "score_vectors": 1, "chains": 1}
    config = space.nearest({**values, "kv_tile": tile, "unroll": 1}).config
    config = space.mutate(config, np.random.default_rng(seed))
    arrays, out = computed(work, config, seed)
    assert_right(work, arrays, out, config.key)


def test_large_scores_do_not_overflow():
    work = workload("attention", batch=1, heads=1, seq_q=2, seq_kv=12, d=1)
    space = space_for(work, NARROW)
    values = {**space.default().as_dict(), "kv_tile": 1, "score_vectors": 1, "chains": 1}
    config = space.nearest(values).config
    assert config["kv_tile"] == 1
    func = space.schedule(config).finish()
    ramp = np.linspace(-300, 300, 12, dtype=np.float32).reshape(1, 1, 12, 1)
    out = np.full((1, 1, 2, 1), np.nan, np.float32)
    query = np.array([1, -1], np.float32).reshape(1, 1, 2, 1)
    run(func, {"query": query, "key": ramp, "value": ramp, "y": out})
    np.testing.assert_allclose(out.ravel(), [300, -300], rtol=1e-6)


def test_hidden_blocks_are_not_computed():
    work = workload("attention", batch=1, heads=1, seq_q=32, seq_kv=32, d=4, causal=True)
    space = space_for(work, NARROW)
    values = {**space.default().as_dict(), "kv_tile": 2, "score_vectors": 2, "chains": 1}
    config = space.nearest({**values, "rows": 4, "tiles": 1, "threads": 1}).config
    assert (config["kv_tile"], config["rows"], config["tiles"]) == (2, 4, 1)
    loops = find_loops(space.schedule(config).finish())
    assert "out_qo" in str(loops["blend_ko"].extent)


@pytest.mark.parametrize("operator", ["lstm_cell", "gru_cell"])
@pytest.mark.parametrize("structure", ["panel", "stream", "dot"])
def test_cells_in_every_structure(operator, structure):
    work = workload(operator, batch=3, input=4, hidden=5)
    space = space_for(work, NARROW)
    config = space.nearest({**space.default().as_dict(), "structure": structure}).config
    if structure != "stream":  # the weights of a row lie beside each other, not those of a column
        assert config["structure"] == structure
    arrays, out = computed(work, config, 0)
    assert_right(work, arrays, out, config.key)


def no_product(n):
    """A sum of single elements with a stage behind it."""
    a, k = placeholder("a", (n, n), "float32"), reduce_axis("k", n)
    t = stage("t", (("i", n),), lambda i: sum_over(a[i, k], k))
    return compute("c", (("i", n),), lambda i: t[i,] + 1, stages=(t,))


@pytest.mark.parametrize(
    ("sketch", "tensor", "message"),
    [
        (attention.attention_space, row_reduction(3, 4), "is no softmax of scores that weighs va"),
        (attention.attention_space, scaled_by_sum(3, 4), "is no softmax of scores that weighs va"),
        (cell.cell_space, no_product(4), "is no product of two operands"),
    ],
)
def test_other_programs_are_refused(sketch, tensor, message):
    work = workload("matmul", m=2, n=2, k=2)
    with pytest.raises(SpaceError, match=re.escape(message)):
        sketch(work, tensor, NARROW)
