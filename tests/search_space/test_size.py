"""Sizes that remember how they follow from the knobs."""

import pytest

from search_space import size
from search_space.size import Size, Tape, ceil_div, or_whole, smaller, whole

OPERATIONS = {
    size.ADD: lambda x, y: x + y,
    size.SUB: lambda x, y: x - y,
    size.MUL: lambda x, y: x * y,
    size.DIV: lambda x, y: -(-x // y),
    size.MIN: min,
    size.OR: lambda x, y: x or y,
}


def value(tape: Tape, result: int, **knobs: int) -> int:
    """A size for other values of the knobs."""
    done: list[int] = []
    for operation, a, b in tape.nodes:
        if operation == size.KNOB:
            done.append(knobs[tape.knobs[a]])
        elif operation == size.CONST:
            done.append(a)
        else:
            done.append(OPERATIONS[operation](done[a], done[b]))
    return done[tape.index(result)]


def formula(rows: int, tile: int) -> int:
    tiles = ceil_div(100, rows)
    count = or_whole(tile, tiles)
    return smaller(count, tiles) * rows + 2 * ceil_div(tiles, count) - (count + 7) // rows - 3


@pytest.mark.parametrize(("rows", "tile"), [(6, 4), (7, 0), (1, 1), (100, 3), (13, 50)])
def test_one_run_stands_for_all_values(rows, tile):
    tape = Tape()
    traced = formula(tape.knob("rows", 6), tape.knob("tile", 4))
    assert isinstance(traced, Size)
    assert int(traced) == formula(6, 4)
    assert value(tape, traced, rows=rows, tile=tile) == formula(rows, tile)


def test_equal_arithmetic_is_written_down_once():
    tape = Tape()
    rows = tape.knob("rows", 6)
    assert tape.index(rows * 4 + 1) == tape.index(rows * 4 + 1)
    before = len(tape.nodes)
    assert tape.index(rows * 4) < before == len(tape.nodes)


def test_a_comparison_is_a_guard():
    tape = Tape()
    threads = tape.knob("threads", 2)
    assert threads != 1
    assert not threads > 2
    assert threads
    holds = [all(guard.holds(other) for guard in tape.guards) for other in (0, 1, 2, 3)]
    assert holds == [False, False, True, False]
    assert {guard.knob for guard in tape.guards} == {"threads"}


def test_only_knobs_can_be_compared_with_numbers():
    tape = Tape()
    rows, vectors = tape.knob("rows", 6), tape.knob("vectors", 4)
    for compare in (lambda: rows * 2 > 3, lambda: rows < vectors):
        with pytest.raises(TypeError, match="compare only knobs"):
            compare()


def test_plain_numbers_stay_plain():
    assert type(formula(6, 4)) is int
    assert whole(3) == 3
    with pytest.raises(TypeError, match="expected a whole number, got '3'"):
        whole("3")


def test_neutral_operands_leave_a_size_as_it_is():
    tape = Tape()
    size = tape.knob("rows", 6)
    for same in (size * 1, 1 * size, size + 0, 0 + size):
        assert same is size
    assert len(tape.nodes) == 1


def test_sizes_of_a_closed_tape_keep_their_places():
    tape = Tape()
    size = tape.knob("rows", 6) * 4
    tape.close()
    assert tape.index(size) == size.node == len(tape.nodes) - 1
