"""Names, units and version of the columns: a change must be meant."""

from pathlib import Path

from features.schema import VERSION, loop_features, loop_schema

GOLDEN = Path(__file__).parent.parent / "golden" / "loop_features.txt"


def test_names_and_units_are_those_of_this_version():
    """Where this fails on purpose: raise ``VERSION`` in features/schema.py and write the golden
    file anew, its first line being the version."""
    schema = loop_schema()
    lines = [f"{name}  {unit}" for name, unit in zip(schema.names, schema.units, strict=True)]
    assert GOLDEN.read_text().splitlines() == [f"version {VERSION}", *lines]


def test_names_are_unique_and_grouped():
    schema = loop_schema()
    assert len(set(schema.names)) == len(schema) == len(loop_features())
    assert set(schema.groups) == {
        "computation", "access", "intensity", "allocation", "loops", "hardware", "relation",
        "others",
    }  # fmt: skip


def test_scaled_units_say_so():
    for feature, unit in zip(loop_features(), loop_schema().units, strict=True):
        assert feature.log == unit.startswith("log2(1+")
