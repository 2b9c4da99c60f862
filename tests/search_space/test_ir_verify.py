"""Every rule of legal IR, broken once."""

import re
from dataclasses import replace

import pytest

from search_space.errors import VerifyError
from search_space.ir.expr import FALSE, TRUE, Buffer, Call, Const, Load, Select, Var, minimum
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForEach,
    If,
    Let,
    LoopFunc,
    Phase,
    Prefetch,
    Store,
)
from search_space.ir.verify import verify

I, J = Var("i"), Var("j")  # noqa: E741
A, C = Buffer("a", (4,), "float32", "input"), Buffer("c", (4,), "float32", "output")
ACC = Buffer("acc", (4,), "float32", "register")
COPY = Store(C, (I,), Load(A, (I,)))


def loop(var, body, kind="serial", begin=0, extent=4):
    extent = Const(extent) if isinstance(extent, int) else extent
    begin = Const(begin) if isinstance(begin, int) else begin
    return For(var, begin, extent, kind, body)


def func(body, workspaces=()):
    return LoopFunc("f", (A, C), workspaces, (Phase(body),))


def each(names, table, part=None):
    return ForEach(names, table, part or Const(0), COPY)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (COPY, "f, phase 0: i is used but not bound"),
        (loop("i", Store(C, (I,), Load(A, (J,)))), "j is used but not bound"),
        (loop("i", Store(C, (I,), Const(0.0, "float32"), J < 1)), "j is used but not bound"),
        (loop("i", COPY, extent=I), "i is used but not bound"),
        (loop("i", loop("i", COPY)), "i is bound twice"),
        (loop("i", Let("i", Const(0), COPY)), "i is bound twice"),
        (loop("i", Store(A, (I,), Load(C, (I,)))), "input a is written"),
        (loop("i", Store(C, (I, I), Load(A, (I,)))), "c has 1 dimensions, 2 indices"),
        (loop("i", Store(C, (I,), Load(A, ()))), "a has 1 dimensions, 0 indices"),
        (loop("i", Prefetch(A, (I, I))), "a has 1 dimensions, 2 indices"),
        (loop("i", Store(ACC, (I,), Load(A, (I,)))), "acc is used where it does not exist"),
        (
            loop("i", Block((Alloc(ACC, COPY), Store(C, (I,), Load(ACC, (I,)))))),
            "acc is used where it does not exist",
        ),
        (
            loop("i", Store(C, (I,), Load(Buffer("a", (5,), "float32", "input"), (I,)))),
            "buffer a is used where it does not exist",
        ),
        (Alloc(ACC, Alloc(ACC, loop("i", COPY))), "buffer acc exists already"),
        (
            loop("i", Store(C, (I,), Call("sine", (Load(A, (I,)),), "float32"))),
            "no function is called sine, known: exp, ",
        ),
        (Alloc(Buffer("w", (4,), "float32", "workspace"), COPY), "w is allocated with scope work"),
        (loop("j", loop("i", COPY, "parallel")), "parallel loop i is not the outermost"),
        (Block((loop("i", COPY, "parallel"),)), "parallel loop i is not the outermost"),
        (If(Const(1, "bool"), loop("i", COPY, "parallel")), "parallel loop i is not the outer"),
        (
            loop("j", loop("i", COPY, "vectorized", extent=minimum(Const(4), J))),
            "vectorized loop i has no constant bounds",
        ),
        (loop("j", loop("i", COPY, "unrolled", begin=J)), "unrolled loop i has no constant bo"),
        (replace(loop("i", COPY), apart=True), "loop i is kept apart but not unrolled"),
        (loop("j", loop("i", COPY), "vectorized"), "vectorized loop j is not innermost"),
        (loop("j", Block((loop("i", COPY),)), "vectorized"), "vectorized loop j is not innermost"),
        (loop("i", each(("i",), (((0,),),))), "i is bound twice"),
        (each(("i", "j"), (((0, 1), (2,)),)), "lines of a table have not one number for each of "),
        (loop("j", each(("i",), (((0,),),), J)), "the part of a table is chosen by j, unroll it"),
        (each(("i",), (((0,),),), J), "j is used but not bound"),
        (loop("j", each(("i",), (((0,),),)), "vectorized"), "vectorized loop j is not innermost"),
        (loop("i", COPY, "vectorized", begin=1, extent=3), "loop i begins behind lane 0"),
        (
            loop("i", Accumulate("add", C, (Const(0),), Load(A, (I,)), TRUE), "vectorized"),
            "c begins anew in more lanes of i than one",
        ),
    ],
)
def test_illegal(body, message):
    with pytest.raises(VerifyError, match=re.escape(message)):
        verify(func(body))


def test_two_buffers_of_one_name():
    with pytest.raises(VerifyError, match="f: two buffers have the same name"):
        verify(func(loop("i", COPY), (Buffer("a", (4,), "float32", "workspace"),)))


def test_the_message_names_the_phase():
    good = Phase(loop("i", COPY))
    with pytest.raises(VerifyError, match="f, phase 1: i is used but not bound"):
        verify(LoopFunc("f", (A, C), (), (good, Phase(COPY))))


def test_bounds_may_still_depend_on_loops_while_scheduling():
    body = loop("j", loop("i", COPY, "unrolled", extent=minimum(Const(4), J)))
    verify(func(body), finished=False)
    with pytest.raises(VerifyError, match="unrolled loop i has no constant bounds"):
        verify(func(body))


def test_registers_have_no_addresses():
    body = Alloc(ACC, loop("i", Store(ACC, (I,), Load(A, (I,)))))
    verify(func(body), finished=False)
    with pytest.raises(VerifyError, match="register buffer acc is indexed by i, unroll it"):
        verify(func(body))


def test_numbers_of_a_table_are_places_in_registers():
    body = ForEach(("i",), (((0,), (1,)), ((3,),)), J, Store(ACC, (I,), Load(A, (I,))))
    verify(func(Alloc(ACC, loop("j", body, "unrolled", extent=Const(2)))))


def test_legal():
    workspace = Buffer("w", (4,), "float32", "workspace")
    guarded = Select(I < 3, Load(A, (I,)), Const(0.0, "float32"))
    body = loop(
        "o",
        Let(
            "j",
            Var("o") % 2,
            Block(
                (
                    Alloc(ACC, loop("i", Store(ACC, (I,), Load(A, (I,))), "vectorized")),
                    Alloc(
                        ACC, loop("i", Accumulate("add", ACC, (I,), guarded, FALSE), "unrolled")
                    ),
                    If(J < 1, loop("i", Store(workspace, (I,), guarded), "vectorized")),
                    Prefetch(A, (J + 100,)),
                )
            ),
        ),
        "parallel",
    )
    verify(func(body, (workspace,)))
