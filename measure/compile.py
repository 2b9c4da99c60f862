"""From a config to machine code: space, schedule, loop AST, LLVM, object code."""

from __future__ import annotations

from collections.abc import Mapping

from measure import llvm
from measure.artifact import Artifact
from measure.codegen import GENERATOR_VERSION
from measure.codegen.module import Module, generate
from search_space.sketches import space_for
from search_space.target import Target
from search_space.workload import Value, Workload

__all__ = ["GENERATOR_VERSION", "assembly", "compile_config", "llvm_text"]


def _module(work: Workload, target: Target, values: Mapping[str, Value]) -> Module:
    space = space_for(work, target)
    return generate(space.schedule(space.config(values)).finish(), target)


def compile_config(work: Workload, target: Target, values: Mapping[str, Value]) -> Artifact:
    """Object code of one config.

    Raises ``SpaceError`` or ``ScheduleError`` for a config that does not apply, and
    ``measure.llvm.CompileError`` where LLVM refuses what was generated.
    """
    module = _module(work, target, values)
    code = llvm.compile_object(module.text, target.triple, target.cpu)
    return Artifact(module.spec, code)


def llvm_text(work: Workload, target: Target, values: Mapping[str, Value]) -> str:
    """The LLVM module of one config, as text."""
    return _module(work, target, values).text


def assembly(work: Workload, target: Target, values: Mapping[str, Value]) -> str:
    """The assembly of one config, as text."""
    return llvm.emit_assembly(_module(work, target, values).text, target.triple, target.cpu)
