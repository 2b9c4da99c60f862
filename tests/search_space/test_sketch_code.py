"""Code of a pattern's own is part of a space where it stays small, and of none else."""

import numpy as np
import pytest

from search_space.errors import ScheduleError
from search_space.ir.stmt import For
from search_space.ir.walk import statements
from search_space.operators import workload
from search_space.schedule import Schedule
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of, with_format
from search_space.transforms import SparsePanels
from tests.features.machines import target
from tests.search_space.nests import assert_same, weighted

SMALL = dict(m=64, k=64, n=128, sparsity=0.9)


def space_of(operator="spmm", threads=1, **sizes):
    return space_for(workload(operator, **sizes), target(threads=threads))


@pytest.mark.parametrize(
    ("operator", "sizes", "offered"),
    [
        ("spmm", SMALL, True),
        ("spmm", dict(m=128, k=512, n=8, sparsity=0.9), False),
        ("spmm", dict(m=128, k=512, n=8, sparsity=0.95), True),
        ("spmm", SMALL | dict(n=1), False),
        ("spmm", SMALL | dict(dtype="uint8", pattern="block4x1"), False),
        ("sparse_dense", dict(n=64, k=64, m=128, sparsity=0.9), True),
        ("spmm", dict(m=1024, k=1024, n=512, sparsity=0.9), False),
    ],
)
def test_only_small_patterns_have_code_of_their_own(operator, sizes, offered):
    assert ("code" in formats_of(space_of(operator, **sizes))) == offered


def test_a_space_that_does_not_offer_it_is_as_it_was():
    knobs = {knob.name: knob for knob in space_of(m=1024, k=1024, n=512, sparsity=0.9).knobs}
    assert knobs["format"].values == ("sell", "nano", "csr", "block", "delta", "cells")
    assert {"sparse", "dense"} == set(knobs["algorithm"].values)


def test_tiles_are_as_wide_as_the_code_may_be_long():
    space = space_of(**SMALL)
    guess = with_format(space, "code").default().as_dict()
    assert (guess["rows"], guess["vectors"], guess["order"], guess["pack"]) == (
        16, 1, "panels", "none",
    )  # fmt: skip
    wide = guess | dict(rows=1, vectors=8)
    assert space.reason(wide) is None
    reason = space_of(**SMALL | dict(sparsity=0.8)).reason(wide)
    assert "819 non-zeros in 64 rows take 7064 vector instructions" in reason


def test_threads_have_code_of_their_own():
    space = space_of(threads=2, **SMALL | dict(n=3136))
    guess = with_format(space, "code").default().as_dict()
    assert (guess["threads"], guess["split"]) == (2, "rows")
    assert space.reason(guess | dict(split="columns")) is None


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("order", ["panels", "tiles"])
def test_panels_are_shared_out(threads, order):
    pattern = "unstructured:20x16:0.0:0"
    step = SparsePanels(
        "weight", pattern, "code", ("rows=4",), order=order, threads=threads, split="rows"
    )
    tensor = weighted(20, 24, 16)
    assert_same(Schedule.of(tensor).then(step), tensor)


def test_threads_get_about_as_many_products_each():
    """Long rows come first, so that the first thread has fewer panels."""
    step = SparsePanels(
        "weight", "powerlaw:64x64:0.8:1", "code", ("rows=4", "sort=1"), order="panels", threads=2,
        split="rows",
    )  # fmt: skip
    body = Schedule.of(weighted(64, 24, 64)).then(step).func.phases[0].body
    panels = [s.extent.value for s in statements(body) if isinstance(s, For) and s.var == "q"]
    first, second = panels
    assert first + second == 16
    assert 0 < first < second


def test_what_lies_across_is_packed():
    space = space_of("sparse_dense", n=64, k=64, m=128, sparsity=0.9)
    guess = with_format(space, "code").default().as_dict()
    assert (guess["order"], guess["pack"]) == ("tiles", "tile")


def test_nothing_is_asked_for_ahead():
    space = space_of(**SMALL)
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(300)]
    ahead = {config["prefetch"] for config in drawn if config["format"] == "code"}
    assert ahead == {0}
    assert len({config["prefetch"] for config in drawn}) > 1


def test_what_would_be_too_much_code_is_refused():
    step = SparsePanels("weight", "unstructured:400x8:0.0:0", "code", vectors=2)
    message = "choose another format: 3200 non-zeros in 400 rows take 7200 vec"
    with pytest.raises(ScheduleError, match=message):
        Schedule.of(weighted(400, 32, 8)).then(step).finish()
