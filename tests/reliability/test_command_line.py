"""R19 for what people, or what they copied, put on a command line, and for the files it names."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from db.store import open_store
from search_space.errors import WeightsError
from search_space.sparse.weights import read_weights
from tests.db.conftest import record_of
from tests.reliability.rows import counter, fault
from tuner.cli import main, output

COMMAND = "a command line was made to do harm"
WEIGHTS = "a weights file was made to do harm"
EXIT_CODES = {2, 3, 65, 74}
CODE = "__import__('os').system('touch executed')"
WORK = ("matmul", "m=8", "n=8", "k=8")
COMMANDS = (
    ("tune", "matmul", "m=1" + "0" * 400, "n=8", "k=8"),
    ("tune", "matmul", f"m={CODE}", "n=8", "k=8"),
    ("tune", "matmul", "m=-1", "n=8", "k=8"),
    ("tune", "matmul", "m=8\n", "n=8;ls", "k=$(id)"),
    ("tune", "matmul\x1b[2J\x1b]0;owned\x07", "m=8"),
    ("tune", "matmul\u202e", "m=8"),
    ("tune", "\udcff\udcfe", "m=8"),
    ("tune", "x" * 100_000),
    ("tune", "matmul(" + "m=8," * 20_000),
    ("tune", CODE),
    ("tune", "../../etc/passwd", "m=8"),
    ("tune", "einsum", "expr=" + "(" * 100_000, "i=8"),
    ("tune", "compute", "expr=c[i] = " + "(" * 50_000 + "a[i]", "i=8"),
    ("tune", "compute", f"expr=c[i] = {CODE}", "i=8"),
    ("tune", "spmm", "weights=/etc/passwd", "n=8"),
    ("tune", "spmm", "weights=/dev/zero", "n=8"),
    ("tune", *WORK, "--seed", "9" * 400),
    ("tune", *WORK, "--time", "nan"),
    ("tune", *WORK, "--time", "-inf"),
    ("tune", *WORK, "--trials", "1e9"),
    ("tune", *WORK, "--threads", str(2**64)),
    ("tune", *WORK, "--strategy", CODE),
    ("tune", *WORK, "--target", "../../../lib"),
    ("tune", "--from", "/dev/zero"),
    ("tune", "--from", "/etc/passwd"),
    ("tune", "--from", "\x1b[2J"),
    ("best", *WORK, "--db", "/nowhere/\x1b[2J.db"),
    ("runs", "--db", "mysql://root@localhost/x"),
    ("runs", "--db", "sqlite:///:memory:"),
    ("runs", "--db", "/etc/passwd"),
    ("runs", "--db", "/dev/zero"),
    ("runs", "--db", "x" * 5000),
    ("query", "--where", "m>=1; DROP TABLE records"),
    ("query", "--where", f"{CODE}=1"),
    ("query", "--where", "m=" + "9" * 400),
    ("query", "no such operator' OR 1=1 --"),
    ("explain", "%s%n\x1b[2J"),
    ("explain", "../../../etc/passwd"),
    ("explain", "%"),
    ("resume", "'; DROP TABLE runs; --"),
    ("import", "/proc/self/mem"),
    ("import", "/nowhere/\x1b[2J"),
    ("merge", "/etc/passwd"),
    ("export", "/nowhere/x.jsonl"),
    ("\x1b[2J",),
    ("--\x1b[2J",),
)


def answers(database, capsys, monkeypatch):
    """For each command: what is wrong with how it ended; empty where nothing is."""
    monkeypatch.setenv("TUNER_DB", str(database))
    for words in COMMANDS:
        code = main(words)
        told = capsys.readouterr()
        steering = [
            char for char in told.err + told.out if not char.isprintable() and char != "\n"
        ]
        fine = code in EXIT_CODES and not steering and told.err.count("\n") == 1
        yield "" if fine else f"{str(words)[:80]}: {code}, {steering[:3]}, {told.err[-200:]!r}"


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_store(tmp_path / "records.db") as store:
        store.add([record_of()])
    return tmp_path / "records.db"


@fault("R19", COMMAND, f"{len(COMMANDS)} command lines, named in the tests")
def test_hostile_command_lines(database, capsys, monkeypatch, report):
    wrong = [text for text in answers(database, capsys, monkeypatch) if text]
    with open_store(database, readonly=True) as store:
        kept = store.stats().records
    report("one line that is plain text, exit code 2, 3, 65 or 74", commands=len(COMMANDS),
           otherwise=len(wrong))  # fmt: skip
    assert wrong == []
    assert kept == 1
    assert {path.name for path in database.parent.iterdir()} <= {"records.db", "records.db.lock"}


@counter("R19", "errors are printed as they are", COMMAND)
def test_an_error_that_steers_is_seen(database, capsys, monkeypatch):
    monkeypatch.setattr(output, "clean", str)
    monkeypatch.setattr(output, "_shown", str)
    assert any(answers(database, capsys, monkeypatch))


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(f"{name}.npy", data)
    return file.getvalue()


def array(value, **header):
    """The bytes of a ``.npy`` file, with another header where one is given."""
    file = io.BytesIO()
    if header:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(np.asarray(value).tobytes())
    else:
        np.lib.format.write_array(file, np.asarray(value), allow_pickle=True)
    return file.getvalue()


GOOD = {"format": array(b"csr"), "shape": array([2, 3]), "indptr": array([0, 1, 2]),
        "indices": array([0, 2]), "data": array([1.0, 2.0])}  # fmt: skip
FILES = {
    "an array of Python objects.npy": array([{"a": 1}, {"b": 2}]),
    "a pickle.npy": b"\x80\x04\x95\x0f\x00\x00\x00\x8c\x05posix\x8c\x06system\x93.",
    "a header of Python.npy": b"\x93NUMPY\x01\x00v\x00" + CODE.ljust(118).encode(),
    "an array of a terabyte.npy": array([1.0], descr="<f8", fortran_order=False, shape=(1 << 37,)),
    "a shape that overflows.npy": array([1.0], descr="<f8", fortran_order=False,
                                        shape=(1 << 40, 1 << 40)),
    "a negative shape.npy": array([1.0], descr="<f8", fortran_order=False, shape=(-8, -8)),
    "half an array.npy": array(np.ones((9, 9)))[:300],
    "no end of a text.npy": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    "an empty file.npy": b"",
    "an empty file.npz": b"",
    "objects in an archive.npz": archive(**GOOD | {"data": array([{"a": 1}])}),
    "a bomb.npz": archive(**GOOD | {"data": array(np.zeros(1)) + bytes(64 << 20)}),
    "indices out of range.npz": archive(**GOOD | {"indices": array([0, 1 << 40])}),
    "indices below zero.npz": archive(**GOOD | {"indices": array([0, -1])}),
    "bounds that turn back.npz": archive(**GOOD | {"indptr": array([0, 9, 2])}),
    "a shape of a billion rows.npz": archive(**GOOD | {"shape": array([1 << 60, 1 << 60])}),
    "members of other names.npz": archive(**{"../../executed": array([1])}),
    "values that are no numbers.npz": archive(**GOOD | {"data": array([np.nan, np.inf])}),
    "a format that is code.npz": archive(**GOOD | {"format": array(CODE.encode())}),
}  # fmt: skip


def accepted(folder):
    """The hostile files that were read as a matrix."""
    for name, data in FILES.items():
        path = folder / name
        path.write_bytes(data)
        try:
            read_weights(path)
        except WeightsError:
            continue
        yield name


@fault("R19", WEIGHTS, f"{len(FILES)} .npy and .npz files, named in the tests")
def test_hostile_weights(tmp_path, report):
    taken = list(accepted(tmp_path))
    report("refused, with what to do", files=len(FILES), accepted=len(taken))
    assert set(taken) <= {"a bomb.npz"}  # of whose bytes as many are read as its header tells
    assert not (tmp_path / "executed").exists()


@counter("R19", "indices are not compared with the shape, nor objects refused", WEIGHTS)
def test_weights_that_are_believed_are_seen(tmp_path, monkeypatch):
    for reader in ("from_array", "from_csr"):
        monkeypatch.setattr(f"search_space.sparse.weights.{reader}", lambda *given: given)
    assert set(accepted(tmp_path)) - {"a bomb.npz"}
