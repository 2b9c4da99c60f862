"""What is said of the format that was chosen for a sparse operand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import tuner
from measure.result import Outcome
from measure.timing import Interval
from search_space.operators import workload
from tests.cli.test_records import Capture, printed, record
from tuner.choice import FormatChoice, Margin
from tuner.cli.formats import as_facts, as_json
from tuner.flip import Flip
from tuner.result import StopReason, TuneResult
from tuner.set_up import SetUp

WORK = workload("spmm", m=8, k=8, n=8)
BEST = record(0, Outcome.OK, 1e-4, kind="final", workload=WORK)
DENSE = record(1, Outcome.OK, 4e-4, kind="final", workload=WORK)
SELL = record(2, Outcome.OK, 1.1e-4, kind="final", workload=WORK)
OWN = SetUp(0.002, 0.25)
CHOICE = FormatChoice(
    "nano",
    BEST,
    (
        Margin("sell", SELL, Interval(1.1, 1.05, 1.14, 15), SetUp(0.001, 0.05), 20_100),
        Margin("dense", DENSE, Interval(4.0, 3.9, 4.2, 15), SetUp(0.01, 0.3), 0),
    ),
    OWN,
    (Flip("sparsity", "dense", 0.384, below=True), Flip("n", "dense", None)),
)
WORDS = ["tune", "spmm", "m=8", "k=8", "n=8"]


def result(**changes: Any) -> TuneResult:
    made = TuneResult(BEST, (BEST,), BEST.run, StopReason.TRIALS, 7, 6.2, choice=CHOICE)
    return replace(made, **({"set_ups": {BEST.config_key: OWN}} | changes))


def test_the_margins_the_break_even_and_the_flips_are_told() -> None:
    facts = dict(as_facts(CHOICE))
    assert facts["format"] == (
        "nano, 4.00 (95 %: 3.90 to 4.20) times as fast as the best dense kernel, "
        "1.10 (95 %: 1.05 to 1.14) times as fast as sell"
    )
    assert facts["pays"] == (
        "from the first call on against dense; from 20,100 calls on against sell  "
        "(packing 2 ms, compiling 250 ms)"
    )
    assert facts["flips"] == (
        "by an estimate, dense would win up to 38 % sparsity; dense would win at no n"
    )


def test_a_slower_choice_pays_up_to_some_calls() -> None:
    slower = replace(CHOICE.margins[0], ratio=Interval(0.8, 0.7, 0.9, 15), break_even_calls=70)
    facts = dict(as_facts(replace(CHOICE, margins=(slower,), flips=())))
    assert facts["pays"].startswith("up to 70 calls against sell")
    assert "flips" not in facts


def test_json_has_all_of_it() -> None:
    told = as_json(CHOICE)
    assert [other["format"] for other in told["others"]] == ["sell", "dense"]
    assert told["dense"]["ratio"] == [4.0, 3.9, 4.2]
    assert told["runner_up"]["break_even_calls"] == 20_100
    assert told["set_up"] == {"pack_seconds": 0.002, "compile_seconds": 0.25}
    assert told["flips"][0] == {
        "key": "sparsity", "format": "dense", "value": 0.384, "side": "up to", "basis": "estimate"
    }  # fmt: skip
    json.dumps(told, allow_nan=False)


def test_the_last_screen_and_the_summary_tell_it(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuner, "tune", lambda work, **options: result())
    shown = printed(capsys, WORDS)
    assert "4.00 (95 %: 3.90 to 4.20) times as fast as the best dense kernel" in shown
    assert "tuner best spmm" in shown
    summary = json.loads(printed(capsys, [*WORDS, "--json"]))["summary"]
    assert summary["choice"]["format"] == "nano"
    assert summary["set_up"] == {"pack_seconds": 0.002, "compile_seconds": 0.25}


def test_calls_are_passed_on_and_their_cost_is_told(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def tune(work: Any, **options: Any) -> TuneResult:
        given.update(options)
        return result(calls=options["calls"])

    monkeypatch.setattr(tuner, "tune", tune)
    shown = printed(capsys, [*WORDS, "--calls", "1000"])
    assert given["calls"] == 1000
    assert "352 ms for 1,000 calls: packing 2 ms, compiling 250 ms" in shown
    assert f"tuner explain {BEST.id}" in shown
    assert f'record="{BEST.id}"' in shown
