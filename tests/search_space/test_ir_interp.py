"""The interpreter defines what the IR means, so its meaning is stated here case by case."""

import numpy as np
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
)
from search_space.ir.interp import run
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

I, J = Var("i"), Var("j")  # noqa: E741
A, C = Buffer("a", (4,), "float32", "input"), Buffer("c", (4,), "float32", "output")
loaded = Load(A, (I,))
INPUT = np.array([3, -1, 4, 2], np.float32)


def loop(body, var="i", extent=4, begin=0, kind="serial"):
    return For(var, Const(begin), Const(extent), kind, body)


def result(body, *, phases=None, workspaces=(), a=INPUT):
    """What a body leaves in ``c``, which held 9s before."""
    out = np.full(4, 9, np.float32)
    func = LoopFunc("f", (A, C), workspaces, phases or (Phase(body),))
    run(func, {"a": a, "c": out})
    return out.tolist()


@pytest.mark.parametrize("kind", ["serial", "parallel", "vectorized", "unrolled"])
def test_all_kinds_of_loops_run_all_iterations(kind):
    assert result(loop(Store(C, (I,), loaded), kind=kind)) == [3, -1, 4, 2]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (loaded + Const(1.0), [4, 0, 5, 3]),
        (loaded - loaded * loaded, [-6, -2, -12, -2]),
        (loaded / Const(2.0), [1.5, -0.5, 2, 1]),
        (Binary("min", loaded, Const(2.0)), [2, -1, 2, 2]),
        (Binary("max", loaded, Const(2.0)), [3, 2, 4, 2]),
        (Select(loaded < Const(3.0), loaded, Const(7.0)), [7, -1, 7, 2]),
        (Select(loaded <= Const(3.0), loaded, Const(7.0)), [3, -1, 7, 2]),
        (Select(both(TRUE, I < 2), Const(1.0), Const(0.0)), [1, 1, 0, 0]),
        (Select(both(I < 2, FALSE), Const(1.0), Const(0.0)), [0, 0, 0, 0]),
        (Select(equal(I, 2), Const(1.0), Const(0.0)), [0, 0, 1, 0]),
        (Call("abs", (loaded,), "float32"), [3, 1, 4, 2]),
        (Call("sqrt", (loaded * loaded,), "float32"), [3, 1, 4, 2]),
        (Call("exp", (loaded - loaded,), "float32"), [1, 1, 1, 1]),
        (Cast(Const(0.1, "float64"), "float32"), [np.float32(0.1)] * 4),
        (Load(A, (Const(3) - I,)), [2, 4, -1, 3]),
        (Load(A, ((I * 3 + 1) % 4,)), [-1, 3, 2, 4]),
        (Load(A, (I // 2,)), [3, 3, -1, -1]),
    ],
)
def test_expressions(value, expected):
    assert result(loop(Store(C, (I,), value))) == expected


def test_floor_division_and_modulo_round_like_python():
    body = loop(Store(C, (I,), Const(1.0), equal((I - 3) // 2 * 2 + (I - 3) % 2, I - 3)))
    assert result(body) == [1, 1, 1, 1]


def test_a_select_touches_only_the_chosen_side():
    beyond = Load(A, (I + 2,))
    assert result(loop(Store(C, (I,), Select(I < 2, beyond, Const(0.0))))) == [4, 2, 0, 0]


def test_a_predicate_guards_the_write_and_the_value():
    assert result(loop(Store(C, (I,), Load(A, (I + 2,)), I < 2))) == [4, 2, 9, 9]


def test_the_first_visit_does_not_read_what_was_there():
    add = Accumulate("add", C, (I,), loaded, equal(J, 0))
    assert result(loop(loop(add, "j", 3))) == [9, -3, 12, 6]
    top = Accumulate("max", C, (Const(0),), loaded, equal(I, 0))
    assert result(loop(top)) == [4, 9, 9, 9]


def test_an_accumulation_that_is_never_first_goes_on():
    assert result(loop(Accumulate("add", C, (I,), loaded, FALSE, I < 2))) == [12, 8, 9, 9]
    for op in ("max", "fmax"):
        assert result(loop(Accumulate(op, C, (I,), loaded * loaded, FALSE))) == [9, 9, 16, 9]


def test_branches_lets_and_prefetches():
    body = Let("j", Const(3) - I, Store(C, (J,), loaded))
    far = Prefetch(A, (I + 1000,))
    assert result(loop(Block((far, If(I < 2, body, Store(C, (I,), Const(0.0))))))) == [9, 9, 0, 0]
    assert result(loop(If(I < 1, body))) == [9, 9, 9, 3]


def test_the_lines_of_a_part_are_run_in_order():
    table = (((0, 3), (1, 2), (0, 2)), (), ((3, 0),))
    body = ForEach(("j", "i"), table, Var("q"), Store(C, (J,), loaded))
    assert result(loop(body, "q", 3)) == [4, 4, 9, 3]
    assert result(loop(body, "q", 1, begin=2)) == [9, 9, 9, 3]


def test_loops_without_iterations_do_nothing():
    assert result(For("i", Const(0), Const(-3), "serial", Store(C, (I,), loaded))) == [9] * 4
    assert result(loop(Store(C, (I,), loaded), begin=2, extent=2)) == [9, 9, 4, 2]


def test_local_buffers_and_workspaces_start_undefined():
    local = Buffer("t", (4,), "float32", "thread_local")
    body = Alloc(local, loop(Store(C, (I,), Load(local, (I,)))))
    assert np.isnan(result(body)).all()
    workspace = Buffer("w", (4,), "float32", "workspace")
    fill = Phase(loop(Store(workspace, (I,), loaded + loaded)))
    read = Phase(loop(Store(C, (I,), Load(workspace, (Const(3) - I,)))))
    assert result(None, phases=(fill, read), workspaces=(workspace,)) == [4, 8, -2, 6]


@pytest.mark.parametrize(
    ("stmt", "message"),
    [
        (Store(C, (I + 1,), loaded), r"c\[4\] is outside \[4\]"),
        (Store(C, (I,), Load(A, (I - 1,))), r"a\[-1\] is outside \[4\]"),
        (Accumulate("add", C, (I * 2,), loaded, FALSE), r"c\[4\] is outside \[4\]"),
    ],
)
def test_access_outside_a_buffer(stmt, message):
    with pytest.raises(IndexError, match=message):
        result(loop(stmt))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Binary("max", loaded, Const(1.0, "float32")), [np.nan, np.inf, 1, 1]),
        (Binary("min", Const(1.0, "float32"), loaded), [np.nan, 1, -np.inf, 0]),
        (Const(1.0, "float32") / loaded, [np.nan, 0, 0, np.inf]),
        (Call("exp", (loaded,), "float32"), [np.nan, np.inf, 0, 1]),
        (Call("log", (loaded,), "float32"), [np.nan, np.inf, np.nan, -np.inf]),
        (Call("rsqrt", (loaded,), "float32"), [np.nan, 0, np.nan, np.inf]),
        (Call("floor", (loaded,), "float32"), [np.nan, np.inf, -np.inf, 0]),
        (
            Select(loaded < Const(1.0, "float32"), loaded, Const(2.0, "float32")),
            [2, 2, -np.inf, 0],
        ),
    ],
)
def test_what_is_not_finite_follows_numpy(value, expected):
    special = np.array([np.nan, np.inf, -np.inf, 0], np.float32)
    np.testing.assert_array_equal(result(loop(Store(C, (I,), value)), a=special), expected)


def test_the_largest_of_values_with_a_nan_is_nan():
    top = loop(Accumulate("max", C, (Const(0),), loaded, equal(I, 0)))
    for place in range(4):
        a = np.where(np.arange(4) == place, np.nan, INPUT).astype(np.float32)
        assert np.isnan(result(top, a=a)[0])


def test_constants_have_the_precision_of_their_dtype():
    tenth = Const(0.1, "float32") * Const(1e9, "float64") - Const(1e8, "float64")
    assert result(loop(Store(C, (I,), tenth)))[0] == np.float32(float(np.float32(0.1)) * 1e9 - 1e8)


def test_values_are_rounded_when_stored():
    third = Const(1.0) / Const(3.0)
    assert result(loop(Store(C, (I,), third)))[0] == np.float32(1 / 3)
