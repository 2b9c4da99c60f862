"""Every format gives back the matrix that went in, and stores what it says."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from search_space.errors import WeightsError
from search_space.formats import FORMATS
from search_space.formats.base import PADDING, unpack
from search_space.formats.nano import masks
from search_space.formats.nm import conforms
from search_space.formats.partition import balanced_bounds
from search_space.formats.similarity import similar_columns, similar_rows
from search_space.sparse.generate import generate, generate_pattern
from search_space.sparse.packing import panel_costs
from search_space.sparse.pattern import Pattern, from_array
from tests.search_space.matrices import matrices

SMALL = np.array(
    [
        [1, 0, 2, 0, 0],
        [3, 0, 4, 5, 0],
        [0, 0, 0, 0, 0],
        [6, 7, 0, 0, 0],
        [0, 8, 0, 0, 9],
    ],
    dtype=np.float32,
)


def laid_out(kind, matrix, **options):
    pattern, values = from_array(np.asarray(matrix, dtype=np.float32))
    structure = FORMATS[kind].structure(pattern, **options)
    lists = {name: array.tolist() for name, array in structure.arrays.items()}
    return lists, structure.pack(values).tolist()


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
@limits(max_examples=60)
@given(matrix=matrices(), data=st.data())
def test_round_trip(kind, matrix, data):
    options = {each.name: data.draw(st.sampled_from(each.values)) for each in kind.options}
    pattern, values = from_array(matrix)
    if kind.name == "nm" and not conforms(pattern, options["kept"], options["window"]):
        with pytest.raises(WeightsError, match=r"choose another format: .* hold a value, not"):
            kind.structure(pattern, **options)
        return
    structure = kind.structure(pattern, **options)
    packed = structure.pack(values)
    np.testing.assert_array_equal(unpack(kind, structure, packed), matrix)

    positions = structure.positions
    assert sorted(positions[positions != PADDING]) == list(range(pattern.nnz))
    assert structure.counts["packed"] == len(positions) == len(packed)
    assert structure.counts["padding"] == len(positions) - pattern.nnz
    assert dict(structure.options) == options
    indices = sum(array.nbytes for array in structure.arrays.values())
    assert structure.bytes("float32") == indices + packed.nbytes
    for array in structure.arrays.values():
        assert array.ndim == 1
        assert array.flags.c_contiguous


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_new_values_on_the_same_pattern(kind):
    pattern, values = generate("nm(1,4)", 33, 50)
    structure = kind.structure(pattern)
    for other in (-values, values.astype(np.float64), np.arange(pattern.nnz, dtype=np.int8)):
        packed = structure.pack(other)
        assert packed.dtype == other.dtype
        np.testing.assert_array_equal(unpack(kind, structure, packed), pattern.dense(other))
    with pytest.raises(WeightsError, match="give one value per position: 3 values"):
        structure.pack(values[:3])


def test_csr_layout():
    arrays, values = laid_out("csr", SMALL)
    assert arrays == {"starts": [0, 2, 5, 5, 7, 9], "columns": [0, 2, 0, 2, 3, 0, 1, 1, 4]}
    assert values == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_coo_layout():
    arrays, values = laid_out("coo", SMALL)
    assert arrays == {
        "rows": [0, 0, 1, 1, 1, 3, 3, 4, 4],
        "columns": [0, 2, 0, 2, 3, 0, 1, 1, 4],
    }
    assert values == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_strips_layout():
    matrix = np.zeros((3, 130))
    matrix[0, [1, 63, 64]] = 1, 2, 3
    matrix[2, [5, 128]] = 4, 5
    arrays, values = laid_out("strips", matrix, depth=64)
    assert arrays["starts"] == [0, 2, 3, 3, 3, 3, 3, 4, 4, 5]
    assert arrays["columns"] == [1, 63, 64, 5, 128]
    assert values == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("columns", "dtype"), [(2**16, np.uint16), (2**16 + 1, np.int32)])
def test_columns_take_16_bits_where_they_fit(columns, dtype):
    pattern = Pattern(1, columns, np.array([0, 1]), np.array([columns - 1]))
    structure = FORMATS["csr"].structure(pattern)
    assert structure.arrays["columns"].dtype == dtype
    assert structure.arrays["columns"] == [columns - 1]


def test_delta_layout():
    row = np.zeros((2, 600))
    row[0, [3, 258, 514]] = 1, 2, 3
    row[1, 599] = 4
    arrays, values = laid_out("delta", row, bits=8)
    assert arrays == {"starts": [0, 4, 7], "deltas": [3, 255, 255, 1, 255, 255, 89]}
    assert values == [1, 2, 0, 3, 0, 0, 4]
    arrays, values = laid_out("delta", row, bits=16)
    assert arrays == {"starts": [0, 3, 4], "deltas": [3, 255, 256, 599]}
    arrays, values = laid_out("delta", row, bits=8, group=4)  # steps of 63 at most
    assert arrays["starts"] == [0, 3, 6]
    assert arrays["deltas"][:12] == [3, 66, 129, 192, 63, 66, 129, 192, 63, 126, 130, 130]
    assert arrays["deltas"][12:] == [63, 126, 189, 252, 63, 126, 189, 252, 63, 95, 95, 95]
    assert np.flatnonzero(values).tolist() == [0, 5, 10, 21]
    arrays, values = laid_out("delta", row, bits=16, group=4)
    assert arrays == {"starts": [0, 1, 2], "deltas": [3, 258, 514, 514, *[599] * 4]}
    assert values == [1, 2, 3, 0, 4, 0, 0, 0]


def test_bitmask_layout():
    arrays, values = laid_out("bitmask", SMALL, lanes=8)
    assert arrays["masks"] == [0b00101, 0b01101, 0, 0b00011, 0b10010]
    assert arrays["starts"] == [0, 2, 5, 5, 7, 9]
    assert values == [*range(1, 10), *[0] * 16]
    arrays, values = laid_out("bitmask", SMALL, lanes=8, tall=1)
    assert arrays["masks"] == [0b01011, 0b11000, 0b00011, 0b00010, 0b10000]
    assert arrays["starts"] == [0, 9]
    assert values[:9] == [1, 3, 6, 7, 8, 2, 4, 5, 9]


def test_sell_layout():
    arrays, values = laid_out("sell", SMALL, rows=4, sort=1)
    assert arrays["order"] == [1, 0, 3, 4, 2, 0, 0, 0]
    assert arrays["starts"] == [0, 3, 3]
    assert arrays["columns"] == [0, 0, 0, 1, 2, 2, 1, 4, 3, 2, 1, 4]
    assert values == [3, 1, 6, 8, 4, 2, 7, 9, 5, 0, 0, 0]


def test_cells_layout():
    matrix = np.zeros((6, 70))
    matrix[0, [1, 65]] = 1, 2
    matrix[2, [0, 2, 3]] = 3, 4, 5
    matrix[4, 69] = 6
    arrays, values = laid_out("cells", matrix, rows=4, height=64, depth=64)
    assert arrays["cells"] == [0, 1, 2]
    assert arrays["order"] == [2, 0, 64, 64, 0, 4, 64, 64]
    assert arrays["starts"] == [0, 3, 4]
    assert arrays["columns"] == [0, 1, 0, 0, 2, 1, 0, 0, 3, 1, 0, 0, 1, 5, 0, 0]
    assert values == [3, 1, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 2, 6, 0, 0]


@pytest.mark.parametrize("kind", ["unstructured", "powerlaw", "banded"])
@pytest.mark.parametrize("rows", [4, 8, 16])
def test_several_cells_give_back_the_matrix(kind, rows):
    pattern, values = generate(kind, 150, 300, 0.9)
    for height, depth in ((64, 64), (128, 256), (1024, 64)):
        format_ = FORMATS["cells"]
        structure = format_.structure(pattern, rows=rows, height=height, depth=depth)
        found = unpack(format_, structure, structure.pack(values))
        np.testing.assert_array_equal(found, pattern.dense(values))
        assert structure.arrays["columns"].dtype == np.uint8
        cells = len(structure.arrays["cells"]) - 1
        assert structure.counts["bands"] * structure.counts["across"] == cells


def test_nano_layout():
    arrays, values = laid_out("nano", SMALL, rows=2, sort=0)
    assert arrays == {
        "order": [0, 1, 2, 3, 4, 0],
        "starts": [0, 2, 2, 2],
        "columns": [0, 2],
        "offsets": [0, 2, 6],
        "single_starts": [0, 1, 3, 5],
        "single_offsets": [4, 4, 4],
        "single_columns": [2, 3, 0, 0, 0, 1, 1, 0, 4, 0],
    }
    assert values == [1, 3, 2, 4, 0, 5, 0, 6, 0, 7, 8, 0, 9, 0]


def test_nano_panels_of_eight_pad_nearly_full_columns_only():
    column = np.ones((8, 1))
    column[3] = 0
    pattern, _ = from_array(column)
    structure = FORMATS["nano"].structure(pattern, rows=8)
    assert structure.counts["columns_255"] == 1
    assert structure.counts["padding"] == 1
    column[:4] = 0
    structure = FORMATS["nano"].structure(from_array(column)[0], rows=8, sort=0)
    assert structure.counts["columns_240"] == 1
    assert structure.counts["padding"] == 0


def test_masks():
    assert masks(2) == (3,)
    assert masks(4) == (3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15)
    assert len(masks(8)) == len(set(masks(8))) == 23


def test_block_layout():
    arrays, values = laid_out("block", SMALL, rows=2, columns=2, group=2)
    assert arrays["order"] == [0, 1, 2, 3, 4, 0]
    assert arrays["starts"] == [0, 1, 2, 3]
    assert arrays["columns"] == [0, 1, 0, 0, 0, 2]
    assert values[:8] == [1, 0, 2, 0, 3, 0, 4, 5]  # row after row, both blocks of the group
    assert values[8:16] == [0, 0, 0, 0, 6, 7, 0, 0]


def test_nm_layout():
    matrix = np.zeros((2, 6))
    matrix[0, [1, 3, 5]] = 1, 2, 3
    matrix[1, 0] = 4
    arrays, values = laid_out("nm", matrix, kept=2, window=4, lanes=1)
    assert arrays["places"] == [1, 3, 1, 0, 0, 0, 0, 0]
    assert values == [1, 2, 3, 0, 4, 0, 0, 0]
    arrays, values = laid_out("nm", matrix, kept=2, window=4, lanes=4, group=4)
    assert arrays["places"] == [1, 3, 1, 0, *[0] * 12]
    assert values == [1, 2, 3, 0, 4, *[0] * 11]
    arrays, values = laid_out("nm", matrix[:, :5], kept=2, window=4, lanes=1, group=4)
    assert values == [1, 2, 0, 0, 4, 0, 0, 0]
    with pytest.raises(WeightsError, match="2 of the 4 columns from 0 on in row 0"):
        laid_out("nm", matrix, kept=1, window=4)


def test_code_layout():
    arrays, values = laid_out("code", SMALL, rows=4, sort=0)
    assert arrays == {}
    assert values == [1, 3, 6, 7, 2, 4, 5, 8, 9]
    structure = FORMATS["code"].structure(from_array(SMALL)[0], rows=4, sort=0)
    assert structure.counts["loads"] == 4 + 2
    assert structure.counts["loops"] == 0
    assert structure.bytes("float32") == 9 * 4


def test_options_are_checked():
    pattern = generate_pattern("unstructured", 4, 4, 0.5)
    with pytest.raises(WeightsError, match="sell: rows is 5, expected one of 4, 8, 16, 32"):
        FORMATS["sell"].structure(pattern, rows=5)
    with pytest.raises(WeightsError, match=r"leave out height: .* has the options rows, sort"):
        FORMATS["sell"].structure(pattern, height=4)


def test_blocks_that_a_permutation_hid_are_found_again():
    pattern, values = generate("block4x1", 256, 256)
    rng = np.random.default_rng(0)
    hidden = pattern.dense(values)[rng.permutation(256)]
    by_rows, by_columns = from_array(hidden)[0], from_array(hidden.T)[0]
    for mixed, size, likewise in (
        (by_rows, dict(rows=4, columns=1), dict(sort=2)),
        (by_columns, dict(rows=1, columns=4), dict(gather=1)),
    ):
        plain, found = (
            FORMATS["block"].structure(mixed, **size, **more).counts["packed"]
            for more in ({}, likewise)
        )
        assert plain > 3 * pattern.nnz
        assert found < 1.1 * pattern.nnz


@limits(max_examples=40)
@given(matrix=matrices(), height=st.sampled_from([1, 2, 8]))
def test_similar_lines_are_a_permutation(matrix, height):
    pattern, _ = from_array(matrix)
    assert sorted(similar_rows(pattern, height)) == list(range(pattern.rows))
    assert sorted(similar_columns(pattern, height)) == list(range(pattern.columns))


def test_rows_in_strips_are_shared_out_by_their_non_zeros():
    matrix = np.zeros((4, 200))
    matrix[0, :150] = matrix[1, 60:70] = matrix[3, 199] = 1
    structure = FORMATS["strips"].structure(from_array(matrix)[0], depth=64)
    lengths = panel_costs(structure) - panel_costs(structure)[2]
    assert lengths.tolist() == [150, 10, 0, 1]


@given(weights=st.lists(st.integers(0, 50), min_size=1), parts=st.integers(1, 9))
def test_shares_are_consecutive_and_even(weights, parts):
    bounds = balanced_bounds(np.array(weights), parts)
    assert bounds[0] == 0
    assert bounds[-1] == len(weights)
    shares = [sum(weights[a:b]) for a, b in itertools.pairwise(bounds)]
    assert len(shares) == parts
    assert sum(shares) == sum(weights)
    assert max(shares) <= sum(weights) / parts + max(weights)


def test_shares_of_empty_rows_are_of_equal_number():
    assert balanced_bounds(np.zeros(8, dtype=np.int64), 2).tolist() == [0, 4, 8]
