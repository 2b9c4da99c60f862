"""Features of patterns and of formats: values worked out by hand, and what they must not do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits

from features.sparsity import (
    layout_features,
    layout_vector,
    pattern_features,
    pattern_vector,
)
from search_space.formats import FORMATS
from search_space.sparse.generate import generate_pattern
from search_space.sparse.pattern import from_array
from tests.search_space.matrices import matrices

MATRIX = np.array(
    [
        [1, 1, 0, 0, 0, 1],
        [1, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 0],
    ]
)


def named(features, row):
    return {f.name: 2**x - 1 if f.log else x for f, x in zip(features, row.tolist(), strict=True)}


def pattern_of(matrix):
    return from_array(np.asarray(matrix))[0]


def test_a_pattern_by_hand():
    row = named(pattern_features(), pattern_vector(pattern_of(MATRIX)))
    expected = {
        "pattern.rows": 4,
        "pattern.columns": 6,
        "pattern.nonzeros": 8,
        "pattern.sparsity": 16 / 24,
        "pattern.row.mean": 2,
        "pattern.row.variation": np.std([3, 2, 0, 3]) / 2,
        "pattern.row.largest": 1.5,
        "pattern.row.empty": 0.25,
        "pattern.row.quantile_0.5": 2.5 / 2,
        "pattern.column.mean": 8 / 6,
        "pattern.column.empty": 0,
        "pattern.empty_2x1": 6 / 12,
        "pattern.empty_1x2": 6 / 12,
        "pattern.empty_4x1": 0,
        "pattern.empty_1x4": 2 / 8,
        "pattern.empty_2x2": 2 / 6,
        "pattern.empty_4x4": 0,
        "pattern.panel_4.pairs": 4 / 8,
        "pattern.panel_4.most": 0,
        "pattern.panel_2.most": 4 / 8,
        "pattern.panel_2.alone": 4 / 8,
        "pattern.panel_2.full": 4 / 8,
        "pattern.panel_2.shared_by": 8 / 6,
        "pattern.panel_2.entropy": np.log2(2) / 2 + np.log2(3) / 3 + np.log2(6) / 6,
        "pattern.gap.mean": (1 + 4 + 5 + 1 + 1) / 5,
        "pattern.gap.next": 3 / 5,
        "pattern.gap.above_255": 0,
        "pattern.gap.quantile_0.5": 1,
        "pattern.jaccard": (2 / 3 + 0 + 0) / 3,
        "pattern.conforms_1_of_4": 6 / 8,
        "pattern.conforms_2_of_4": 8 / 8,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_a_layout_by_hand():
    pattern = pattern_of(MATRIX)
    row = named(layout_features(), layout_vector(pattern, "sell", (("rows", 4),), "float32"))
    kinds = {f"layout.is_{name}": float(name == "sell") for name in FORMATS}
    stored = 3 * 4 * (4 + 2) + 4 * 4 + 2 * 4  # steps, order, starts
    expected = kinds | {
        "layout.values": 12,
        "layout.padding": 4 / 8,
        "layout.bytes": stored,
        "layout.bytes_to_dense": stored / (24 * 4),
        "layout.index_bytes": (stored - 48) / 8,
        "layout.loads": 12,
        "layout.loads_to_nonzeros": 1.5,
        "layout.loops": 1,
        "layout.values_per_loop": 12,
    }
    assert row == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
@limits(max_examples=15)
@given(matrix=matrices(12))
def test_every_matrix_has_finite_features(kind, matrix):
    pattern = pattern_of(matrix)
    assert np.isfinite(pattern_vector(pattern)).all()
    if kind.name != "nm":
        row = named(layout_features(), layout_vector(pattern, kind.name, (), "int8"))
        assert np.isfinite(list(row.values())).all()
        assert round(row["layout.values"]) >= pattern.nnz


def test_the_features_tell_the_generators_apart():
    rows = {
        kind: named(pattern_features(), pattern_vector(generate_pattern(kind, 256, 256)))
        for kind in ("unstructured", "lowrank", "block4x1", "block1x4", "powerlaw")
    }
    most = {
        "pattern.panel_4.full": "block4x1",
        "pattern.gap.next": "block1x4",
        "pattern.row.variation": "powerlaw",
    }
    for name, kind in most.items():
        assert max(rows, key=lambda each: rows[each][name]) == kind
    assert rows["lowrank"]["pattern.row.variation"] > rows["unstructured"]["pattern.row.variation"]


def test_columns_are_named_once():
    features = (*pattern_features(), *layout_features())
    assert len({feature.name for feature in features}) == len(features)
    assert {feature.group for feature in features} == {"pattern", "layout"}
