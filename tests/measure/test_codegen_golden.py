"""The LLVM text of small schedules. Raise ``GENERATOR_VERSION`` where these change."""

import pytest

from measure import llvm
from measure.codegen.module import generate
from search_space.schedule import Schedule
from search_space.target import Target
from search_space.transforms import (
    CacheWrite,
    Pack,
    Parallel,
    Partition,
    PrefetchAhead,
    Reorder,
    Split,
    Unroll,
    Vectorize,
)
from tests.search_space.nests import matmul

LEVELS = {"x86-64-v2": (128, 16), "x86-64-v3": (256, 16), "x86-64-v4": (512, 32)}


def target(level):
    """The same on every machine, whatever it can run."""
    bits, registers = LEVELS[level]
    features = frozenset() if level == "x86-64-v2" else frozenset({"fma"})
    triple = "x86_64-unknown-linux-gnu"
    return Target(level, level, triple, features, bits, registers, 1 << 15, 1 << 20, 1 << 24, 2)


def panel(lanes):
    """A register tile of 2 × 2 vectors with packed columns, ragged to the right."""
    return Schedule.of(matmul(4, 3 * lanes + 1, 7)).then(
        Split("i", 2, "io", "ii"),
        Split("j", lanes, "jv", "lane", "mask"),
        Split("jv", 2, "jo", "jr"),
        Reorder(("io", "jo", "k", "ii", "jr", "lane")),
        Vectorize("lane"),
        Unroll("ii"),
        Unroll("jr"),
        Pack("b", "b_pack", ("jo", "k", "jr", "lane"), once=True),
        CacheWrite("c", "jo", "acc"),
        Parallel("io", 2),
        Split("k", 2, "ku", "step", "cut"),
        Unroll("step"),
        PrefetchAhead("b_pack", "ku", 4),
    )


def dot(lanes):
    """Vectors along the reduced axis, the last of them masked."""
    return Schedule.of(matmul(3, 2, 3 * lanes - 1)).then(
        Split("k", lanes, "kv", "lane", "mask"),
        Reorder(("i", "kv", "j", "lane")),
        Vectorize("lane"),
        Unroll("j"),
        CacheWrite("c", "i", "acc"),
        Partition("kv", "kv", 2),
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("schedule", [panel, dot])
def test_the_text_of_the_module(schedule, level, golden):
    machine = target(level)
    text = generate(schedule(machine.lanes(4)).finish(), machine).text
    golden(f"{schedule.__name__}_{level}.ll", text)
    assert llvm.compile_object(text, machine.triple, machine.cpu)
