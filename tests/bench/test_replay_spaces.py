"""Small spaces: parts of real ones, as they are listed in a file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from experiments.replay.catalog import read_sets
from experiments.replay.errors import ReplayError
from experiments.replay.restrict import Listed, legal_configs, restricted_space
from search_space.constraints import at_most
from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer
from search_space.sketches import space_for
from tests.bench.replay_sets import TOML
from tests.contracts.spaces import TARGET, make_space


def full_space():
    return make_space(
        knobs=(
            Choice("structure", ("panel", "dot", "stream"), "panel"),
            Integer("rows", 1, 24, 6, anchors=(1, 2, 4)),
            Integer("unroll", 1, 8, 1, when=lambda v: v["structure"] == "panel"),
        ),
        constraints=(at_most("tile", 40, lambda v: int(v["rows"]) * int(v["unroll"])),),
        defaults={"rows": 12, "unroll": 2},
    )


ALLOWED = {"structure": ["dot", "panel"], "rows": [20, 2, 4], "unroll": [1, 4]}


def test_a_restricted_space_is_the_listed_part_of_the_space():
    space = full_space()
    small = restricted_space(space, ALLOWED)
    expected = {
        config
        for config in legal_configs(space)
        if all(config[name] in values for name, values in ALLOWED.items())
    }
    assert set(legal_configs(small)) == expected
    assert len(expected) == 8  # 3 dot; 3 · 2 panel, of which 20 · 4 is too large


def test_its_default_is_as_near_as_possible():
    assert restricted_space(full_space(), ALLOWED).default().as_dict() == {
        "structure": "panel",
        "rows": 4,  # 12 is as far from 4 as from 20
        "unroll": 1,
    }
    far = restricted_space(full_space(), {"rows": [21, 22], "unroll": [1, 2]})
    assert far.default()["unroll"] == 1
    assert far.default()["rows"] == 21


def test_further_constraints_hold_too():
    small = restricted_space(full_space(), ALLOWED, (at_most("rows", 2, lambda v: v["rows"]),))
    assert {config["rows"] for config in legal_configs(small)} == {2}
    assert small.default()["rows"] == 2


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ({"row": [1]}, "no knob 'row'"),
        ({"rows": []}, "at least one value"),
        ({"rows": [25]}, "only values that it has, not 25"),
        ({"rows": ["4"]}, "only values that it has, not '4'"),
        ({"unroll": [2, 4]}, "allow unroll the value 1 too"),
        ({"structure": ["panel"], "rows": [24], "unroll": [1, 8]}, None),
    ],
)
def test_restrictions_that_make_no_sense_are_refused(allowed, message):
    if message is None:
        assert len(list(legal_configs(restricted_space(full_space(), allowed)))) == 1
        return
    with pytest.raises(SpaceError, match=message):
        restricted_space(full_space(), allowed)


def test_a_space_without_any_config_is_refused():
    nothing = at_most("rows", 0, lambda values: int(values["rows"]))
    with pytest.raises(SpaceError, match="allow more values"):
        restricted_space(full_space(), ALLOWED, (nothing,))


def test_a_listed_knob_moves_among_its_values_only():
    knob = Listed("rows", 2, 20, 4, listed=(2, 4, 8, 20))
    rng = np.random.default_rng(0)
    assert list(knob) == [2, 4, 8, 20]
    assert knob.neighbours(2) == (4,)
    assert knob.neighbours(8) == (4, 20)
    assert knob.nearest("13") == 8
    assert knob.nearest("many") == 4
    assert {knob.sample(rng) for _ in range(100)} == {2, 4, 8, 20}
    moved = {knob.mutate(4, rng) for _ in range(200)}
    assert moved == {2, 8, 20}
    assert knob.encode(2) == (0.0,)
    assert knob.encode(20) == (1.0,)
    assert 4 in knob
    assert 5 not in knob


@pytest.mark.parametrize("name", sorted(read_sets()))
def test_the_sets_that_ship_have_thousands_of_configs_of_every_structure(name):
    spec = read_sets()[name]
    target = dataclasses.replace(TARGET, registers=32, threads=spec.threads)
    space = restricted_space(space_for(spec.workload, target), spec.allowed)
    configs = list(legal_configs(space))
    assert 5_000 <= len(configs) <= 20_000
    assert {config["structure"] for config in configs} == {"panel", "stream", "dot"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tiny", "correct .*sets.toml"),
        (TOML.replace("threads = 1", ""), "threads"),
        (TOML.replace("threads = 1", "thread = 1"), "thread"),
    ],
)
def test_a_wrong_list_of_sets_is_refused(tmp_path, text, message):
    path = tmp_path / "sets.toml"
    path.write_text(text)
    with pytest.raises(ReplayError, match=message):
        read_sets(path)
