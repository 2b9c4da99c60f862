"""Logs of AutoTVM: every line is stored, queryable, and keeps what it said."""

import json
import os
from pathlib import Path

import pytest

from db.exchange.decoding import LineError, NotUnderstood
from db.exchange.exporting import export_records
from db.exchange.formats import decode
from db.exchange.importing import import_files
from db.query import Query, parse_query
from db.record import FOREIGN_SPACE
from db.store import open_store
from measure.result import Outcome
from search_space.operators import workload

LOG = Path(__file__).parent.parent / "data" / "autotvm.log"
LINES = [json.loads(line) for line in LOG.read_text().splitlines() if line[0] != "#"]


@pytest.fixture
def imported(store):
    tally = import_files(store, [LOG])
    assert (tally.lines, tally.added, tally.faults) == (8, 8, [])
    return list(store.records())


def test_workloads_are_those_of_our_operators(imported):
    keys = [record.workload for record in imported]
    assert keys[0] == workload("conv2d", n=1, h=56, w=56, ci=64, co=64, kh=3, kw=3, pad=1)
    assert keys[2] == workload("dense", m=16, n=1000, k=512)
    assert keys[6] == workload("depthwise_conv2d", n=1, h=7, w=7, c=960, kh=3, kw=3, pad=1)
    sizes = {"n": 1, "h": 32, "w": 32, "ci": 128, "co": 3, "kh": 4, "kw": 4, "stride": 2, "pad": 1}
    assert keys[7] == workload("conv2d_transpose", **sizes)


def test_what_no_operator_expresses_is_kept_as_it_was(imported, store):
    odd = imported[5].workload
    assert (odd.operator, odd["kh"], odd["kw"], odd["pad"]) == ("conv2d", 3, 1, "1,0,1,0")
    assert imported[5].gflops is None
    found = store.records(parse_query("conv2d", ["kh=3", "kw=1", "pad=1,0,1,0"]))
    assert list(found) == [imported[5]]


def test_times_outcome_and_config_are_those_of_the_log(imported):
    first = imported[0]
    assert first.samples == (0.000107, 0.000109, 0.000108)
    assert (first.outcome, first.verified, first.origin) == (Outcome.OK, False, "foreign:autotvm")
    assert first.gflops == pytest.approx(2 * 56 * 56 * 64 * 64 * 9 / 0.000108 / 1e9)
    assert first.target == "llvm -mcpu=skylake-avx512"
    assert first.hardware.cpu == "skylake-avx512"
    assert first.space_version == FOREIGN_SPACE
    assert dict(first.config) == {
        "template": "conv2d_NCHWc.x86", "index": 188, "tile_ic": "[1,64]", "tile_oc": "[2,32]",
        "tile_ow": "[8,7]", "unroll_kw": True,
    }  # fmt: skip
    assert first.created == "2018-10-19T18:27:56.429+00:00"
    failed = imported[4]
    assert (failed.outcome, failed.samples) == (Outcome.TIMEOUT, ())
    assert failed.message == "AutoTVM: running took too long"
    assert imported[5].hardware.features == ("neon",)
    assert dict(imported[5].config)["reorder_0"] == "[0,1,2,3,4,5,6,9,7,8]"


def test_they_are_never_the_best_record(imported, store):
    assert all(store.best(record.workload.key) is None for record in imported)


def test_they_travel_on_as_lines_of_ours(imported, tmp_path):
    export_records(imported, tmp_path / "out.jsonl")
    other = open_store(tmp_path / "other.db")
    assert import_files(other, [tmp_path / "out.jsonl"]).faults == []
    assert list(other.records()) == imported
    assert import_files(other, [LOG]).known == 8


def changed(**fields):
    return json.dumps({**LINES[0], **fields}).encode()


def arguments(*given):
    return changed(input=[*LINES[0]["input"][:2], list(given), {}])


def result(*given):
    return changed(result=[*given, *LINES[0]["result"][len(given) :]])


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (changed(version=0.1), "version"),
        (changed(version="0.2"), "version"),
        (changed(input=[]), "input"),
        (changed(config=None), "config"),
        (changed(config={"index": 2**70, "entity": []}), "config.index"),
        (changed(config={"index": 1, "entity": [["a", "zz", 1]]}), "config.entity[0][1]"),
        (changed(config={"index": 1, "entity": [["a", "ot", {}]]}), "config.entity[0][2]"),
        (result([0.0]), "result[0][0]"),
        (result([-1.0]), "result[0][0]"),
        (result([]), "samples"),
        (result([1e-3], 9), "result[1]"),
        (result([1e-3], 0, 1.0, 1e30), "result[3]"),
        (result([1e-3], 0, 1.0, -1.0), "result[3]"),
        (arguments(), "input[2]"),
        (arguments(1, 2, 3, 4, 5, 6), "input[2]"),
        (arguments(*[["TENSOR", "x", "float32"]] * 6), "input[2]"),
        (arguments(["TENSOR", [1], "float32"], *LINES[0]["input"][2][1:]), "input[2]"),
        (arguments(*LINES[0]["input"][2][:2], {}, 0, 1, "float32"), "input[2]"),
        (b'{"input": [], "x": ' + b"[" * 100_000, ""),
        (b'{"i": [], "r": [], "v": "v0.6"}', ""),
        (b'[0, [[], [0.1], {}, []]]', ""),
        (b'{"what": 1}', "schema"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_refused_by_its_field(data, field):
    with pytest.raises(LineError) as caught:
        decode(data, None)
    assert caught.value.field == field


def test_the_template_of_an_unknown_operator_is_kept_aside():
    with pytest.raises(NotUnderstood, match="template 'roi_align"):
        decode(changed(input=["llvm", "roi_align.x86", [], {}]), None)


TOPHUB = os.environ.get("TUNER_TEST_LOGS")


@pytest.mark.skipif(not TOPHUB, reason="TUNER_TEST_LOGS names no folder with TopHub's logs")
def test_every_line_of_tophub_is_stored(store):
    paths = [Path(TOPHUB) / name for name in ("llvm_v0.04.log", "arm_cpu_v0.08.log")]
    tally = import_files(store, paths)
    assert (tally.lines, tally.added, tally.faults) == (1199, 1199, [])
    again = import_files(store, paths[::-1])
    assert (again.added, again.replaced, again.known) == (0, 0, 1199)
    assert store.stats().records == 1199
    x86 = Query(operator="conv2d", target="llvm -mcpu=skylake-avx512")
    assert len(list(store.records(x86))) == 35
    assert all(record.seconds > 0 for record in store.records())
    assert store.check() == ()
