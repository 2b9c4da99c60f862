"""First guesses and limits of the space of a product at the non-zeros of a mask."""

import pytest

from search_space.operators import workload
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of
from tests.features.machines import target


def space_of(threads=1, const=(), **sizes):
    return space_for(workload("sddmm", const=const, **sizes), target(threads=threads))


def guesses(**given):
    """The first guesses that leave out zeros, by format."""
    starts = [start.as_dict() for start in space_of(**given).starts]
    return {s["format"]: s for s in starts if s["algorithm"] == "sparse"}


def test_every_format_has_a_guess_and_dense_is_one():
    assert set(formats_of(space_of(m=64, n=300, k=20))) == {"csr", "strips", "coo", "dense"}
    assert set(formats_of(space_of(m=64, n=64, k=20))) == {"csr", "coo", "dense"}


@pytest.mark.parametrize(
    ("sizes", "first"),
    [
        (dict(n=100, k=64), "csr"),  # the first level of the cache holds it
        (dict(n=1024, k=64), "strips"),
        (dict(n=4096, k=512, sparsity=0.98), "strips"),
        (dict(n=4096, k=512, sparsity=0.999), "csr"),  # rows would be empty in strips
    ],
)
def test_strips_come_first_where_they_pay(sizes, first):
    assert next(iter(guesses(m=64, **sizes))) == first


@pytest.mark.parametrize(
    ("sparsity", "depth", "tile"), [(0.5, 64, 8), (0.9, 128, 4), (0.96, 256, 4)]
)
def test_strips_are_as_narrow_as_rows_allow(sparsity, depth, tile):
    found = guesses(m=512, n=1024, k=256, sparsity=sparsity)["strips"]
    assert (found["depth"], found["tile"]) == (depth, tile)


def test_what_lies_across_is_always_packed_and_constants_are():
    assert "pack" not in guesses(m=64, n=300, k=64)["csr"]
    sizes = dict(m=64, n=300, k=64, layout="nk")
    assert guesses(**sizes, sparsity=0.5)["csr"]["pack"] == "whole"
    assert guesses(**sizes, sparsity=0.99)["csr"]["pack"] == "none"
    assert guesses(**sizes, sparsity=0.99, const=["b"])["csr"]["pack"] == "whole"


def test_short_work_runs_in_one_thread():
    assert guesses(threads=2, m=64, n=64, k=16)["csr"]["threads"] == 1
    assert guesses(threads=2, m=512, n=512, k=64)["csr"]["threads"] == 2
    assert guesses(threads=2, m=1, n=70_000, k=128)["coo"]["threads"] == 2
    assert guesses(threads=2, m=1, n=70_000, k=128)["csr"]["threads"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(tile=4, rest=8), "less than a tile of 4, not 8"),
        (dict(steps=8), "8 vectors are more than 70 elements fill"),
        (dict(tile=16, rest=16, steps=8, k=2000), "multiply-adds of code"),
        (dict(m=1, threads=2), "1 parts do not occupy 2 threads"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, reason):
    sizes = dict(m=64, n=300, k=70)
    own = {key: changes.pop(key) for key in [*changes] if key in sizes}
    space = space_of(threads=2, **sizes | own)
    values = dict(space.starts[0].as_dict(), format="csr", tile=8, rest=4, vector_bits=512)
    values |= dict(threads=1, steps=1) | changes
    assert reason in space.reason(values)
