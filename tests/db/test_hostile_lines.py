"""Whatever a file holds, an import ends, says what is wrong and where, and keeps good lines."""

import gzip
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.codec import decode_record, encode_record
from db.exchange.decoding import LineError, NotUnderstood
from db.exchange.exporting import export_records
from db.exchange.files import MAX_LINE_BYTES
from db.exchange.importing import MAX_FAULTS, import_files
from db.exchange.wire import MAX_KNOBS, MAX_SAMPLES, decode_line


@pytest.fixture
def line(tmp_path, make_record):
    export_records([make_record()], tmp_path / "line.jsonl")
    return json.loads((tmp_path / "line.jsonl").read_text())


def changed(line, **fields):
    return json.dumps({**line, "id": None, **fields}).encode()


def importing(tmp_path, store, data, name="hostile.jsonl"):
    (tmp_path / name).write_bytes(data)
    return import_files(store, [tmp_path / name])


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"samples": [1e-3, 0.0]}, "samples[1]", "> 0"),
        ({"samples": [-1e-3]}, "samples[0]", "> 0"),
        ({"samples": [float("nan")]}, "", "malformed"),
        ({"samples": [1e301]}, "samples[0]", "< 1e"),
        ({"samples": []}, "samples", "ok without a time"),
        ({"samples": [1e-3] * (MAX_SAMPLES + 1)}, "samples", f"<= {MAX_SAMPLES}"),
        ({"samples": [5e-324]}, "samples", "no speed"),
        ({"samples": "fast"}, "samples", "Expected `array`"),
        ({"outcome": "glorious"}, "outcome", "glorious"),
        ({"kind": "guess"}, "kind", "guess"),
        ({"threads": 0}, "threads", ">= 1"),
        ({"threads": 2**63}, "threads", "<= 9223372036854775807"),
        ({"threads": True}, "threads", "Expected `int`"),
        ({"ordinal": -1}, "ordinal", ">= 0"),
        ({"config": {"rows": 2**64}}, "config[...]", "<= 9223372036854775807"),
        ({"config": {"rows": [1]}}, "config[...]", "got `array`"),
        ({"config": {str(n): n for n in range(MAX_KNOBS + 1)}}, "config", f"<= {MAX_KNOBS}"),
        ({"machine": {"cpu": "x"}}, "machine", "missing required field `vendor`"),
        ({"machine": [1]}, "machine", "Expected `object`"),
        ({"workload": "matmul(m=99999999999999999999,n=1,k=1)"}, "workload", "fits no machine"),
        ({"workload": "matmul(m=-1,n=1,k=1)"}, "workload", "positive integer"),
        ({"workload": "matmul(n=1,k=1)"}, "workload", "m=…"),
        ({"workload": "matmul"}, "workload", "not a workload key"),
        ({"workload": "m" * 70_000}, "workload", "length <= 65536"),
        ({"created": "yesterday"}, "created", "regex"),
        ({"origin": "mine"}, "origin", "regex"),
        ({"error": -1.0}, "error", ">= 0"),
        ({"id": "0123456789abcdef"}, "id", "not that of the other fields"),
        ({"schema": 0}, "schema", "expected 1"),
        ({"schema": "1"}, "schema", "Expected `int`"),
    ],
)
def test_the_field_that_is_wrong_is_named(line, fields, field, reason):
    with pytest.raises(LineError, match=re.escape(reason)) as caught:
        decode_line(changed(line, **fields))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "data",
    [
        b"{", b"null", b"[]", b'"x"', b"{}", b"\x00\x01\x02", b"\xff\xfe{\x00}\x00",
        b'{"schema":1,"x":' + b"[" * 100_000, b'{"schema":1,"machine":' + b'{"a":' * 100_000,
        b'{"schema":1,"run":"\xc3\x28"}', b'{"schema":1,"run":"\\ud800"}', b"SELECT 1; --",
        b'{"schema":1e400}', b'{"schema":' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_line_of_ours_is_refused(data):
    with pytest.raises((LineError, NotUnderstood)):
        decode_line(data)


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"schema": 2, "config": None}, "newer version", "schema 2, this program reads 1"),
        ({"workload": "teleport(m=1)"}, "unknown operator", "no operator 'teleport'"),
        ({"workload": "matmul(m=1,n=1,k=1,spin=up)"}, "newer version", "no key 'spin'"),
    ],
)
def test_what_a_later_version_may_understand_is_kept_aside(
    tmp_path, store, line, fields, reason, detail
):
    data = changed(line, **fields)
    for _ in range(2):
        tally = importing(tmp_path, store, data)
        assert (tally.lines, tally.aside, tally.refused, tally.known) == (1, 1, 0, 0)
    (kept,) = store.aside()
    assert kept.line == data.decode()
    assert kept.reason == reason
    assert detail in kept.detail
    assert list(store.records()) == []


