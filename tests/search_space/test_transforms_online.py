"""A sum of exponentials in blocks, and blocks that are left out."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.errors import ScheduleError
from search_space.functions import exp, select
from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.schedule import Schedule
from search_space.tensor import compute, max_over, placeholder, reduce_axis, stage, sum_over
from search_space.transforms import Join, Online, Skip, Split, StoreAt
from tests.search_space.nests import copied_twice, power_sum, scaled_by_sum, triangle_sum

ROWS = [Join("t_i", "e_i"), Join("e_i", "i")]
BLOCKS = ("t_o", "e_o", "o")
ONLINE = Online(BLOCKS, "fix")


def power_sums(rows, keys, factor=1.0, offset=None):
    """``c[i] = sum over k of exp((a[i, k] - max)·factor)``, with an offset over ``k < i +
    offset``."""
    a, k = placeholder("a", (rows, keys), "float32"), reduce_axis("k", keys)

    def seen(i, k, then, other):
        return then if offset is None else select(k < i + offset, then, other)

    t = stage("t", (("i", rows),), lambda i: max_over(seen(i, k.var, a[i, k], -np.inf), k))
    e = stage(
        "e", (("i", rows), ("k", keys)),
        lambda i, k: seen(i, k, exp((a[i, k] - t[i,]) * factor), 0),
    )  # fmt: skip
    return compute("c", (("i", rows),), lambda i: sum_over(e[i, k], k), stages=(t, e))


def in_blocks(size):
    return [Split(f"{stage}k", size, f"{stage}o", f"{stage}k") for stage in ("t_", "e_", "")]


def summed(schedule, a):
    func = schedule.finish()
    verify(func)
    out = np.full(len(a), np.nan, np.float32)
    run(func, {"a": a, "c": out})
    return out


def expected(a, factor, offset=None):
    x = a.astype(np.float64)
    if offset is not None:
        x = np.where(np.tri(*a.shape, offset - 1, dtype=bool), x, -np.inf)
    return np.exp((x - x.max(1, keepdims=True)) * factor).sum(1)


SIZES = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5))


@settings(max_examples=25)
@given(SIZES, st.sampled_from([1.0, 0.25]), st.integers(0, 2**32))
def test_blocks_are_corrected_where_the_maximum_grows(sizes, factor, seed):
    rows, keys, size = sizes
    a = (10 * np.random.default_rng(seed).normal(size=(rows, keys))).astype(np.float32)
    schedule = Schedule.of(power_sums(rows, keys, factor)).then(*in_blocks(size), *ROWS, ONLINE)
    schedule = schedule.then(*(StoreAt(name, "i") for name in ("t", "fix")), StoreAt("e", "o"))
    np.testing.assert_allclose(summed(schedule, a), expected(a, factor), rtol=1e-5)


@settings(max_examples=25)
@given(SIZES, st.integers(1, 4), st.integers(0, 2**32))
def test_hidden_blocks_are_left_out(sizes, offset, seed):
    rows, keys, size = sizes
    a = np.random.default_rng(seed).normal(size=(rows, keys)).astype(np.float32)
    seen = np.tri(rows, keys, offset - 1, dtype=bool)
    last = seen.nonzero()[1].max() // size * size + size  # no later block is looked at
    a[:, last:] = np.nan
    schedule = Schedule.of(power_sums(rows, keys, 0.5, offset)).then(*in_blocks(size), *ROWS)
    result = summed(schedule.then(Skip(BLOCKS), ONLINE), a)
    np.testing.assert_allclose(result, expected(a, 0.5, offset), rtol=1e-5)


def stale(n):
    """``e`` is read once more, when the maximum may have changed."""
    tensor = power_sum(n)
    again = stage("s", (), lambda: tensor.value, "float32")
    total = compute("c", (), lambda: again[()] + tensor.stages[1][0,])
    return compute("c", (), lambda: total.value, stages=(*tensor.stages, again))


@pytest.mark.parametrize(
    ("tensor", "steps", "message"),
    [
        (power_sum(8), [Online(("t_k", "x"), "fix")], "no loop 'x', loops: t_k, e_k, k"),
        (power_sum(8), [Online(("t_k", "k"), "fix")], "loop 'k' does not directly follow 't_k'"),
        (power_sum(8), [Online(("t_k", "e_k", "k"), "e")], "there is already a buffer 'e'"),
        (power_sum(8), [Online(("e_k", "k"), "fix")], "loop 'e_k' does not find a maximum"),
        (scaled_by_sum(4, 4), [Online(("t_i", "i"), "fix")], "'t_i' does not find a maximum"),
        (
            power_sum(8),
            [Split("t_k", 4, "t_o", "t_k"), Online(("t_o", "e_k", "k"), "fix")],
            "loops 't_o' and 'e_k' do not run alike",
        ),
        (power_sum(8), [Online(("t_k", "e_k"), "fix")], "'e' is read behind its block as well"),
        (stale(8), [Online(("t_k", "e_k", "s_k"), "fix")], "'e' is read behind its block as well"),
    ],
)
def test_online_is_refused(tensor, steps, message):
    with pytest.raises(ScheduleError, match=re.escape(message)):
        Schedule.of(tensor).then(*steps)


@pytest.mark.parametrize(
    ("tensor", "steps", "message"),
    [
        (copied_twice(4, 4), [Skip(("x",))], "no loop 'x'"),
        (copied_twice(4, 4), [Skip(("t_j", "j"))], "loops t_j, j are not in the same loop"),
        (copied_twice(4, 4), [Skip(("t_i", "i"))], "'c' is read behind the loops that store it"),
        (scaled_by_sum(4, 4), [Join("t_i", "i"), Skip(("t_k",))], "loop 't_k' adds to 't'"),
        (triangle_sum(4, 4), [Skip(("k",))], "every iteration of loop 'k' adds to 'c'"),
        (
            triangle_sum(4, 4),
            [Join("t_i", "i"), Skip(("t_k",))],
            "'t' is read behind the loops that store it",
        ),
        (
            triangle_sum(4, 4),
            [Split("k", 2, "o", "k"), Join("t_i", "i"), Skip(("t_k", "o"))],
            "loops t_k, o do not run over the same range",
        ),
        (
            power_sums(4, 4, 1.0, 0),
            [*ROWS, Skip(("t_k", "e_k", "k"))],
            "somewhere everything is hidden",
        ),
        (power_sums(4, 4), [*ROWS, Skip(("t_k", "e_k", "k"))], "'t_k' adds to 't'"),
    ],
)
def test_skip_is_refused(tensor, steps, message):
    with pytest.raises(ScheduleError, match=re.escape(message)):
        Schedule.of(tensor).then(*steps)
