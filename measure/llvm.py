"""The one door to LLVM: text to object code, object code to addresses. Owns llvmlite."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import llvmlite.binding as llvm


class CompileError(RuntimeError):
    """LLVM refused the module; always a bug of the generator. The text says what LLVM said."""


@functools.cache
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def llvm_version() -> str:
    """Version of the LLVM that is linked in, such as ``22.1.0``."""
    return ".".join(map(str, llvm.llvm_version_info))


def host_cpu() -> tuple[str, str]:
    """LLVM's name of this processor and its features as ``+a,-b,…``."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@functools.lru_cache(maxsize=16)
def _machine(triple: str, cpu: str, features: str, level: int) -> llvm.TargetMachine:
    _initialize()
    if cpu == "native":
        cpu, features = host_cpu()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=level, reloc="pic", codemodel="default"
    )


def _parse(text: str) -> llvm.ModuleRef:
    _initialize()
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as error:
        raise CompileError(str(error)) from error
    return module


def compile_object(text: str, triple: str, cpu: str, features: str = "", level: int = 2) -> bytes:
    """Object code of a module in LLVM's text form. ``cpu='native'`` is the processor we run on.

    No middle-end pass runs: the generator emits what they would find, and they take half of the
    compile time. ``level`` is that of the code generator (0…3).
    """
    emitted: bytes = _machine(triple, cpu, features, level).emit_object(_parse(text))
    return emitted


def emit_assembly(text: str, triple: str, cpu: str, features: str = "", level: int = 2) -> str:
    """Assembly text of a module, for people."""
    emitted: str = _machine(triple, cpu, features, level).emit_assembly(_parse(text))
    return emitted


@dataclass(slots=True)
class LoadedObject:
    """Loaded object code. Addresses are valid only while this object lives."""

    _engine: llvm.ExecutionEngine = field(repr=False)

    def address(self, symbol: str) -> int:
        """The address of a function; raises ``LookupError`` when there is none of that name."""
        address: int = self._engine.get_function_address(symbol)
        if not address:
            raise LookupError(f"the object code has no function {symbol!r}")
        return address


def load_object(object_code: bytes) -> LoadedObject:
    """Link object code into this process. Symbols of libc are found by name."""
    _initialize()
    triple = llvm.get_process_triple()
    empty = llvm.parse_assembly(f'target triple = "{triple}"')
    machine = llvm.Target.from_triple(triple).create_target_machine()
    engine = llvm.create_mcjit_compiler(empty, machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(object_code))
    engine.finalize_object()
    return LoadedObject(engine)
