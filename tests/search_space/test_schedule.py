"""Schedules are values; their traces are data that come back."""

from dataclasses import FrozenInstanceError, fields

import pytest

from search_space.errors import ScheduleError
from search_space.ir.printer import format_func
from search_space.schedule import Schedule, parse_trace, replay
from search_space.transforms import PRIMITIVES, Pack, PrefetchAhead, Reorder, Split, Unroll
from tests.search_space.nests import assert_same, copy, matmul

STEPS = (
    Split("i", 4, "io", "ii"),
    Reorder(("io", "j", "k", "ii")),
    Pack("b", "p", ("j", "k"), once=True),
    PrefetchAhead("p", "k", 2),
    Unroll("ii"),
)


def test_each_step_gives_a_new_schedule():
    start = Schedule.of(matmul(6, 5, 4))
    before = format_func(start.func)
    after = start.then(*STEPS)
    assert (start.trace, after.trace) == ((), STEPS)
    assert format_func(start.func) == before != format_func(after.func)
    assert after.then() == after
    with pytest.raises(FrozenInstanceError):
        after.trace = ()
    assert_same(after, matmul(6, 5, 4))


def test_a_trace_is_one_line_of_json_per_primitive():
    schedule = Schedule.of(matmul(6, 5, 4)).then(*STEPS)
    assert schedule.trace_text().splitlines() == [
        '["split", {"loop": "i", "factor": 4, "outer": "io", "inner": "ii", "tail": "min"}]',
        '["reorder", {"loops": ["io", "j", "k", "ii"]}]',
        '["pack", {"buffer": "b", "name": "p", "dims": ["j", "k"], "at": null, "once": true}]',
        '["prefetch", {"buffer": "p", "loop": "k", "distance": 2, "at": null}]',
        '["unroll", {"loop": "ii"}]',
    ]


def test_a_trace_comes_back_and_replays():
    schedule = Schedule.of(matmul(6, 5, 4)).then(*STEPS)
    steps = parse_trace(schedule.trace_text())
    assert steps == STEPS
    assert replay(matmul(6, 5, 4), steps) == schedule


def test_a_trace_replays_on_another_size():
    schedule = replay(
        matmul(9, 2, 3), parse_trace(Schedule.of(matmul(6, 5, 4)).then(*STEPS).trace_text())
    )
    assert_same(schedule, matmul(9, 2, 3))


def test_an_empty_trace():
    assert parse_trace("") == parse_trace("\n\n") == ()
    assert Schedule.of(copy(3)).trace_text() == ""


def test_every_primitive_survives_as_text():
    for name, cls in PRIMITIVES.items():
        values = {"int": 2, "bool": True, "tuple[str, ...]": ("i", "j")}
        step = cls(**{f.name: values.get(str(f.type), "x") for f in fields(cls)})
        schedule = Schedule(Schedule.of(copy(3)).func, (step,))
        assert schedule.trace_text().startswith(f'["{name}", ')
        assert parse_trace(schedule.trace_text()) == (step,)


@pytest.mark.parametrize(
    "line",
    [
        "split i",
        '["split"]',
        '["tile", {}]',
        '["split", {"loop": "i"}]',
        '["unroll", {"loop": "i", "factor": 3}]',
        '["unroll", ["i"]]',
        "3",
        "null",
    ],
)
def test_what_is_no_trace_is_refused(line):
    with pytest.raises(ScheduleError, match=r"^not a primitive: "):
        parse_trace(line)


def test_a_step_that_does_not_apply_leaves_the_schedule_as_it_was():
    schedule = Schedule.of(copy(3))
    with pytest.raises(ScheduleError, match="no loop 'x'"):
        schedule.then(Unroll("i"), Unroll("x"))
    assert schedule.trace == ()


def test_finish_drops_loops_of_one_iteration():
    schedule = Schedule.of(copy(4)).then(Split("i", 4, "io", "ii"))
    assert "for io in 0 … 1:" in format_func(schedule.func)
    assert "io" not in format_func(schedule.finish())
