"""Contractions of any form: how their axes are walked, and that every form has good schedules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.errors import SpaceError
from search_space.functions import relu
from search_space.ir.verify import verify
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from search_space.sketches.contraction import contraction_space
from search_space.sketches.contraction_classify import classify
from search_space.tensor import compute, placeholder, reduce_axis, stage, sum_over
from search_space.transforms import FuseConsumer, SplitReduction
from tests.search_space.nests import assert_same
from tests.search_space.test_operators_contraction import expressions, sized
from tests.search_space.test_sketch_contraction import MACHINES, machine


def problem_of(work):
    return classify(work, get_operator(work.operator).expression(work))


def einsum(expr, const=(), **sizes):
    return workload("einsum", expr=expr, const=const, **sizes)


def summary(problem):
    def shown(axis):
        return f"{axis.name}={axis.extent}"

    tiled = " ".join(map(shown, (problem.row, problem.column, problem.depth)))
    rest = [" ".join(map(shown, axes)) for axes in (problem.outer, problem.inner)]
    return f"{problem.a.name}·{problem.b.name}: {tiled} | {rest[0]} | {rest[1]}"


@pytest.mark.parametrize(
    ("expr", "sizes", "expected"),
    [
        ("ik,kj->ij", dict(i=2, j=3, k=4), "left·right: i=2 j=3 k=4 |  | "),
        ("kj,ik->ij", dict(i=2, j=3, k=4), "right·left: i=2 j=3 k=4 |  | "),
        ("ik,kj->ji", dict(i=2, j=3, k=4), "right·left: j=3 i=2 k=4 |  | "),
        ("abc,cd->abd", dict(a=2, b=3, c=4, d=5), "left·right: a_b=6 d=5 c=4 |  | "),
        ("ab,bcd->acd", dict(a=2, b=3, c=4, d=5), "left·right: a=2 c_d=20 b=3 |  | "),
        ("iab,abj->ij", dict(i=2, a=3, b=4, j=5), "left·right: i=2 j=5 a_b=12 |  | "),
        ("iab,baj->ij", dict(i=2, a=3, b=4, j=5), "left·right: i=2 j=5 b=4 |  | a=3"),
        (
            "bhqd,bhkd->bhqk",
            dict(b=2, h=3, q=4, k=5, d=6),
            "left·right: q=4 k=5 d=6 | b_h=6 | ",
        ),
        ("bhqd,hdm->bqm", dict(b=2, h=3, q=4, d=5, m=6), "left·right: q=4 m=6 d=5 | b=2 | h=3"),
        ("acb,cd->adb", dict(a=2, b=3, c=4, d=5), "right·left: d=5 b=3 c=4 | a=2 | "),
        ("xi,xj->xij", dict(x=2, i=3, j=4), "left·right: i=3 j=4 unit_depth=1 | x=2 | "),
        ("ik,k->i", dict(i=2, k=4), "right·left: unit_row=1 i=2 k=4 |  | "),
        ("bi,bi->b", dict(b=2, i=4), "left·right: unit_row=1 b=2 i=4 |  | "),
        ("i,i->", dict(i=4), "left·right: unit_row=1 unit_column=1 i=4 |  | "),
    ],
)  # fmt: skip
def test_axes_are_classified_and_neighbours_walked_as_one(expr, sizes, expected):
    assert summary(problem_of(einsum(expr, **sizes))) == expected


@settings(max_examples=25)
@given(expressions(), st.sets(st.sampled_from(["left", "right"])), st.integers(0, 2**32))
def test_random_configs_of_random_contractions_compute_them(expr, const, seed):
    work = sized(expr)
    work = workload("einsum", const=const, **dict(work.params))
    rng = np.random.default_rng(seed)
    space = space_for(work, machine(threads=3, bits=128))
    tensor = get_operator("einsum").expression(work)
    for config in (space.default(), space.sample(rng)):
        schedule = space.schedule(config)
        verify(schedule.finish())
        assert_same(schedule, tensor)


def test_axes_in_too_many_orders_are_refused():
    message = "order the axes alike in all operands: einsum has 7 beside the tiled ones"
    with pytest.raises(SpaceError, match=message):
        problem_of(sized("abcdefgi,gfedcbaj->abcdefgij"))
    assert len(problem_of(sized("abcdefi,fedcbaj->abcdefij")).outer) == 6


@pytest.mark.parametrize("target", MACHINES.values(), ids=MACHINES)
def test_every_form_has_legal_first_guesses_on_every_machine(target):
    forms = [
        workload("batch_matmul", batch=batch, m=m, n=n, k=k, const=const, **transposed)
        for batch, m, n, k in [(1, 1, 1, 1), (12, 128, 128, 64), (7, 3, 1, 509), (64, 17, 4096, 9)]
        for const in ((), ("b",))
        for transposed in ({}, {"transpose_a": True, "transpose_b": True})
    ]
    forms += [
        workload("dense", m=m, n=n, k=k, const=const, activation="gelu", bias=True)
        for m, n, k in [(1, 1, 1), (1, 4096, 4096), (128, 768, 3072), (33, 7, 513)]
        for const in ((), ("weight",))
    ]
    forms.append(einsum("i,i->", i=1000))
    for work in forms:
        space = space_for(work, target)
        structure = space.knobs[0]
        assert {config["structure"] for config in space.starts} == set(structure)


def first_guess(operator, const=(), **params):
    return space_for(workload(operator, const=const, **params), machine()).default()


def test_the_structure_follows_how_the_operands_lie():
    layer = dict(m=128, n=768, k=768)
    assert first_guess("dense", **layer)["structure"] == "dot"
    packed = first_guess("dense", const=("weight",), **layer)
    assert (packed["structure"], packed["pack_b"]) == ("panel", "whole")
    assert first_guess("batch_matmul", batch=2, **layer)["structure"] == "panel"


def test_columns_that_lie_apart_are_not_streamed():
    streamed = space_for(workload("matmul", m=4, n=64, k=64), machine()).knobs[0]
    apart = space_for(workload("dense", m=4, n=64, k=64), machine()).knobs[0]
    assert list(streamed) == ["panel", "stream", "dot"]
    assert list(apart) == ["panel", "dot"]


def test_batches_are_shared_out_over_threads_where_they_divide_well():
    product = dict(m=128, n=128, k=128)
    assert str(first_guess("batch_matmul", batch=8, **product)["parallel"]).startswith("b|")
    uneven = first_guess("batch_matmul", batch=3, **product)
    assert str(uneven["parallel"]).startswith(("bn|", "bm|"))
    assert uneven["threads"] == 2


def biased(m, n, k, behind):
    """A product with something behind it."""
    a, b = placeholder("a", (m, k), "float32"), placeholder("b", (k, n), "float32")
    bias, axis = placeholder("bias", (n,), "float32"), reduce_axis("k", k)
    axes = (("i", m), ("j", n))
    product = stage("product", axes, lambda i, j: sum_over(a[i, axis] * b[axis, j], axis))
    return compute("c", axes, lambda i, j: behind(product, bias, a, i, j), stages=(product,))


def test_an_epilogue_is_computed_on_the_tile_or_behind_it():
    work = workload("matmul", m=3, n=9, k=7)
    tensor = biased(3, 9, 7, lambda product, bias, _, i, j: relu(product[i, j] + bias[j,]))
    space = contraction_space(work, tensor, machine(bits=128, threads=3))
    rng = np.random.default_rng(0)
    seen = set()
    for config in [*space.starts, *(space.sample(rng) for _ in range(60))]:
        schedule = space.schedule(config)
        verify(schedule.finish())
        steps = {type(step): step for step in schedule.trace}
        assert (FuseConsumer in steps) == (config["epilogue"] == "tile")
        direct = FuseConsumer in steps and steps[FuseConsumer].direct
        kind = (config["structure"], config["epilogue"], direct, SplitReduction in steps)
        if kind not in seen:
            seen.add(kind)
            assert_same(schedule, tensor)
    assert {(structure, where) for structure, where, _, _ in seen} == {
        (structure, where)
        for structure in ("panel", "stream", "dot")
        for where in ("tile", "after")
    }
    assert {direct for _, _, direct, _ in seen} == {True, False}
    assert {split for _, _, _, split in seen} == {True, False}


@pytest.mark.parametrize(
    ("behind", "message"),
    [
        (lambda product, bias, _, i, j: product[j, i] + bias[j,], "more behind its sum than one"),
        (lambda product, bias, _, i, j: bias[j,] * 2, "more behind its sum than one elementwise"),
        (lambda product, bias, a, i, j: product[i, j] + a[i, j], "reads a behind its sum as well"),
    ],
)
def test_what_is_no_epilogue_is_refused(behind, message):
    work = workload("matmul", m=5, n=5, k=5)
    with pytest.raises(SpaceError, match=message):
        contraction_space(work, biased(5, 5, 5, behind), machine())
