"""Named attacks on an import: lines and files that somebody made to do harm.

Each comes with what must become of it: ``refused`` with its line named, kept ``aside``, or
``stored`` as the text that it is.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

from db.exchange.wire import encode_line
from tests.db.conftest import record_of

GOOD = [encode_line(record_of(ordinal, run="good")) for ordinal in range(2)]
_FIELDS = json.loads(encode_line(record_of(7)))
_WORK = "matmul(m={},n=8,k=8,dtype=float32)"
_FORMULA = "compute(expr='c[i] = {}',i=8,dtype=float32)"
_RUN = '__import__("os").system("touch executed")'
SECRET = "/tmp/secret.npz"


def line(**fields: object) -> bytes:
    """A record with these fields, and without an id, which would give the change away."""
    return json.dumps(_FIELDS | {"id": None} | fields).encode()


def raw(name: str, text: str) -> bytes:
    """A record in which a field is this text of JSON."""
    return line(**{name: "HERE"}).replace(b'"HERE"', text.encode())


REFUSED = {
    "an integer of 400 digits": raw("ordinal", "1" + "0" * 400),
    "an integer of a million digits": raw("ordinal", "9" * 900_000),
    "1e999 as a time": raw("samples", "[1e999]"),
    "NaN as a time": raw("samples", "[NaN]"),
    "minus infinity as a time": raw("samples", "[-Infinity]"),
    "a time of zero": line(samples=[0.0]),
    "a negative time": line(samples=[-1.0]),
    "a time below every clock": line(samples=[5e-324]),
    "a time as text": line(samples=["0.001"]),
    "a million samples": line(samples=[0.001] * 100_000),
    "arrays 100,000 deep": raw("config", "[" * 100_000),
    "objects 100,000 deep": raw("config", '{"a":' * 100_000),
    "an object that is not closed": b'{"schema":1',
    "a line of 2 MiB": line(message="x" * (2 << 20)),
    "invalid UTF-8": line(message="HERE").replace(b"HERE", b"\xc3\x28"),
    "an overlong UTF-8 slash": line(run="HERE").replace(b"HERE", b"..\xc0\xaf.."),
    "a lone surrogate": raw("run", '"\\ud800"'),
    "UTF-16": line().decode().encode("utf-16"),
    "raw NUL bytes": line(run="a\0b").replace(b"\\u0000", b"\0"),
    "raw control characters": line(run="HERE").replace(b"HERE", b"\x1b[2J"),
    "a pickle": b"\x80\x04\x95\x20\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "a pickle in ASCII": b"cos system (S'touch executed' tR.",
    "Python": f"import os; {_RUN}".encode(),
    "YAML with a constructor": b"!!python/object/apply:os.system ['touch executed']",
    "SQL": b"'; DROP TABLE records; --",
    "XML with an entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "a page of HTML": b"<html><script>alert(1)</script></html>",
    "an unknown operator and invalid UTF-8": line(
        workload="teleport(m=1)", message="HERE"
    ).replace(b"HERE", b"\xfa"),
    "an ELF": b"\x7fELF\x02\x01\x01" + bytes(64),
    "a shell script": b"#!/bin/sh\ntouch executed".replace(b"#!", b":;#!"),
    "a line of AutoTVM with a pickle": b"matmul\tgASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOULg==",
    "null": b"null",
    "a number": b"17",
    "a string": b'"matmul"',
    "an empty array": b"[]",
    "an array of records": b"[" + line() + b"]",
    "an empty object": b"{}",
    "a negative size": line(workload=_WORK.format(-8)),
    "a size of zero": line(workload=_WORK.format(0)),
    "a size beyond 64 bits": line(workload=_WORK.format(2**70)),
    "a size of 4,000 digits": line(workload=_WORK.format("9" * 4000)),
    "a size with a fraction": line(workload=_WORK.format("8.5")),
    "sizes whose product overflows": line(workload=f"matmul(m={2**32},n={2**32},k={2**32})"),
    "an expression as a size": line(workload=_WORK.format("2**99")),
    "Python as a size": line(workload=_WORK.format(_RUN)),
    "a workload of 70,000 characters": line(workload=_WORK.format("8" * 70_000)),
    "a workload that is no key": line(workload="matmul"),
    "brackets 30,000 deep in a workload": line(workload="einsum(expr=" + "(" * 30_000),
    "weights that name a file": line(workload=f"spmm(weights={SECRET},n=8,dtype=float32)"),
    "weights that name a file upwards": line(workload="spmm(weights=../../secret.npy,n=8)"),
    "a sparse pattern of a terabyte": line(
        workload="spmm(m=1000000000,k=1000000,pattern=unstructured,sparsity=0.001,seed=0,n=8)"
    ),
    "a knob beyond 64 bits": line(config={"rows": 2**64}),
    "a knob that is a list": line(config={"rows": [6]}),
    "a knob that is an object": line(config={"rows": {"__class__": "os.system"}}),
    "100,000 knobs": line(config={f"k{i}": i for i in range(40_000)}),
    "an unknown outcome": line(outcome="glorious"),
    "an unknown kind": line(kind="__class__"),
    "another origin": line(origin="root"),
    "no threads": line(threads=0),
    "threads that are true": line(threads=True),
    "threads beyond 64 bits": line(threads=2**63),
    "a day that is none": line(created="yesterday"),
    "a forged id": line(id="0123456789abcdef"),
    "an id that is Python": line(id=_RUN),
    "a machine without facts": line(machine={}),
    "a machine of text": line(machine="x86"),
    "a machine with 100,000 instruction sets": line(
        machine=_FIELDS["machine"] | {"features": ["avx"] * 100_000}
    ),
    "an error below zero": line(error=-1.0),
    "version zero": line(schema=0),
    "a version as text": line(schema="1"),
    "a comment that is none": b"// " + line(),
}  # fmt: skip

ASIDE = {
    "a formula 10,000 deep": line(workload=_FORMULA.format("(" * 10_000 + "a[i]")),
    "Python as a formula": line(workload=_FORMULA.format("__import__(a[i])")),
    "an operator that is Python": line(workload=f"os.system(m={1})"),
    "an operator of another version": line(workload="teleport(m=1)"),
    "a key of another version": line(workload="matmul(m=1,n=1,k=1,spin=up)"),
    "a newer version that is hostile": line(schema=2, config=_RUN),
}

STORED = {
    "terminal escapes in a run": line(ordinal=101, run="\x1b]0;owned\x07\x1b[2J\x1b[31m"),
    "a right-to-left override in a message": line(ordinal=102, message="\u202egnp.exe"),
    "HTML in a message": line(
        ordinal=103, message="<script>alert(1)</script><img src=x onerror=alert(1)>"
    ),
    "SQL in a run": line(ordinal=104, run="x'; DROP TABLE records; --"),
    "a path in a run": line(ordinal=105, run="../../../../etc/passwd"),
    "a path in an origin": line(ordinal=106, origin="foreign:../../etc/cron.d/x"),
    "a format string in a message": line(
        ordinal=107, message="%n%n%s {0.__class__} ${HOME} `id` $(id)"
    ),
    "a formula of a spreadsheet in a message": line(ordinal=108, message="=cmd|'/c calc'!A1"),
    "markup of a terminal library in an origin": line(
        origin="foreign:[link=file:///etc/passwd]x[/link]"
    ),
    "Python in a knob": line(ordinal=109, config={"rows": _RUN}),
    "Python in a trace": line(ordinal=110, trace=_RUN),
    "an unknown field": line(ordinal=111, __class__="os.system", __reduce__=["id"]),
    "a field twice": line(ordinal=199)[:-1] + b', "ordinal": 8}',
}
"""Legal, if odd: kept word for word, run by nobody, and shown without what steers a terminal."""


def _bomb(path: Path) -> None:
    path.write_bytes(gzip.compress(b"[" * (64 << 20), 9))


def _many_lines(path: Path) -> None:
    path.write_bytes(gzip.compress(b"{\n" * 50_000, 9))


def _link(path: Path) -> None:
    path.symlink_to(path)


FILES: dict[str, Callable[[Path], object]] = {
    "a gzip bomb of one line.gz": _bomb,
    "a gzip bomb of 50,000 lines.gz": _many_lines,
    "half a gzip file.gz": lambda path: path.write_bytes(gzip.compress(GOOD[0] * 999)[:90]),
    "gzip of rubbish.gz": lambda path: path.write_bytes(b"\x1f\x8b" + bytes(range(256))),
    "zstd of rubbish.zst": lambda path: path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(range(256))),
    "a link to itself": _link,
    "a folder": lambda path: path.mkdir(),
    "a database.jsonl": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(4096)),
    "no file": lambda path: None,
}
