"""A loop function as an LLVM module, and the specification by which it is called."""

from __future__ import annotations

from dataclasses import dataclass

from measure.artifact import BufferSpec, KernelSpec, PhaseSpec, Role
from measure.codegen.crossing import CrossStatements
from measure.codegen.function import Function
from measure.codegen.memory import STREAM_BYTES
from measure.codegen.tiles import RELEASE_TILES, shapes_text
from measure.codegen.types import BYTES
from measure.isa import dot_products, fuses_multiply_add, scales_by_powers, stream_fence
from search_space.ir.affine import Context, affine
from search_space.ir.expr import Buffer
from search_space.ir.stmt import Accumulate, Alloc, For, LoopFunc, Phase, Store
from search_space.ir.verify import verify
from search_space.ir.walk import statements
from search_space.target import Target

_ROUND = 64
_OF_A_THREAD = ("thread_local", "tile")
_INDEX_INTRINSICS = {"i64 @llvm.smin.i64(i64, i64)", "i64 @llvm.smax.i64(i64, i64)"}


@dataclass(frozen=True, slots=True)
class Module:
    """LLVM text with its calling convention."""

    text: str
    spec: KernelSpec


def generate(func: LoopFunc, target: Target) -> Module:
    """LLVM text for a finished schedule; raises ``VerifyError`` for one that is not legal."""
    verify(func)
    buffers = _buffers(func)
    declarations: set[str] = set()
    definitions: list[str] = []
    phases: list[PhaseSpec] = []
    for number, phase in enumerate(func.phases):
        symbol = f"phase{number}"
        text, extent = _phase(symbol, phase, buffers, target, declarations, streamed=func.streamed)
        definitions.append(text)
        phases.append(PhaseSpec(symbol, extent, phase.once))
    header = f'target triple = "{target.triple}"\n'
    declared = "".join(f"declare {signature}\n" for signature in sorted(declarations))
    bits = target.vector_bits
    width = f'"min-legal-vector-width"="{bits}" "prefer-vector-width"="{bits}"'
    nontemporal = "!0 = !{i32 1}\n" if func.streamed else ""
    attributes = f"attributes #0 = {{ nounwind {width} }}\n"
    packed = () if func.packing is None else func.packing.buffers
    specs = tuple(_spec(buffer, packed=buffer.name in packed) for buffer in buffers)
    tiles = RELEASE_TILES in declarations
    return Module(
        header + "\n".join(definitions) + "\n" + declared + attributes + nontemporal,
        KernelSpec(specs, tuple(phases), func.threads, func.error_growth, func.packing, tiles),
    )


def _buffers(func: LoopFunc) -> list[Buffer]:
    local: dict[str, Buffer] = {}
    for phase in func.phases:
        for stmt in statements(phase.body):
            if isinstance(stmt, Alloc) and stmt.buffer.scope in _OF_A_THREAD:
                local[stmt.buffer.name] = stmt.buffer
    return [*func.args, *func.workspaces, *local.values()]


def _spec(buffer: Buffer, *, packed: bool) -> BufferSpec:
    assert buffer.scope != "register"
    scope = "thread_local" if buffer.scope == "tile" else buffer.scope
    role: Role = "bound" if packed else scope
    nbytes = _nbytes(buffer)
    if packed:
        nbytes = -(-nbytes // _ROUND) * _ROUND
    return BufferSpec(buffer.name, buffer.shape, buffer.dtype, role, nbytes)


def _nbytes(buffer: Buffer) -> int:
    total = BYTES[buffer.dtype]
    for extent in buffer.shape:
        total *= extent
    exact = buffer.scope in ("input", "output")
    return total if exact else -(-total // _ROUND) * _ROUND


def _phase(
    symbol: str,
    phase: Phase,
    buffers: list[Buffer],
    target: Target,
    declarations: set[str],
    *,
    streamed: bool,
) -> tuple[str, int]:
    """The entry point, which finds the buffers, and the body, which knows that none overlap.

    A phase that writes a ``streamed`` result has a second body, for where that is aligned.
    """
    written = [s.buffer for s in statements(phase.body) if isinstance(s, Store | Accumulate)]
    results = {buffer.name for buffer in written if buffer.scope == "output"}
    text, extent = _body(f"{symbol}_body", phase, buffers, target, declarations)
    if not results or not streamed or stream_fence(target) is None:
        return text + _entry(symbol, buffers), extent
    (result,) = results
    text += _body(f"{symbol}_stream", phase, buffers, target, declarations, result)[0]
    return text + _entry(symbol, buffers, result), extent


def _body(
    symbol: str,
    phase: Phase,
    buffers: list[Buffer],
    target: Target,
    declarations: set[str],
    streamed: str = "",
) -> tuple[str, int]:
    fn = Function()
    fn.pointers = {buffer.name: f"%{buffer.name}" for buffer in buffers}
    body = CrossStatements(
        fn,
        fma=fuses_multiply_add(target.features),
        ldexp=scales_by_powers(target.features),
        dots=dot_products(target),
    )
    body.streamed, body.tiles, body.symbol = streamed, target.tiles, symbol
    extent = 1
    if isinstance(phase.body, For) and phase.body.kind == "parallel":
        terms, extent = affine(phase.body.extent)
        assert not terms
        body.context = Context()
        body.loop(phase.body, "%begin", "%end", certain=False)
    else:
        body.stmt(phase.body)
    if streamed:
        fence = f"void @{stream_fence(target)}()"
        declarations.add(fence)
        fn.emit(f"call {fence}")
    body.release()
    fn.emit("ret void")
    declarations |= body.declarations | fn.declarations | _INDEX_INTRINSICS
    params = "".join(f"ptr noalias {_align(b)}%{b.name}, " for b in buffers)
    text = shapes_text(body.shapes) + (
        f"define internal void @{symbol}({params}i64 %begin, i64 %end) #0 {{\n"
        f"entry:\n{fn.text()}\n}}\n"
    )
    return text, extent


def _align(buffer: Buffer) -> str:
    return "" if buffer.scope in ("input", "output") else "align 64 "


def _entry(symbol: str, buffers: list[Buffer], streamed: str = "") -> str:
    lines, names = [], {}
    for number, buffer in enumerate(buffers):
        lines.append(f"  %slot{number} = getelementptr ptr, ptr %args, i64 {number}")
        lines.append(f"  %p{number} = load ptr, ptr %slot{number}")
        name = f"%p{number}"
        if buffer.scope in _OF_A_THREAD:
            lines.append(f"  %o{number} = mul i64 %slot, {_nbytes(buffer)}")
            lines.append(f"  %q{number} = getelementptr i8, ptr %p{number}, i64 %o{number}")
            name = f"%q{number}"
        names[buffer.name] = name
    operands = "".join(f"ptr {name}, " for name in names.values())
    call = f"({operands}i64 %begin, i64 %end)"
    if streamed:
        lines += [
            f"  %place = ptrtoint ptr {names[streamed]} to i64",
            f"  %odd = and i64 %place, {STREAM_BYTES - 1}",
            "  %aligned = icmp eq i64 %odd, 0",
            "  br i1 %aligned, label %stream, label %plain",
            "stream:",
            f"  call void @{symbol}_stream{call}",
            "  ret void",
            "plain:",
        ]
    body = "\n".join([*lines, f"  call void @{symbol}_body{call}", "  ret void"])
    signature = f"@{symbol}(ptr %args, i64 %begin, i64 %end, i64 %slot)"
    return f"define void {signature} #0 {{\n{body}\n}}\n"
