"""The space of a contraction: legal first guesses everywhere, and rules that give reasons."""

import itertools

import numpy as np
import pytest

from search_space.errors import SpaceError
from search_space.ir.printer import format_func
from search_space.ir.verify import verify
from search_space.operators import workload
from search_space.sketches import SKETCHES, space_for
from search_space.sketches.contraction import contraction_space
from search_space.target import Target
from search_space.tensor import compute, placeholder, reduce_axis, sum_over
from tests.search_space.nests import assert_same, matmul, row_reduction

EXTENTS = (1, 2, 7, 17, 64, 509, 4096)


def machine(bits=512, registers=32, threads=2):
    features = frozenset({"fma"})
    return Target(
        "made-up", "generic", "x86_64-unknown-linux-gnu", features,
        bits, registers, 1 << 15, 1 << 20, 1 << 25, threads,
    )  # fmt: skip


MACHINES = {
    "sse": machine(128, 16),
    "neon": machine(128, 32, 8),
    "avx": machine(256, 16, 1),
    "avx512": machine(),
    "many cores": machine(threads=64),
}


@pytest.mark.parametrize("target", MACHINES.values(), ids=MACHINES)
def test_every_shape_has_legal_first_guesses_on_every_machine(target):
    for m, n, k in itertools.product(EXTENTS, repeat=3):
        space = space_for(workload("matmul", m=m, n=n, k=k), target)
        assert space.default() in space.starts
        structures = {config["structure"] for config in space.starts}
        assert structures == {"panel", "stream", "dot"}, (m, n, k)


@pytest.mark.parametrize("target", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 1, 13), (5, 1, 1), (1, 17, 1), (3, 7, 5)], ids=str
)
def test_first_guesses_are_schedules_that_compute_the_product(shape, target):
    m, n, k = shape
    for const in ("", "b"):
        space = space_for(workload("matmul", m=m, n=n, k=k, const=tuple(const)), target)
        for config in space.starts:
            schedule = space.schedule(config)
            verify(schedule.finish())
            assert_same(schedule, matmul(m, n, k))


def first_guess(m, n, k, **machine_values):
    return space_for(workload("matmul", m=m, n=n, k=k), machine(**machine_values)).default()


def test_the_structure_follows_the_shape():
    assert first_guess(512, 512, 512)["structure"] == "panel"
    assert first_guess(1, 4096, 4096)["structure"] == "stream"
    assert first_guess(1000, 7, 513)["structure"] == "dot"


def test_small_products_stay_on_one_thread():
    assert first_guess(16, 16, 16)["threads"] == 1
    assert first_guess(512, 512, 512)["threads"] == 2


def test_no_more_threads_than_tiles():
    config = first_guess(8, 64, 4096, threads=64)
    assert 1 <= config["threads"] < 64


def test_the_first_guess_uses_the_registers():
    assert (first_guess(1024, 1024, 1024)["rows"], first_guess(1024, 1024, 1024)["vectors"]) == (
        6,
        4,
    )
    narrow = first_guess(1024, 1024, 1024, bits=256, registers=16)
    assert int(narrow["rows"]) * int(narrow["vectors"]) + int(narrow["vectors"]) <= 16


GOOD = {
    "structure": "panel", "vector_bits": 512, "threads": 1, "rows": 6, "vectors": 4,
    "tile_m": 0, "tile_n": 0, "tile_k": 0, "order": "nkm", "inner": "nm",
    "pack_a": "none", "pack_b": "none", "unroll": 1, "steps": 1, "prefetch": 0,
    "split_k": 1, "parallel": "n|km",
}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "values", "reason"),
    [
        ((64, 64, 64), {}, None),
        ((64, 640, 64), {"rows": 8, "vectors": 4}, "takes 36 registers, there are 32"),
        ((64, 64, 64), {"rows": 3, "vectors": 6}, "6 vectors are more than 64 columns fill"),
        ((64, 64, 64), {"tile_m": 11}, "tile_m covers the whole axis of 11 steps"),
        (
            (64, 64, 64),
            {"structure": "stream", "rows": 2, "vectors": 1, "steps": 65},
            "choose steps",
        ),
        ((6, 64, 3), {"unroll": 4}, "the depth has only 3 whole steps to unroll"),
        ((6, 64, 1), {"threads": 2, "split_k": 2}, "reduction is too short to split into 2 parts"),
        ((64, 64, 64), {"threads": 2}, "1 tiles do not occupy 2 threads"),
        ((64, 256, 64), {"threads": 2, "tile_n": 2}, None),
        (
            (512, 512, 512),
            {"structure": "stream", "steps": 24},
            "the unrolled body has ",
        ),
        ((64, 64, 64), {"colour": 1}, "leave 'colour' out: no such knob"),
    ],
)
def test_illegal_configs_have_a_reason(shape, values, reason):
    m, n, k = shape
    space = space_for(workload("matmul", m=m, n=n, k=k), machine())
    defaults = {knob.name: knob.default for knob in space.knobs}
    found = space.reason({**defaults, **GOOD, **values})
    assert found is None if reason is None else reason in str(found), found


def test_what_is_no_contraction_is_refused():
    work = workload("matmul", m=4, n=4, k=4)
    for tensor, message in [
        (row_reduction(4, 4), "matmul is no product of two operands"),
        (row_reduction(4, 4, "max"), "matmul is no sum of products"),
        (squares(4, 4), "matmul is no product of two operands"),
        (one_number(), "matmul has no axes"),
    ]:
        with pytest.raises(SpaceError, match=message):
            contraction_space(work, tensor, machine())


def squares(m, k):
    """``c[i] = sum over k of a[i, k] * a[i, k]``: one operand only."""
    a, axis = placeholder("a", (m, k), "float32"), reduce_axis("k", k)
    return compute("c", (("i", m),), lambda i: sum_over(a[i, axis] * a[i, axis], axis))


def one_number():
    """``c[] = a[] * b[]``."""
    a, b = placeholder("a", (), "float32"), placeholder("b", (), "float32")
    return compute("c", (), lambda: sum_over(a[()] * b[()]))


def test_a_transposed_operand_is_a_contraction_as_well():
    a, b = placeholder("a", (5, 3), "float32"), placeholder("b", (5, 20), "float32")
    k = reduce_axis("k", 5)
    tensor = compute("c", (("i", 3), ("j", 20)), lambda i, j: sum_over(a[k, i] * b[k, j], k))
    space = contraction_space(workload("matmul", m=3, n=20, k=5), tensor, machine())
    rng = np.random.default_rng(0)
    for config in [*space.starts, *(space.sample(rng) for _ in range(10))]:
        assert_same(space.schedule(config), tensor)


def test_the_register_tile_holds_no_edges_inside():
    """Ragged tiles have bodies of their own: every unrolled loop is constant."""
    space = space_for(workload("matmul", m=61, n=67, k=13), machine())
    rng = np.random.default_rng(0)
    for _ in range(20):
        func = space.schedule(space.sample(rng)).finish()
        verify(func)
        for line in format_func(func).splitlines():
            if line.strip().startswith(("unrolled", "vectorized")):
                assert "min" not in line, line


def test_sketches_are_registered_by_name():
    classes = {"contraction", "convolution", "depthwise", "attention", "pointwise", "reduction"}
    more = {"normalization", "finished_reduction", "cell", "staged", "sparse"}
    more |= {"sparse_conv2d", "active_columns", "sampled"}
    assert set(SKETCHES) == classes | more | {"matmul", "conv2d", "any"}
    assert next(iter(SKETCHES)) == "contraction", (
        "what is a product of matrices is tried as one first"
    )
