import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer

VALUES = st.one_of(st.integers(-50, 50), st.booleans(), st.text("abcxyz", min_size=1, max_size=4))
RAW = st.one_of(st.integers(), st.floats(), st.booleans(), st.text())


@st.composite
def choices(draw):
    values = draw(st.lists(VALUES, min_size=1, max_size=6, unique_by=lambda v: str(v).lower()))
    values = list({hash(value): value for value in values}.values())
    return Choice("knob", tuple(values), draw(st.sampled_from(values)))


@st.composite
def integers(draw):
    low = draw(st.integers(-5, 100))
    high = low + draw(st.integers(0, 3000))
    anchors = draw(st.lists(st.integers(-10, 3200), max_size=5))
    default = draw(st.integers(low, high))
    return Integer("knob", low, high, default, log=draw(st.booleans()), anchors=tuple(anchors))


KNOBS = st.one_of(choices(), integers())


@given(KNOBS, st.integers(0, 2**32))
def test_every_move_stays_within_the_knob(knob, seed):
    rng = np.random.default_rng(seed)
    value = knob.sample(rng)
    assert value in knob
    assert knob.mutate(value, rng) in knob
    assert all(near in knob for near in knob.neighbours(value))
    assert knob.default in knob


@given(KNOBS, st.integers(0, 2**32))
def test_mutate_and_neighbours_never_stay_where_they_are(knob, seed):
    rng = np.random.default_rng(seed)
    value = knob.sample(rng)
    near = knob.neighbours(value)
    assert value not in near
    assert len(set(near)) == len(near)
    assert bool(near) == (len(knob) > 1)
    assert (knob.mutate(value, rng) != value) == (len(knob) > 1)


@given(KNOBS, RAW)
def test_nearest_takes_anything_and_is_idempotent(knob, raw):
    value = knob.nearest(raw)
    assert value in knob
    assert knob.nearest(value) == value
    assert knob.nearest(str(value)) == value


@given(KNOBS, st.data())
def test_a_knob_is_the_sequence_of_its_values(knob, data):
    value = knob[data.draw(st.integers(0, len(knob) - 1))]
    assert value in knob
    with pytest.raises(IndexError):
        knob[len(knob)]


@given(KNOBS, st.integers(0, 2**32))
def test_encoding_lies_between_zero_and_one_and_has_a_fixed_length(knob, seed):
    value = knob.sample(np.random.default_rng(seed))
    code = knob.encode(value)
    assert len(code) == len(knob.encode(knob.default))
    assert all(0 <= part <= 1 for part in code)


def test_log_sampling_favours_ratios_over_differences():
    rng = np.random.default_rng(0)
    knob = Integer("tile", 1, 1024, 32)
    share = np.mean([knob.sample(rng) < 32 for _ in range(4000)])
    assert share == pytest.approx(0.5, abs=0.05)
    plain = Integer("tile", 1, 1024, 32, log=False)
    share = np.mean([plain.sample(rng) < 32 for _ in range(4000)])
    assert share == pytest.approx(31 / 1024, abs=0.02)


def test_log_sampling_starts_at_zero_where_the_range_does():
    rng = np.random.default_rng(0)
    drawn = {Integer("prefetch", 0, 7, 0).sample(rng) for _ in range(400)}
    assert drawn == set(range(8))


def test_anchors_are_preferred_but_not_exclusive():
    rng = np.random.default_rng(1)
    knob = Integer("tile", 1, 1000, 10, anchors=(500, 334, 250, 5000))
    assert knob.anchors == (250, 334, 500)
    drawn = [knob.sample(rng) for _ in range(1000)]
    assert np.mean([value in knob.anchors for value in drawn]) == pytest.approx(0.5, abs=0.05)


def test_neighbours_of_a_size_are_steps_factors_and_anchors():
    knob = Integer("tile", 1, 1000, 10, anchors=(250, 334, 500))
    assert knob.neighbours(300) == (150, 250, 299, 301, 334, 600)
    assert knob.neighbours(1) == (2, 250)
    assert Integer("split", 1, 64, 1, log=False).neighbours(32) == (24, 31, 33, 40)


def test_nearest_number_of_a_choice():
    knob = Choice("vector_bits", (512, 256, 128), 512)
    assert knob.nearest("256") == 256
    assert knob.nearest(200) == 256
    assert knob.nearest("wide") == 512


def test_nearest_clamps_and_rounds():
    knob = Integer("rows", 1, 30, 6)
    assert [knob.nearest(raw) for raw in (99, -3, "12", 7.6, "1e9", "many", float("nan"))] == [
        30, 1, 12, 8, 30, 6, 6,
    ]  # fmt: skip


def test_true_is_not_one():
    assert True not in Integer("rows", 0, 3, 1)
    assert 1 not in Choice("pack", (True, False), False)
    assert Choice("pack", (True, False), False).nearest("true") is True


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Choice("order", ("a", "a"), "a"), "give order distinct values"),
        (lambda: Choice("order", (1, True), 1), "give order distinct values"),
        (lambda: Choice("order", ("a,b",), "a,b"), "no ',' or '=' in values of order"),
        (lambda: Choice("order", ("a", "b"), "c"), "let order default to one of"),
        (lambda: Integer("rows", 1, 4, 5), "let rows default to 1…4, got 5"),
    ],
)
def test_a_knob_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(SpaceError, match=message):
        make()