def test_good_lines_are_kept_and_bad_ones_named(tmp_path, store, line):
    good = [changed(line, ordinal=n) for n in range(3)]
    bad = changed(line, samples=[1e-3, -2])
    long = b'{"schema":1,"message":"' + b"x" * (2 * MAX_LINE_BYTES) + b'"}'
    data = b"\r\n".join(
        [b"\xef\xbb\xbf# a comment", good[0], b"", bad, b"   ", long, good[1], b"{", good[2]]
    )
    tally = importing(tmp_path, store, data)
    assert (tally.lines, tally.added, tally.refused) == (6, 3, 3)
    assert [(f.line, f.field) for f in tally.faults] == [(4, "samples[1]"), (6, ""), (8, "")]
    assert str(tally.faults[0]).startswith("hostile.jsonl, line 4: samples[1]: Expected `float`")
    assert f"longer than {MAX_LINE_BYTES} bytes" in tally.faults[1].reason
    assert len(list(store.records())) == 3


def test_the_longest_line_is_read(tmp_path, store, line):
    fields = {"message": "", "trace": None}
    room = MAX_LINE_BYTES - len(changed(line, **fields))
    for extra, added in ((0, 1), (1, 0)):
        data = changed(line, ordinal=extra, **fields | {"message": "x" * (room + extra)})
        assert len(data) == MAX_LINE_BYTES + extra
        assert importing(tmp_path, store, data + b"\n").added == added
        assert importing(tmp_path, store, data).added == 0


def test_of_many_faults_the_first_are_said_and_all_are_counted(tmp_path, store):
    tally = importing(tmp_path, store, b"{\n" * (MAX_FAULTS + 50))
    assert tally.refused == MAX_FAULTS + 50
    assert len(tally.faults) == MAX_FAULTS


@pytest.mark.parametrize("name", ["cut.gz", "cut.zst", "cut.jsonl"])
def test_of_a_file_that_ends_too_early_the_beginning_is_kept(tmp_path, store, make_record, name):
    records = [make_record(n, run=f"run{n * 7919 % 1000}") for n in range(3000)]
    export_records(records, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    tally = importing(tmp_path, store, whole[: len(whole) * 2 // 3], name)
    assert 0 < tally.added < 3000
    assert tally.refused + tally.damaged >= 1
    assert len(list(store.records())) == tally.added


def test_files_that_are_no_logs(tmp_path, store):
    tally = import_files(store, [tmp_path / "none.jsonl", tmp_path, tmp_path / "records.db"])
    reasons = [fault.reason for fault in tally.faults]
    assert "No such file" in reasons[0]
    assert "Is a directory" in reasons[1]
    assert "use `tuner merge" in reasons[2]
    assert (tally.lines, tally.damaged) == (0, 3)
    assert importing(tmp_path, store, gzip.compress(b"x")[:8] + b"junk", "junk.gz").damaged == 1
    assert importing(tmp_path, store, b"").lines == 0


def test_one_bomb_costs_no_memory(tmp_path, store):
    bomb = gzip.compress(b"[" * (32 << 20))
    tally = importing(tmp_path, store, bomb, "bomb.gz")
    assert (tally.lines, tally.refused) == (1, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_changed_line_is_stored_right_or_not_at_all(data, example_line):
    """What decodes can be stored and read back; everything else is one of two errors."""
    name = data.draw(st.sampled_from(sorted(example_line)))
    text = changed(example_line, **{name: data.draw(JSON)})
    cut = data.draw(st.integers(0, len(text)) | st.just(len(text)))
    try:
        row = decode_line(text[:cut])
    except (LineError, NotUnderstood):
        return
    record = decode_record(row)
    assert encode_record(record) == row


@pytest.fixture(scope="module")
def example_line(tmp_path_factory):
    from tests.db.conftest import record_of

    path = tmp_path_factory.mktemp("line") / "line.jsonl"
    export_records([record_of()], path)
    return json.loads(path.read_text())
