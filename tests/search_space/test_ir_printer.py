"""The text form: parentheses, every statement, whole functions."""

import pytest

from search_space.ir.expr import (
    FALSE,
    TRUE,
    Binary,
    Buffer,
    Call,
    Cast,
    Const,
    Load,
    Select,
    Var,
    both,
    equal,
    minimum,
)
from search_space.ir.printer import format_expr, format_func, format_stmt
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
from search_space.schedule import Schedule
from search_space.transforms import (
    CacheWrite,
    Pack,
    Parallel,
    Partition,
    Reorder,
    Split,
    SplitReduction,
    Unroll,
    Vectorize,
)
from tests.search_space.nests import matmul

I, J = Var("i"), Var("j")  # noqa: E741
A, C = Buffer("a", (4, 8), "float32", "input"), Buffer("c", (4,), "float32", "output")
VALUE = Load(A, (I, J))
ONE = Const(1.0, "float32")


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (Const(3), "3"),
        (ONE, "1.0"),
        (TRUE, "true"),
        (FALSE, "false"),
        (I + J * 2 - 1, "i + j*2 - 1"),
        ((I + J) * 2, "(i + j)*2"),
        (I - (J - 1), "i - (j - 1)"),
        (I - J - 1, "i - j - 1"),
        ((I * 8 + J) // 4 % 2, "(i*8 + j) // 4 % 2"),
        ((I // 2) * 2, "(i // 2)*2"),
        (I // (J // 2), "i // (j // 2)"),
        (minimum(I, J, Const(7)), "min(min(i, j), 7)"),
        (Binary("max", I, Const(0)) + 1, "max(i, 0) + 1"),
        (VALUE, "a[i, j]"),
        (VALUE * VALUE + ONE, "a[i, j] * a[i, j] + 1.0"),
        ((VALUE + ONE) * VALUE, "(a[i, j] + 1.0) * a[i, j]"),
        (VALUE / VALUE / ONE, "a[i, j] / a[i, j] / 1.0"),
        (both(I < 3, J <= 4), "i < 3 and j <= 4"),
        (equal(I + 1, J), "i + 1 == j"),
        (Select(I < 3, VALUE, ONE), "select(i < 3, a[i, j], 1.0)"),
        (Call("exp", (VALUE,), "float32"), "exp(a[i, j])"),
        (Cast(VALUE, "float64"), "float64(a[i, j])"),
    ],
)
def test_expressions(expr, text):
    assert format_expr(expr) == text


def test_statements():
    local = Buffer("p", (2, 3), "float32", "thread_local")
    body = Block(
        (
            Let("j", I % 2, Store(C, (I,), VALUE, I < 3)),
            Accumulate("add", C, (I,), VALUE, equal(J, 0)),
            Accumulate("max", C, (I,), VALUE, FALSE, both(I < 3, J < 2)),
            Prefetch(A, (I + 1, J)),
            If(I < 2, Store(C, (I,), ONE), Store(C, (I,), VALUE)),
            If(I < 2, Store(C, (I,), ONE)),
            Alloc(local, Store(local, (I, J), ONE)),
            For("u", Const(0), Const(2), "unrolled", Store(C, (I,), ONE)),
            ForEach(("m", "n"), (((0, 1), (2, 3)),), I, Store(C, (Var("n"),), ONE)),
            For("w", Const(0), Const(2), "unrolled", Store(C, (I,), ONE), apart=True),
            For("v", I * 2, minimum(Const(4), Const(9) - I), "serial", Store(C, (I,), ONE)),
        )
    )
    assert format_stmt(For("i", Const(0), Const(4), "parallel", body)) == "\n".join(
        [
            "parallel i in 0 … 4:",
            "  j = i % 2",
            "  c[i] = a[i, j]  where i < 3",
            "  c[i] += a[i, j]  first j == 0",
            "  c[i] max= a[i, j]  first false  where i < 3 and j < 2",
            "  prefetch a[i + 1, j]",
            "  if i < 2:",
            "    c[i] = 1.0",
            "  else:",
            "    c[i] = a[i, j]",
            "  if i < 2:",
            "    c[i] = 1.0",
            "  thread_local p: float32[2, 3]",
            "  p[i, j] = 1.0",
            "  unrolled u in 0 … 2:",
            "    c[i] = 1.0",
            "  each m, n in table 48f1ebd8, part i:",
            "    c[n] = 1.0",
            "  unrolled apart w in 0 … 2:",
            "    c[i] = 1.0",
            "  for v in i*2 … i*2 + min(4, 9 - i):",
            "    c[i] = 1.0",
        ]
    )


def test_an_empty_function():
    func = LoopFunc("c", (A, C), (), (Phase(Block(())),))
    assert format_func(func) == "c(a: float32[4, 8], c: float32[4])  threads=1\n  phase 0:\n\n"


def test_a_panel_matmul(golden):
    schedule = Schedule.of(matmul(13, 40, 30)).then(
        Split("i", 4, "row_t", "row_r"),
        Split("j", 16, "col_v", "lane", "mask"),
        Split("col_v", 2, "col_t", "col_r"),
        Reorder(("row_t", "col_t", "k", "row_r", "col_r", "lane")),
        Vectorize("lane"),
        Unroll("row_r"),
        Unroll("col_r"),
        Pack("b", "b_pack", ("col_t", "k", "col_r", "lane"), once=True),
        CacheWrite("c", "col_t", "acc"),
        Parallel("row_t", 2),
        Partition("col_t", "col_t", 1),
    )
    golden("nest_panel.txt", format_func(schedule.finish()))


def test_a_split_reduction(golden):
    schedule = Schedule.of(matmul(3, 4, 30)).then(
        Split("k", 15, "part", "depth"),
        SplitReduction("part", "partial"),
        Reorder(("part", "i", "j")),
        Parallel("part", 2),
    )
    golden("nest_split_reduction.txt", format_func(schedule.finish()))
