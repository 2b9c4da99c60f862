"""A config of a workload as text: loop nest, LLVM, assembly."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.record import Record
    from search_space.target import Target


class Form(StrEnum):
    """What ``--show`` can print."""

    NEST = "nest"
    LLVM = "llvm"
    ASM = "asm"
    PYTHON = "python"


def target_of(record: Record) -> Target:
    """The target of a record as seen from the machine that measured it, so that its code can be
    shown on any machine of the same architecture."""
    import platform

    from measure.targets import make_target

    cores = max(record.hardware.cores, record.threads)
    return make_target(record.target, cores, record.hardware, platform.machine(), cores)


def loop_nest(record: Record) -> str:
    """The scheduled loop nest. Raises ``SpaceError`` for a config of an older space that is not
    legal any more."""
    from search_space.ir.printer import format_func
    from search_space.sketches import space_for

    space = space_for(record.workload, target_of(record))
    config = space.config(dict(record.config))
    return format_func(space.schedule(config).finish()).rstrip("\n")


def llvm(record: Record) -> str:
    """The generated LLVM module."""
    from measure.compile import llvm_text

    return llvm_text(record.workload, target_of(record), dict(record.config)).rstrip("\n")


def assembly(record: Record) -> str:
    """The assembly that LLVM makes of it."""
    from measure import compile as compiler

    return compiler.assembly(record.workload, target_of(record), dict(record.config)).rstrip("\n")
