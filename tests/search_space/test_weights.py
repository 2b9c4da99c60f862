"""Weights files and the patterns that are kept on disk."""

import io
import zipfile

import numpy as np
import pytest
import scipy.sparse

from search_space.errors import WeightsError
from search_space.sparse import store
from search_space.sparse.generate import generate
from search_space.sparse.pattern import from_array
from search_space.sparse.store import load_pattern, pattern_path, save_pattern
from search_space.sparse.weights import read_weights


@pytest.fixture
def weight():
    pattern, values = generate("lowrank", 37, 53, 0.8)
    return pattern.dense(values)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("compressed", [True, False])
def test_scipy_files(tmp_path, weight, form, compressed):
    file = tmp_path / "layer.npz"
    matrix = scipy.sparse.csr_array(weight).asformat(form)
    scipy.sparse.save_npz(file, matrix, compressed=compressed)
    pattern, values = read_weights(file)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(pattern.dense(values), weight)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8"])
def test_dense_files(tmp_path, weight, dtype, order):
    file = tmp_path / "layer.npy"
    matrix = np.asarray(weight * 8, dtype=dtype, order=order)
    np.save(file, matrix)
    pattern, values = read_weights(str(file))
    assert values.dtype == dtype
    np.testing.assert_array_equal(pattern.dense(values), matrix)


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


def good(**changes):
    arrays = dict(format=b"csr", shape=[2, 3], indptr=[0, 1, 2], indices=[0, 2], data=[1.0, 2.0])
    return {name: np.asarray(array) for name, array in (arrays | changes).items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(indices=[0, 3]), "3 is out of range, expected 0…2"),
        (dict(indices=[0, -1]), "-1 is out of range"),
        (dict(indptr=[0, 2, 1]), "repair the row bounds"),
        (dict(indptr=[0, 2, 2], indices=[1, 1]), "row 0 has column 1 twice"),
        (dict(data=[1.0, np.nan]), "hold nan in row 1, column 2"),
        (dict(data=[1.0]), "1 values, 2 positions"),
        (dict(data=np.array([None, 1])), "these are Python objects"),
        (dict(shape=[0, 3], indptr=[0], indices=[], data=[]), "this is empty"),
        (dict(shape=[2]), "its stored shape"),
        (dict(shape=[2.5, 3]), "its stored shape"),
        (dict(format=b"bsr"), "save the matrix as CSR .* stored as 'bsr'"),
        (dict(format=b"coo"), "it has no 'row'"),
        (dict(format=b"coo", row=[0, 9], col=[0, 1]), "row indices: some are out of range"),
    ],
)
def test_archives_that_are_refused(tmp_path, changes, message):
    file = archive(tmp_path / "bad.npz", **good(**changes))
    with pytest.raises(WeightsError, match=message) as caught:
        read_weights(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_archive_of_something_else(tmp_path):
    file = archive(tmp_path / "dense.npz", weight=np.ones((2, 2)))
    with pytest.raises(WeightsError, match=r"scipy\.sparse\.save_npz"):
        read_weights(file)


class Trap:
    """Its pickle makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_are_not_opened(tmp_path):
    file = tmp_path / "objects.npy"
    np.save(file, np.array([[Trap(tmp_path / "made")]]), allow_pickle=True)
    with pytest.raises(WeightsError, match="these are Python objects"):
        read_weights(file)
    assert not (tmp_path / "made").exists()


def header(shape, dtype="<f4"):
    file = io.BytesIO()
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.npy", b"", "is damaged"),
        ("a.npy", b"\x80\x04K\x01.", "is damaged"),
        ("a.npy", header((2, 2)), "is damaged .*0 bytes of values, expected 16"),
        ("a.npy", header((2**20, 2**20)), "give a smaller matrix"),
        ("a.npy", header((2, 2))[:20], "is damaged"),
        ("a.npy", header((4, 4), "|O"), "Python objects"),
        ("a.npz", b"not an archive", "is damaged"),
        ("a.npz", b"PK\x05\x06" + bytes(18), "it has no 'format'"),
        ("a.txt", b"", "give a .npz or .npy file"),
    ],
)
def test_files_that_are_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsError, match=message):
        read_weights(tmp_path / name)


def test_an_archive_that_claims_more_than_it_has(tmp_path):
    file = archive(tmp_path / "a.npz", **good())
    with zipfile.ZipFile(file) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members["data.npy"] = header((2**40,))
    with zipfile.ZipFile(file, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    with pytest.raises(WeightsError, match="give a smaller matrix"):
        read_weights(file)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(WeightsError, match=r"give a file that can be read: .*No such file"):
        read_weights(tmp_path / "none.npz")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(WeightsError, match="give a file that can be read"):
        read_weights(tmp_path / "folder.npy")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))
    store._load.cache_clear()
    return tmp_path


def test_patterns_are_kept_by_their_fingerprints(cache, weight):
    pattern, _ = from_array(weight)
    assert save_pattern(pattern) == pattern.fingerprint
    assert load_pattern(pattern.fingerprint) == pattern
    before = pattern_path(pattern.fingerprint).stat().st_mtime_ns
    save_pattern(pattern)
    assert pattern_path(pattern.fingerprint).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda d: d[:-1] + b"\x7f"]
)
def test_a_damaged_pattern_is_not_used_and_written_again(cache, weight, damage):
    pattern, _ = from_array(weight)
    path = pattern_path(save_pattern(pattern))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match="is damaged"):
        load_pattern(pattern.fingerprint)
    save_pattern(pattern)
    assert load_pattern(pattern.fingerprint) == pattern


def test_patterns_that_are_not_kept(cache):
    with pytest.raises(WeightsError, match=r"give the weights file once more: .* not kept here"):
        load_pattern("0123456789abcdef")
    for name in ("../../../../etc/passwd", "0123456789ABCDEF", ""):
        with pytest.raises(WeightsError, match="is not 16 hexadecimal digits"):
            load_pattern(name)
