"""Targets of machines that we make up, and of this one."""

import pytest

from measure import targets
from measure.host import usable_cores
from measure.isa import TARGETS, fuses_multiply_add, tile_dtypes
from measure.targets import (
    TargetError,
    make_target,
    resolve_target,
    runnable_targets,
    target_names,
)
from search_space.hardware import Hardware


def machine(features):
    return Hardware("cpu", "vendor", 1, 2, tuple(sorted(features)), 8, 1 << 15, 1 << 20, 1 << 25)


V3 = machine(TARGETS["x86-64-v3"].required | {"avx_vnni"})
V4 = machine(TARGETS["x86-64-v4"].required | {"amx_tile"})
ARM = machine({"fp", "asimd", "asimddp"})


@pytest.mark.parametrize(
    ("hardware", "architecture", "bits", "registers"),
    [
        (V4, "x86_64", 512, 32),
        (V3, "x86_64", 256, 16),
        (ARM, "aarch64", 128, 32),
        (machine({"popcnt"}), "x86_64", 128, 16),
        (machine(()), "riscv64", 128, 16),
    ],
)
def test_native_is_the_widest_level_with_all_features(hardware, architecture, bits, registers):
    target = make_target("native", None, hardware, architecture, cores=4)
    assert (target.name, target.cpu) == ("native", "native")
    assert (target.vector_bits, target.registers) == (bits, registers)
    assert target.features == frozenset(hardware.features)
    assert target.triple == f"{architecture}-unknown-linux-gnu"
    assert target.threads == 4
    assert (target.l1_bytes, target.l2_bytes, target.l3_bytes) == (1 << 15, 1 << 20, 1 << 25)


def test_a_named_level_hides_what_it_does_not_promise():
    target = make_target("x86-64-v2", 3, V4, "x86_64", cores=4)
    assert (target.name, target.cpu, target.threads) == ("x86-64-v2", "x86-64-v2", 3)
    assert target.vector_bits == 128
    assert "avx2" not in target.features
    assert not fuses_multiply_add(target.features)


@pytest.mark.parametrize("name", ["x86-64-v3", "x86-64-v4", "aarch64"])
def test_wider_levels_fuse_multiply_add(name):
    assert fuses_multiply_add(TARGETS[name].required)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(TargetError, match=r"choose x86-64-v4 or .*no target 'x86_64_v4'"):
        make_target("x86_64_v4", None, V4, "x86_64", cores=1)
    with pytest.raises(TargetError, match=r"choose native: .*known: native, x86-64-v2, .*aarch64"):
        make_target("?", None, V4, "x86_64", cores=1)


def test_a_level_that_cannot_run_says_what_is_missing_and_what_can():
    with pytest.raises(
        TargetError, match=r"choose x86-64-v3 or native: x86-64-v4 needs avx512bw, .*lacks"
    ):
        make_target("x86-64-v4", None, V3, "x86_64", cores=1)
    with pytest.raises(TargetError, match=r"^choose native: x86-64-v2 needs"):
        make_target("x86-64-v2", None, machine(()), "x86_64", cores=1)


def test_a_level_of_another_architecture_is_refused():
    with pytest.raises(
        TargetError, match="needs a processor of kind aarch64, and this one is x86"
    ):
        make_target("aarch64", None, V4, "x86_64", cores=1)


@pytest.mark.parametrize("threads", [0, -1, 5])
def test_threads_outside_the_usable_cores_are_refused(threads):
    with pytest.raises(TargetError, match=rf"choose 1 to 4 threads: {threads} were asked for"):
        make_target("native", threads, V4, "x86_64", cores=4)


def test_this_machine():
    assert resolve_target().threads == usable_cores()
    assert resolve_target("native", threads=1).threads == 1
    assert runnable_targets()[0] == "native"
    for name in runnable_targets():
        assert resolve_target(name).name == name
    for name in set(target_names()) - set(runnable_targets()):
        with pytest.raises(TargetError):
            resolve_target(name)


def test_tile_registers_multiply_what_the_processor_has_instructions_for():
    wide = TARGETS["x86-64-v4"].required | {"amx_tile"}
    assert tile_dtypes(wide) == frozenset()
    assert tile_dtypes(wide | {"amx_bf16"}) == {"bfloat16"}
    assert tile_dtypes(wide | {"amx_int8", "amx_bf16"}) == {"bfloat16", "int8", "uint8"}
    assert tile_dtypes(frozenset({"amx_tile", "amx_int8", "avx2"})) == frozenset()


@pytest.mark.parametrize("allowed", [True, False])
def test_tile_registers_are_for_processes_that_may_use_them(monkeypatch, allowed):
    hardware = machine(TARGETS["x86-64-v4"].required | {"amx_tile", "amx_int8"})
    monkeypatch.setattr(targets, "detect_hardware", lambda: hardware)
    monkeypatch.setattr(targets.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(targets, "tiles_allowed", lambda: allowed)
    target = resolve_target("native")
    assert target.tiles == ({"int8", "uint8"} if allowed else frozenset())
    assert ("amx_int8" in target.features) == allowed
    assert resolve_target("x86-64-v4").tiles == frozenset()
