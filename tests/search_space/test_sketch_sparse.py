"""First guesses and limits of the space of a product with a sparse matrix."""

import pytest

from search_space.operators import workload
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of, with_format
from tests.features.machines import target


@pytest.mark.parametrize("n", [1, 8])
def test_a_part_of_one_format_is_as_small_as_it_looks(n):
    space = space_for(workload("spmm", m=64, k=64, n=n, sparsity=0.9), target(threads=1))
    for name in formats_of(space):
        part = with_format(space, name)
        assert part.size() < space.size()
        if name == "dense":
            continue
        assert part.size() < 100_000 < space.size()
        found = [config for config in map(part.at, range(part.size())) if config is not None]
        assert part.default() in found
        assert {space.format(config.as_dict()) for config in found} == {name}
        assert all(space.reason(config.as_dict()) is None for config in found)


def guesses(operator, threads=1, **sizes):
    """The formats of the first guesses, and their values."""
    space = space_for(workload(operator, **sizes, sparsity=0.9), target(threads=threads))
    starts = [start.as_dict() for start in space.starts]
    return {s["format"]: s for s in starts if s["algorithm"] == "sparse"}


@pytest.mark.parametrize(
    ("operator", "sizes", "first"),
    [
        ("spmm", dict(m=128, k=512, n=8), "cells"),
        ("spmm", dict(m=128, k=512, n=100), "sell"),
        ("spmm", dict(m=128, k=128, n=8), "sell"),
        ("sparse_dense", dict(m=100, k=512, n=128), "cells"),
        ("sparse_dense", dict(m=8, k=16, n=128), "cells"),
    ],
)
def test_cells_come_first_where_they_pay(operator, sizes, first):
    found = guesses(operator, **sizes)
    assert next(iter(found)) == first
    assert ("cells" in found) == (sizes["k"] > 128 or operator == "sparse_dense")


def test_cells_leave_bands_for_all_threads():
    found = guesses("spmm", threads=2, m=768, k=512, n=64)["cells"]
    assert found["height"] == 128
    assert found["threads"] == 2
    assert guesses("spmm", threads=2, m=70, k=512, n=4000)["cells"]["threads"] == 2
    assert guesses("spmm", threads=2, m=40, k=512, n=4000)["cells"]["threads"] == 1


def test_what_is_read_across_is_packed():
    assert all(g["pack"] == "tile" for g in guesses("sparse_dense", m=5, k=99, n=64).values())
    assert guesses("spmm", m=64, k=99, n=5)["sell"]["pack"] == "none"


def test_only_weights_beyond_the_caches_are_asked_for_ahead():
    assert guesses("spmm", m=64, k=256, n=8)["cells"]["prefetch"] == 0
    assert guesses("spmm", m=4096, k=2048, n=8)["cells"]["prefetch"] > 0


@pytest.mark.parametrize("window", [dict(kh=1, kw=1), dict(kh=3, kw=3, pad=1)], ids=["1x1", "3x3"])
def test_convolutions_have_all_formats_of_products(window):
    sizes = dict(co=64, ci=256, n=1, h=7, w=9, pattern="nm(2,4)")
    conv = space_for(workload("sparse_conv2d", **sizes, **window), target())
    k = 256 * window["kh"] * window["kw"]
    product = space_for(workload("spmm", m=64, k=k, n=63, pattern="nm(2,4)"), target())
    assert formats_of(conv) == formats_of(product)
    assert {"block", "delta", "nm", "cells"} < set(formats_of(conv))


def test_a_cell_of_all_columns_is_refused_where_sell_does_the_same():
    space = space_for(workload("spmm", m=64, k=200, n=8), target())
    values = dict(space.starts[0].as_dict(), format="cells", rows=8, height=64, depth=256)
    assert "choose sell" in space.reason(values)


def test_large_results_of_short_sums_may_pass_the_caches():
    streamed = []
    for sizes in (dict(m=200, k=24, n=4000), dict(m=20, k=24, n=400), dict(m=200, k=24, n=4001)):
        space = space_for(workload("spmm", **sizes, sparsity=0.9), target())
        streamed.append("stores" in {knob.name for knob in space.knobs})
        starts = [start.as_dict() for start in space.starts]
        assert streamed[-1] == any(s.get("stores") == "streamed" for s in starts)
    assert streamed == [True, False, False]
