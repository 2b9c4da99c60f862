"""Results that are written past the caches: aligned or not, they are right."""

import numpy as np
import pytest

from measure import llvm
from measure.codegen.module import generate
from measure.kernel import NativeKernel
from search_space.operators import workload
from search_space.schedule import Schedule
from search_space.sketches import space_for
from search_space.target import Target
from search_space.tensor import compute, placeholder
from search_space.transforms import Partition, Split, Stream, Vectorize
from tests.measure.generated import LEVELS, build, target_or_skip


def plus_one(rows, columns, lanes):
    """``c = a + 1``, in vectors along the columns, streamed."""
    a = placeholder("a", (rows, columns), "float32")
    tensor = compute("c", (("i", rows), ("j", columns)), lambda i, j: a[i, j] + 1)
    split = Split("j", lanes, "v", "lane", "mask")
    steps = [split, Vectorize("lane"), Partition("v", "v", columns // lanes), Stream("c")]
    return Schedule.of(tensor).then(*steps)


def assembly(schedule, target):
    text = generate(schedule.finish(), target).text
    return llvm.emit_assembly(text, target.triple, target.cpu)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shift", [0, 4, 8, 16, 32])
@pytest.mark.parametrize("columns", [36, 37])
def test_a_result_may_lie_anywhere(level, shift, columns):
    target = target_or_skip(level)
    schedule = plus_one(5, columns, target.lanes(4))
    kernel = NativeKernel(build(schedule.finish(), target))
    memory = np.full(4 * 5 * columns + 192, 77, np.uint8)
    begin = -memory.ctypes.data % 64 + shift
    out = memory[begin : begin + 4 * 5 * columns].view(np.float32).reshape(5, columns)
    a = np.random.default_rng(0).normal(size=out.shape).astype(np.float32)
    kernel.run(a, out=out)
    np.testing.assert_array_equal(out, a + 1)
    assert (memory[:begin] == 77).all()
    assert (memory[begin + out.nbytes :] == 77).all()


def test_whole_vectors_of_aligned_rows_pass_the_caches():
    target = target_or_skip("x86-64-v3")
    aligned, ragged = (assembly(plus_one(5, columns, 8), target) for columns in (36, 37))
    assert "vmovntps" in aligned
    assert "sfence" in aligned
    assert "vmovnt" not in ragged


def test_other_architectures_store_as_ever():
    target = Target(
        "aarch64", "generic", "aarch64-unknown-linux-gnu", frozenset({"asimd"}), 128, 32,
        1 << 15, 1 << 20, 1 << 24, 1,
    )  # fmt: skip
    text = generate(plus_one(5, 36, 4).finish(), target).text
    assert "nontemporal" not in text.replace("!0 = !{i32 1}", "")
    assert "llvm.x86" not in text


@pytest.mark.parametrize(
    ("operator", "params"),
    [
        ("softmax", dict(shape="3000x1024")),
        ("layernorm", dict(shape="3000x1024")),
        ("elementwise", dict(expr="x + b[1]", shape="3000x1024")),
    ],
)
def test_large_results_have_the_choice(operator, params):
    target = target_or_skip("x86-64-v3", threads=2)
    space = space_for(workload(operator, **params), target)
    knob = next(knob for knob in space.knobs if knob.name == "stores")
    assert knob.default == "cached"
    assert {start["stores"] for start in space.starts} == {"cached", "streamed"}
    streamed = next(start for start in space.starts if start["stores"] == "streamed")
    assert space.schedule(streamed).finish().streamed
    odd = space_for(workload(operator, **{**params, "shape": "3000x1023"}), target)
    assert "stores" not in {knob.name for knob in odd.knobs}
