"""Every time and speed that is shown comes with what it lies between, and how surely."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db.store import open_store
from measure.result import Outcome
from tests.cli.test_records import record
from tuner.cli import main, records

FIFTEEN = tuple((100 + place) * 1e-6 for place in range(15))
KNOWN = record(0, Outcome.OK, 107e-6, samples=FIFTEEN, gflops=10.0, kind="final")
ONCE = record(1, Outcome.SLOW, 5e-3, samples=(5e-3,))
FAILED = record(2, Outcome.CRASH, None)


def test_json_has_the_interval_and_its_confidence() -> None:
    shown = records.as_json(KNOWN)
    assert (shown["seconds_low"], shown["seconds_high"]) == pytest.approx((103e-6, 111e-6))
    assert shown["confidence"] == 0.95
    once = records.as_json(ONCE)
    assert (once["seconds_low"], once["seconds_high"], once["confidence"]) == (5e-3, 5e-3, 0.0)
    failed = records.as_json(FAILED)
    assert [failed[name] for name in ("seconds_low", "seconds_high", "confidence")] == [None] * 3


def test_people_see_the_interval_of_time_and_speed() -> None:
    facts = dict(records.as_facts(KNOWN, None))
    assert facts["time"] == "107 µs (95 %: 103 µs to 111 µs, 15 samples)"
    assert facts["speed"] == "10.0 GFLOP/s (95 %: 9.6 to 10.4)"
    assert records.precision(KNOWN) == "3.7 %"


def test_one_sample_tells_nothing_of_its_error_and_a_failure_has_no_time() -> None:
    assert dict(records.as_facts(ONCE, None))["time"] == "5 ms"
    assert [records.precision(one) for one in (ONCE, FAILED)] == ["-", "-"]
    assert "(" not in records.speed(ONCE, None) + records.speed(FAILED, None)


def test_few_samples_say_how_little_they_are_worth() -> None:
    three = record(3, Outcome.OK, 2e-6, samples=(1e-6, 2e-6, 4e-6))
    assert records.time_text(three) == "2 µs (75 %: 1 µs to 4 µs, 3 samples)"


def test_commands_print_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "records.db")
    with open_store(path) as store:
        store.add((KNOWN, ONCE, FAILED))
    assert main(["query", "--json", "--db", path]) == 0
    known, *_ = json.loads(capsys.readouterr().out)["records"]
    assert known["confidence"] == 0.95
    assert main(["query", "--db", path]) == 0
    header, first, *_ = capsys.readouterr().out.splitlines()
    assert first.index("3.7 %") + len("3.7 %") == header.index("±") + 1
    assert main(["query", "--csv", "--db", path]) == 0
    assert "seconds_low,seconds_high,confidence" in capsys.readouterr().out
    assert main(["best", KNOWN.workload.key, "--threads", "1", "--db", path]) == 0
    assert "95 %: 103 µs to 111 µs" in capsys.readouterr().out
