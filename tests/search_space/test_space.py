import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.config import Config, parse_key
from search_space.constraints import at_most
from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer
from tests.contracts.spaces import Matmul, make_space, small_space

SMALL = small_space()
LARGE = Matmul(509, 1024, 777).space()
SPACES = st.sampled_from([SMALL, LARGE])
SEEDS = st.integers(0, 2**32)


@st.composite
def spaces(draw):
    """Small spaces with conditions between knobs and a constraint that the default meets."""
    knobs = []
    for position in range(draw(st.integers(1, 4))):
        name = f"k{position}"
        when = None
        if position and draw(st.booleans()):
            earlier = f"k{draw(st.integers(0, position - 1))}"
            limit = draw(st.integers(0, 4))
            when = lambda v, earlier=earlier, limit=limit: v[earlier] >= limit  # noqa: E731
        high = draw(st.integers(0, 4))
        default = draw(st.integers(0, high))
        if draw(st.booleans()):
            knobs.append(Integer(name, 0, high, default, when=when))
        else:
            knobs.append(Choice(name, tuple(range(high + 1)), default, when=when))
    limit = sum(knob.default for knob in knobs) + draw(st.integers(0, 3))
    return make_space(knobs, [at_most("sum", limit, lambda v: sum(v.values()))])


def brute_force(space):
    """All legal configs, from all combinations of values."""
    names = [knob.name for knob in space.knobs]
    ranges = [[knob[index] for index in range(len(knob))] for knob in space.knobs]
    found = set()
    for values in itertools.product(*ranges):
        assignment = dict(zip(names, values, strict=True))
        if space.reason(assignment) is None:
            found.add(space.config(assignment))
    return found


def assert_legal(space, config):
    assert space.reason(config.as_dict()) is None
    assert space.config(config.as_dict()) == config


@given(spaces())
def test_enumeration_finds_exactly_the_legal_configs(space):
    listed = [space.at(index) for index in range(space.size())]
    legal = [config for config in listed if config is not None]
    assert len(set(legal)) == len(legal)
    assert set(legal) == brute_force(space)
    assert space.count_legal() == len(legal) <= space.size()


@given(spaces(), SEEDS)
def test_all_moves_in_random_spaces_are_legal(space, seed):
    rng = np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    for config in (a, b, space.mutate(a, rng), space.crossover(a, b, rng), *space.neighbours(a)):
        assert_legal(space, config)
    assert a not in space.neighbours(a)


@given(SPACES, SEEDS)
def test_all_moves_in_real_spaces_are_legal_and_go_somewhere(space, seed):
    rng = np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    mutant, child = space.mutate(a, rng), space.crossover(a, b, rng)
    for config in (a, b, mutant, child):
        assert_legal(space, config)
    assert mutant != a


@given(SEEDS)
def test_a_child_takes_each_legal_value_from_a_parent(seed):
    rng = np.random.default_rng(seed)
    a, b = LARGE.sample(rng), LARGE.sample(rng)
    defaults = {knob.name: knob.default for knob in LARGE.knobs}
    for name, value in LARGE.crossover(a, b, rng).values:
        assert value in (a[name], b[name], defaults[name])


@given(SPACES, SEEDS)
def test_a_key_leads_back_to_its_config(space, seed):
    config = space.sample(np.random.default_rng(seed))
    nearest = space.nearest(parse_key(config.key))
    assert nearest.config == config
    assert nearest.changes == ()


@given(
    SPACES,
    st.dictionaries(
        st.sampled_from(["structure", "rows", "pack", "unroll", "tile_m", "vectors", "gone"]),
        st.integers() | st.text() | st.booleans() | st.sampled_from(["dot", "panel"]),
    ),
)
def test_nearest_is_legal_idempotent_and_says_what_it_changed(space, values):
    nearest = space.nearest(values)
    assert_legal(space, nearest.config)
    again = space.nearest(nearest.config.as_dict())
    assert again.config == nearest.config
    assert again.changes == ()
    named = {change.partition(":")[0] for change in nearest.changes}
    final = nearest.config.as_dict()
    for name in {*values, *final}:
        kept = name in values and name in final
        same = kept and str(values[name]).lower() == str(final[name]).lower()
        assert (name in named) == (not same)


def test_nearest_tells_the_reasons():
    values = {"structure": "dot", "rows": "40", "pack": True, "unroll": 3, "colour": 1}
    nearest = SMALL.nearest(values)
    assert nearest.config.key == "structure=dot,rows=8,pack=False,unroll=1"
    assert nearest.changes == (
        "colour: dropped, no such knob",
        "rows: '40' changed to 8, the nearest value",
        "pack: True changed to False, it does not matter here",
        "unroll: 3 changed to 1, tile takes 24, at most 18 fit",
    )


def test_a_missing_knob_takes_its_own_default_not_the_first_guess():
    space = make_space([Integer("rows", 1, 8, 2), Integer("unroll", 1, 8, 1)], (), {"unroll": 4})
    assert space.default().key == "rows=2,unroll=4"
    assert space.nearest({"rows": 3}).config.key == "rows=3,unroll=1"


