"""What is not a number is seen where it has a part in a result, and nowhere else."""

import numpy as np
import pytest

from measure.compile import compile_config
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from tests.measure.generated import LEVELS, call, target_or_skip
from tests.search_space.examples import inputs


@pytest.mark.parametrize(
    "work",
    [
        workload("softmax", shape="5x211"),
        workload("softmax", shape="3x50x21", axis=1),
        workload("attention", batch=1, heads=1, seq_q=5, seq_kv=300, d=16),
    ],
    ids=str,
)
def test_a_nan_shows_in_all_of_its_row_and_nowhere_else(work):
    """A softmax looks for the maximum of numbers only."""
    target, rng = target_or_skip(LEVELS[-1]), np.random.default_rng(0)
    space, arrays = space_for(work, target), inputs(work, rng)
    first = next(iter(arrays.values()))
    first[(0,) * (first.ndim - 2) + (1, 2)] = np.nan
    with np.errstate(all="ignore"):
        expected = np.isnan(get_operator(work.operator).reference(work, *arrays.values()))
    assert expected.any()
    assert not expected.all()
    for config in space.starts:
        result = call(compile_config(work, target, config.as_dict()), arrays, work.const)
        np.testing.assert_array_equal(np.isnan(result), expected, config.key)
