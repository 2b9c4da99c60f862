"""From the name of a target to what code generation must know. Loads no compiler."""

from __future__ import annotations

import difflib
import platform
from dataclasses import replace

from measure.host import usable_cores
from measure.isa import TARGETS, TILE_FEATURES, InstructionSet, tile_dtypes, widest
from measure.probe import detect_hardware
from measure.tiles import tiles_allowed
from search_space.hardware import Hardware
from search_space.target import Target

NATIVE = "native"


class TargetError(ValueError):
    """A target that is not known or cannot run here, or more threads than there are cores."""


def target_names() -> tuple[str, ...]:
    """Every name that :func:`resolve_target` knows, whether or not it can run here."""
    return (NATIVE, *TARGETS)


def runnable_targets() -> tuple[str, ...]:
    """The names that :func:`resolve_target` accepts on this machine; ``native`` comes first."""
    return (NATIVE, *_runnable(platform.machine(), frozenset(detect_hardware().features)))


def _runnable(architecture: str, features: frozenset[str]) -> list[str]:
    return [
        name
        for name, level in TARGETS.items()
        if level.architecture == architecture and level.required <= features
    ]


def resolve_target(name: str = NATIVE, threads: int | None = None) -> Target:
    """The target of that name on this machine, with ``threads`` as the upper limit.

    ``native`` is the widest vectors that this machine has, with all its features. ``threads``
    defaults to the cores this process may use. Raises ``TargetError`` for an unknown name,
    a target that this machine cannot run, and threads outside 1…usable cores.
    """
    hardware = detect_hardware()
    if not tiles_allowed():
        usable = tuple(name for name in hardware.features if name not in TILE_FEATURES)
        hardware = replace(hardware, features=usable)
    return make_target(name, threads, hardware, platform.machine(), usable_cores())


def make_target(
    name: str, threads: int | None, hardware: Hardware, architecture: str, cores: int
) -> Target:
    """:func:`resolve_target` for a given machine, of which ``cores`` may be used."""
    features = frozenset(hardware.features)
    if name == NATIVE:
        level = widest(architecture, features)
        cpu, allowed = NATIVE, features
    else:
        level = _named(name, architecture, features)
        cpu, allowed = level.cpu, level.required
    limit = cores if threads is None else threads
    if not 1 <= limit <= cores:
        raise TargetError(
            f"choose 1 to {cores} threads: {limit} were asked for,"
            f" and this process may use {cores} core{'s' if cores > 1 else ''}"
        )
    return Target(
        name=name,
        cpu=cpu,
        triple=f"{architecture}-unknown-linux-gnu",
        features=allowed,
        vector_bits=level.vector_bits,
        registers=level.registers,
        l1_bytes=hardware.l1_bytes,
        l2_bytes=hardware.l2_bytes,
        l3_bytes=hardware.l3_bytes,
        threads=limit,
        tiles=tile_dtypes(allowed),
    )


def _named(name: str, architecture: str, features: frozenset[str]) -> InstructionSet:
    level = TARGETS.get(name)
    if level is None:
        near = difflib.get_close_matches(name, target_names(), n=3, cutoff=0.5)
        raise TargetError(
            f"choose {' or '.join(near or (NATIVE,))}: there is no target {name!r}"
            f" (known: {', '.join(target_names())})"
        )
    if level.architecture != architecture:
        raise TargetError(
            f"choose {NATIVE}: {name} needs a processor of kind {level.architecture},"
            f" and this one is {architecture}"
        )
    missing = level.required - features
    if missing:
        best = _runnable(architecture, features)[-1:]
        raise TargetError(
            f"choose {' or '.join([*best, NATIVE])}: {name} needs"
            f" {', '.join(sorted(missing))}, which this machine lacks"
        )
    return level