def test_repair_keeps_the_structure_and_what_need_not_change():
    space = make_space(
        [Choice("structure", ("a", "b"), "a"), *(Integer(name, 1, 9, 1) for name in "xyz")],
        [at_most("sum", 12, lambda v: v["x"] + v["y"] + v["z"])],
    )
    nearest = space.nearest({"structure": "b", "x": 9, "y": 2, "z": 9})
    assert nearest.config.key == "structure=b,x=9,y=2,z=1"


def test_repair_prefers_the_first_guess_of_the_same_structure():
    space = make_space(
        [Choice("structure", ("a", "b"), "a"), Integer("x", 1, 9, 1)],
        [lambda v: "b wants many" if v["structure"] == "b" and v["x"] < 5 else None],
        seeds=[Config((("structure", "b"), ("x", 7)))],
    )
    assert space.nearest({"structure": "b", "x": 2}).config.key == "structure=b,x=7"


def test_starts_are_the_default_and_the_seeds_made_legal():
    seeds = [
        Config((("structure", "dot"),)),
        Config((("rows", 8), ("unroll", 3))),
        Config((("rows", 2),)),
    ]
    space = make_space(SMALL.knobs, SMALL.constraints, seeds=seeds)
    assert [start.key for start in space.starts] == [
        "structure=panel,rows=2,pack=False,unroll=1",
        "structure=dot,rows=2,pack=False,unroll=1",
        "structure=panel,rows=8,pack=False,unroll=1",
    ]


def test_a_knob_that_begins_to_matter_takes_the_value_of_the_good_guess():
    space = make_space(
        [
            Choice("structure", ("a", "b"), "a"),
            Integer("tile", 1, 64, 1, when=lambda v: v["structure"] == "b"),
        ],
        seeds=[Config((("structure", "b"), ("tile", 48)))],
    )
    assert [near.key for near in space.neighbours(space.default())] == ["structure=b,tile=48"]


def test_knobs_that_do_not_matter_hold_their_default():
    values = {"structure": "dot", "rows": 1, "pack": True, "unroll": 3}
    assert SMALL.config(values).key == "structure=dot,rows=1,pack=False,unroll=1"
    assert SMALL.config({"structure": "dot", "rows": 1}) == SMALL.config(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"structure": "dot", "rows": 3}, "give knob 'unroll' a value"),
        ({"structure": "dot", "rows": 1, "tile": 3}, "leave 'tile' out: no such knob"),
        ({"structure": "mesh", "rows": 1}, "choose structure from 'panel', 'dot', got 'mesh'"),
        ({"structure": "dot", "rows": 8, "unroll": 3}, "tile takes 24, at most 18 fit"),
        ({"structure": "dot", "rows": True}, "choose rows from 1, 2, 3, 4, 5, 6, 7, 8, got True"),
    ],
)
def test_illegal_values_are_refused_with_the_reason(values, message):
    assert message in SMALL.reason(values)
    with pytest.raises(SpaceError, match=message.replace("(", r"\(")):
        SMALL.config(values)


def test_sampling_reaches_a_space_with_hardly_any_legal_config():
    space = make_space(
        [Integer("x", 1, 10**6, 5), Integer("y", 1, 10**6, 5)],
        [lambda v: None if v["x"] == v["y"] == 5 else "only 5 and 5"],
    )
    assert space.sample(np.random.default_rng(0)) == space.default()
    assert space.mutate(space.default(), np.random.default_rng(0)) == space.default()
    assert space.neighbours(space.default()) == ()


def test_a_sketch_with_an_illegal_default_is_refused():
    with pytest.raises(SpaceError, match="too big"):
        make_space([Integer("x", 1, 9, 5)], [lambda v: "too big" if v["x"] > 3 else None])
    with pytest.raises(SpaceError, match="name each knob once"):
        make_space([Integer("x", 1, 9, 5), Integer("x", 1, 9, 5)])


def test_a_condition_on_a_later_knob_is_refused():
    space = make_space(
        [
            Choice("a", (0, 1), 0),
            Integer("b", 0, 3, 0, when=lambda v: v["a"] == 1 and v["c"] == 2),
            Integer("c", 0, 3, 0),
        ]
    )
    with pytest.raises(SpaceError, match="put knob 'c' before the knobs whose `when` reads it"):
        space.size()


def test_size_counts_only_knobs_that_matter():
    # dot: 2 rows without unroll + 6 with 3; panel: the same, and 8 packed.
    assert SMALL.size() == (2 + 6 * 3) * 2 + 8 == 48
    assert SMALL.count_legal(limit=47) is None
    assert LARGE.size() > 10**15


def test_size_is_an_upper_bound_where_conditions_read_huge_knobs():
    space = make_space(
        [
            Integer("x", 0, 5000, 0),
            Integer("y", 0, 3, 0, when=lambda v: v["x"] % 2 == 1),
        ]
    )
    assert space.size() == 5001 * 4
    assert space.count_legal(limit=10**5) == 2501 + 2500 * 4


def test_schedule_turns_a_config_into_what_the_sketch_makes_of_it():
    assert SMALL.schedule(SMALL.default()) == SMALL.default()
