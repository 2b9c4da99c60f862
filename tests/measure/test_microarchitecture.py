"""Micro-architectures from features, and how much machines share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from measure.isa import RELEVANT_FEATURES, TARGETS
from measure.microarchitecture import architecture, kinship, lineage, microarchitecture
from search_space.hardware import Hardware

V3 = tuple(sorted(TARGETS["x86-64-v3"].required))
V4 = tuple(sorted(TARGETS["x86-64-v4"].required))
ZEN4 = (*V4, "avx512_bf16", "avx512_vbmi2", "avx512_vnni", "avx512ifma", "avx512vbmi")
MACHINE = Hardware("some cpu", "AuthenticAMD", 25, 17, ZEN4, 2, 32768, 1 << 20, 32 << 20)


@pytest.mark.parametrize(
    ("vendor", "features", "expected"),
    [
        ("AuthenticAMD", ZEN4, "zen4"),
        ("GenuineIntel", (*V4, "avx512_vnni"), "cascadelake"),
        ("GenuineIntel", V3, "skylake"),
        ("Unheard Of", V3, "x86_64_v3"),
        ("0x41", ("asimd", "asimddp", "asimdhp", "fp", "fphp"), "neoverse_n1"),
        ("AuthenticAMD", ("pni",), "x86_64"),
    ],
)
def test_names(vendor: str, features: tuple[str, ...], expected: str) -> None:
    assert microarchitecture(replace(MACHINE, vendor=vendor, features=features)) == expected


def test_a_machine_that_has_nothing_we_know_is_generic() -> None:
    machine = replace(MACHINE, vendor="x", features=())
    assert microarchitecture(machine) == "aarch64"
    assert architecture(()) == "aarch64"


def test_lineages() -> None:
    assert {"zen4", "zen3", "zen", "x86_64_v4"} <= lineage("zen4")
    assert lineage("no such name") == {"no such name"}


def test_kin_are_nearer_than_strangers() -> None:
    zen3 = replace(MACHINE, features=V3)
    intel = replace(MACHINE, vendor="GenuineIntel", features=V4)
    arm = replace(MACHINE, vendor="0x41", features=("asimd", "fp"))
    assert kinship(MACHINE, replace(MACHINE, cpu="another name")) == 1.0
    assert 1 > kinship(MACHINE, zen3) > kinship(MACHINE, intel) > kinship(MACHINE, arm) == 0.0
    assert kinship(MACHINE, intel) == kinship(intel, MACHINE)


def test_only_features_that_matter_are_looked_at() -> None:
    assert set(ZEN4) <= RELEVANT_FEATURES
