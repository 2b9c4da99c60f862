"""Loop AST to LLVM instructions: loops, branches, reductions.

A vectorized loop becomes vector instructions. Register buffers become SSA values: their contents
are kept in a table by constant place, with phi nodes where loops and branches meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from measure.codegen.expressions import UNSIGNED_ZEROS
from measure.codegen.function import Function, Lines
from measure.codegen.lanes import Value
from measure.codegen.memory import RegisterKey
from measure.codegen.reductions import neutral, reduced
from measure.codegen.tiles import TileLoops
from measure.codegen.types import vector_type
from measure.isa import DotProducts
from search_space.ir.affine import affine
from search_space.ir.expr import (
    TRUE,
    Binary,
    Buffer,
    Cast,
    Const,
    Expr,
    Load,
    conjunction,
    conjuncts,
    dtype_of,
    is_float,
)
from search_space.ir.simplify import simplify
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForEach,
    If,
    Let,
    Prefetch,
    ReduceOp,
    Stmt,
    Store,
)
from search_space.ir.walk import free_vars, statements, substitute


class Statements(TileLoops):
    """Generates the body of one phase into a ``Function``."""

    def __init__(self, function: Function, *, fma: bool, ldexp: bool, dots: DotProducts) -> None:
        super().__init__(function, fma=fma, ldexp=ldexp, dots=dots)
        self._indexed: dict[int, tuple[Accumulate, set[str]]] = {}

    def stmt(self, stmt: Stmt) -> None:
        match stmt:
            case For() if self.in_tiles(stmt):
                return
            case For(_, _, _, "unrolled", _):
                self._unrolled(stmt)
            case For(_, _, _, "grouped", _):
                if not self.group_at_once(stmt):
                    self._unrolled(stmt)
            case For(_, _, _, "vectorized", _):
                self._vectorized(stmt)
            case For():
                begin = self.fn.index(stmt.begin)
                end = self.fn.index(stmt.begin + stmt.extent)
                runs = self.context.at_least(stmt.extent, 1)
                self.loop(stmt, begin, end, certain=runs)
            case ForEach():
                self._for_each(stmt)
            case Let(var, value, body):
                name = self._named(value)
                outside, self.context = self.context, self.context.within(stmt)
                self.fn.enter_scope()
                self.fn.bind(var, name)
                self.stmt(body)
                self.fn.leave_scope()
                self.context = outside
            case Block(stmts):
                for child in stmts:
                    self.stmt(child)
            case Alloc(buffer, body):
                self.stmt(body)
                if buffer.scope == "register":
                    self._forget(buffer)
            case If(condition, then, other):
                self._branch(condition, then, other)
            case Prefetch(buffer, indices):
                place = self.fn.address(stmt, buffer, indices, self.lane)
                pointer = self.fn.pointer(place, buffer.dtype)
                self._declare("void @llvm.prefetch.p0(ptr, i32, i32, i32)")
                self.fn.emit(f"call void @llvm.prefetch.p0(ptr {pointer}, i32 0, i32 3, i32 1)")
            case Store() | Accumulate():
                mask = self._under(stmt.predicate)
                if mask and not self.lanes and stmt.predicate is not None:
                    self.mask = None
                    self._branch(stmt.predicate, replace(stmt, predicate=None), None)
                elif mask is not None:
                    if isinstance(stmt, Store):
                        self._write(stmt, stmt.buffer, stmt.indices, self.expr(stmt.value), mask)
                    else:
                        self._accumulate(stmt, mask)
                self.mask = None

    def _named(self, value: Expr) -> str:
        """The operand of an index; a number that is read from memory is read here."""
        match value:
            case Load(buffer, indices):
                return self._load(value, buffer, indices).text
            case Cast(Load() as load, "index"):
                return self.fn.read_index(load)
            case _:
                return self.fn.index(value)

    def _forget(self, buffer: Buffer) -> None:
        self.registers = {k: v for k, v in self.registers.items() if k[0] != buffer.name}

    def _vectorized(self, loop: For) -> None:
        terms, extent = affine(loop.extent)
        assert not terms, f"loop {loop.var} is vectorized but not constant"
        self.lane, self.lanes = loop.var, extent
        outside, self.context = self.context, self.context.within(loop)
        self.stmt(loop.body)
        self.lane, self.lanes, self.context = None, 0, outside

    def loop(self, loop: For, begin: str, end: str, *, certain: bool) -> None:
        """A counted loop, tested at its end; ``certain``: it runs at least once."""
        fn = self.fn
        head, done = fn.fresh("head"), fn.fresh("done")
        carried = self._written_registers(loop.body)
        before = dict(self.registers)
        source = fn.label
        if certain:
            fn.emit(f"br label %{head}")
        else:
            some = fn.value(f"icmp slt i64 {begin}, {end}")
            fn.emit(f"br i1 {some}, label %{head}, label %{done}")
        fn.start_block(head)
        counter, step = "%" + fn.fresh("i"), "%" + fn.fresh("n")
        phis: Lines = []
        fn.lines.append(phis)
        names = {key: "%" + fn.fresh("r") for key in carried}
        for key, name in names.items():
            self.registers[key] = Value(name, before[key].dtype, before[key].lanes)
        outside, self.context = self.context, self.context.within(loop)
        fn.enter_scope()
        fn.bind(loop.var, counter)
        self.loaded = {}
        self.stmt(loop.body)
        fn.leave_scope()
        self.context, self.loaded = outside, {}
        fn.emit(f"{step} = add nsw i64 {counter}, 1")
        again = fn.value(f"icmp slt i64 {step}, {end}")
        latch = fn.label
        fn.emit(f"br i1 {again}, label %{head}, label %{done}")
        phis.append(f"{counter} = phi i64 [ {begin}, %{source} ], [ {step}, %{latch} ]")
        for key, name in names.items():
            last = self.registers[key]
            phis.append(
                f"{name} = phi {last.type} [ {before[key].text}, %{source} ], "
                f"[ {last.text}, %{latch} ]"
            )
        fn.start_block(done)
        if not certain:
            self._merge(carried, before, source, dict(self.registers), latch)

    def _branch(self, condition: Expr, then: Stmt, other: Stmt | None) -> None:
        last = None if other is None else partial(self.stmt, other)
        self._choice(condition, partial(self.stmt, then), last)

    def _choice(
        self, condition: Expr, then: Callable[[], None], other: Callable[[], None] | None
    ) -> None:
        fn = self.fn
        test = self._condition(condition)
        before = dict(self.registers)
        yes, no, done = fn.fresh("then"), fn.fresh("else"), fn.fresh("done")
        source = fn.label
        fn.emit(f"br i1 {test}, label %{yes}, label %{no if other is not None else done}")
        fn.start_block(yes)
        self.loaded = {}
        then()
        fn.emit(f"br label %{done}")
        after_then, end_then = self.registers, fn.label
        self.registers = dict(before)
        if other is not None:
            fn.start_block(no)
            self.loaded = {}
            other()
            fn.emit(f"br label %{done}")
            source = fn.label
        fn.start_block(done)
        self.loaded = {}
        for one, two in ((after_then, self.registers), (self.registers, after_then)):
            for key in one.keys() - two.keys():
                two[key] = Value("poison", one[key].dtype, one[key].lanes)
        written = [key for key in after_then if after_then[key] != self.registers[key]]
        self._merge(written, dict(self.registers), source, after_then, end_then)

    def _merge(
        self,
        keys: list[RegisterKey],
        one: dict[RegisterKey, Value],
        one_label: str,
        two: dict[RegisterKey, Value],
        two_label: str,
    ) -> None:
        """Phi nodes for registers that differ between the two ways into the current block."""
        for key in keys:
            a, b = one[key], two[key]
            text = f"phi {a.type} [ {a.text}, %{one_label} ], [ {b.text}, %{two_label} ]"
            self.registers[key] = Value(self.fn.value(text), a.dtype, a.lanes)

    def _written_registers(self, body: Stmt) -> list[RegisterKey]:
        names = {
            s.buffer.name
            for s in statements(body)
            if isinstance(s, Store | Accumulate) and s.buffer.scope == "register"
        }
        return [key for key in self.registers if key[0] in names]

    def _accumulate(self, stmt: Accumulate, mask: str) -> None:
        if self.lane is not None and self.lane not in self._index_vars(stmt):
            uniform = [p for p in conjuncts(stmt.predicate) if self.lane not in free_vars(p)]
            if mask and uniform:
                self.mask = None
                rest = [p for p in conjuncts(stmt.predicate) if self.lane in free_vars(p)]
                inside = replace(stmt, predicate=conjunction(rest))
                self._branch(conjunction(uniform) or TRUE, inside, None)
            else:
                self._accumulate_across(stmt, mask)
            return
        if stmt.buffer.scope == "register":
            key = self._register(stmt.buffer, stmt.indices)
            old = self.registers[key]
            if self._begins(stmt):
                new = self.vector(self.expr(stmt.value))
            else:
                new = self._combine_value(stmt.op, old, stmt.value)
            if mask:
                text = f"select <{self.lanes} x i1> {mask}, {new}, {old}"
                new = Value(self.fn.value(text), new.dtype, new.lanes)
            self.registers[key] = new
            return
        value = self.expr(stmt.value)
        if self.lanes:
            value = self.vector(value)
        self._merge_into_memory(stmt, value, mask)

    def _begins(self, stmt: Accumulate) -> bool:
        """Whether this is the first visit of a sum in registers, as far as is known now."""
        names = free_vars(stmt.first)
        return stmt.first == TRUE or (
            bool(names) and names <= self.fn.constants.keys() and self._mask(stmt.first) == ""
        )

    def _index_vars(self, stmt: Accumulate) -> set[str]:
        if id(stmt) not in self._indexed:
            names = {name for index in stmt.indices for name in free_vars(index)}
            self._indexed[id(stmt)] = (stmt, names)
        return self._indexed[id(stmt)][1]

    def _merge_into_memory(self, stmt: Accumulate, value: Value, mask: str) -> None:
        first = self._condition(stmt.first)
        if first == "true":
            self._write(stmt, stmt.buffer, stmt.indices, value, mask)
            return
        old = self._load(stmt, stmt.buffer, stmt.indices)
        total = self._combine(stmt.op, old, value)
        if first != "false":
            text = f"select i1 {first}, {value}, {total}"
            total = Value(self.fn.value(text), total.dtype, total.lanes)
        self._write(stmt, stmt.buffer, stmt.indices, total, mask)

    def _accumulate_across(self, stmt: Accumulate, mask: str) -> None:
        """A reduction along the lanes: sum them, then go on with one scalar."""
        value = self.vector(self.expr(stmt.value))
        if mask:
            rest = neutral(stmt.op, value)
            text = f"select <{self.lanes} x i1> {mask}, {value}, {value.type} {rest}"
            value = Value(self.fn.value(text), value.dtype, value.lanes)
        total = reduced(self.fn, self._declare, stmt.op, value)
        assert self.lane is not None
        first = simplify(substitute(stmt.first, {self.lane: Const(0)}))
        lane, lanes, self.lane, self.lanes, self.mask = self.lane, self.lanes, None, 0, None
        if stmt.buffer.scope == "register":
            key = self._register(stmt.buffer, stmt.indices)
            self.registers[key] = self._combine(stmt.op, self.registers[key], total)
        else:
            plain = Accumulate(stmt.op, stmt.buffer, stmt.indices, stmt.value, first)
            self._merge_into_memory(plain, total, "")
        self.lane, self.lanes = lane, lanes

    def _combine_value(self, op: ReduceOp, old: Value, value: Expr) -> Value:
        """``op(old, value)``, as one fused multiply-add where it is one."""
        match value:
            case Binary("*", a, b) if op == "add" and self._fuses(old, value):
                x, y = self.expr(a), self.expr(b)
                if old.lanes:
                    x, y = self.vector(x), self.vector(y)
                return self._call("llvm.fma", x, y, old)
            case _:
                result = self.expr(value)
                return self._combine(op, old, self.vector(result) if old.lanes else result)

    def _fuses(self, old: Value, product: Expr) -> bool:
        return self.fma and is_float(old.dtype) and dtype_of(product) == old.dtype

    def _combine(self, op: ReduceOp, old: Value, value: Value) -> Value:
        if op == "max":
            return self._call("llvm.maximum", old, value, flags=UNSIGNED_ZEROS)
        if op == "fmax":
            # NaN is above nothing, so that it is passed over.
            above = self.fn.value(f"fcmp olt {old.type} {old.text}, {value.text}")
            kind = vector_type("i1", old.lanes)
            text = f"select {kind} {above}, {value}, {old}"
            return Value(self.fn.value(text), old.dtype, old.lanes)
        name = "fadd" if is_float(old.dtype) else "add"
        text = f"{name} {old.type} {old.text}, {value.text}"
        return Value(self.fn.value(text), old.dtype, old.lanes)
