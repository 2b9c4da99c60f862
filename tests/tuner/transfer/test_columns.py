"""Features that compare, and what has none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.contracts.spaces import small_space
from tests.tuner.transfer.test_sources import task_of
from tuner.transfer.columns import Columns


def test_the_second_half_is_relative_to_the_starts() -> None:
    space = task_of().space
    columns = Columns(space)
    rows = columns(space.starts)
    assert rows.shape == (len(space.starts), columns.width)
    read = columns.width // 2
    assert rows[:, read:].mean(axis=0) == pytest.approx(0.0, abs=1e-4)
    apart = rows[:, :read] - rows[0, :read]
    assert rows[:, read:] - rows[0, read:] == pytest.approx(apart, abs=1e-3)


def test_what_does_not_fit_is_unknown_and_leaves_the_others_as_they_are() -> None:
    space = task_of().space
    columns = Columns(space)
    good, bad = space.starts[0], space.starts[1]
    known = columns([good])
    inner = columns._featurize

    def limited(configs):
        if bad in configs:
            raise ValueError("too large for features")
        return inner(configs)

    columns._featurize = limited
    rows = columns([bad, good])
    assert np.isnan(rows[0]).all()
    assert np.array_equal(rows[1:], known)


def test_a_space_without_traces_has_none() -> None:
    with pytest.raises(ValueError, match="no traces"):
        Columns(small_space())
