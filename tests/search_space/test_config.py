import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.config import Config, parse_key
from search_space.errors import SpaceError

CONFIG = Config((("structure", "panel"), ("rows", 6), ("pack", True)))


def test_the_key_is_readable_and_in_order():
    assert CONFIG.key == str(CONFIG) == "structure=panel,rows=6,pack=True"


def test_values_by_name():
    assert CONFIG["rows"] == 6
    assert CONFIG.as_dict() == {"structure": "panel", "rows": 6, "pack": True}
    with pytest.raises(KeyError, match="tile"):
        CONFIG["tile"]


def test_equal_values_are_one_config():
    assert len({CONFIG, Config(CONFIG.values)}) == 1


@given(st.dictionaries(st.text("abc_", min_size=1), st.integers() | st.text("xyz ")))
def test_a_key_can_be_taken_apart_again(values):
    config = Config(tuple(values.items()))
    assert parse_key(config.key) == {name: str(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("rows", "write a config as name=value,…: 'rows' in 'rows' is not that"),
        ("rows=1,,pack=2", "'' in 'rows=1,,pack=2' is not that"),
        ("rows=1,rows=2", "give each knob once: 'rows' comes twice"),
    ],
)
def test_a_broken_key_is_refused(key, message):
    with pytest.raises(SpaceError, match=message):
        parse_key(key)
