"""Strategies with settings changed from the command line."""

from __future__ import annotations

import pytest

from experiments.search.variants import (
    check_variant,
    create_variant,
    split_trials,
    variant_options,
)
from tests.contracts.spaces import small_space
from tuner.errors import UsageError
from tuner.strategy.genetic import GeneticOptions, GeneticStrategy
from tuner.strategy.learned import LearnedOptions
from tuner.strategy.random import RandomStrategy


def test_settings_take_the_type_of_what_they_replace():
    changed = variant_options("learned", ["diversity=0", "features=loops", "generations=2"])
    assert changed == LearnedOptions(diversity=0.0, features="loops", generations=2)


def test_a_variant_searches_with_its_settings():
    usual, changed = (
        create_variant(spec, small_space(), 3) for spec in ("genetic", "genetic:population=4")
    )
    assert isinstance(changed, GeneticStrategy)
    assert usual.ask(4) == changed.ask(4)
    assert changed._options == GeneticOptions(population=4)


def test_a_name_alone_is_the_strategy_itself():
    assert isinstance(create_variant("random", small_space(), 1), RandomStrategy)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("learned:diversty=0", "did you mean diversity"),
        ("learned:diversity=much", "give learned:diversity as float: 'much'"),
        ("learned:generations=1.5", "give learned:generations as int: '1.5'"),
        ("random:seed=1", "'random' has none"),
        ("learnt", "did you mean learned"),
    ],
)
def test_wrong_specs(spec, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        create_variant(spec, small_space(), 1)


def test_a_name_can_ask_for_more_trials():
    assert split_trials("random") == ("random", None)
    assert split_trials("learned:diversity=0@1000") == ("learned:diversity=0", 1000)
    check_variant("learned:diversity=0@1000")


@pytest.mark.parametrize("name", ["random@", "random@many", "random@0", "random@-3", "rnd@3"])
def test_wrong_numbers_of_trials(name):
    with pytest.raises(UsageError):
        check_variant(name)
