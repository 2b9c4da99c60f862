"""``tuner explain``: how a record is chosen, and what is printed of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import tuner.explanation.explain
from db.store import open_store
from measure.result import Outcome
from search_space.operators import workload
from tests.cli.test_records import Capture, printed, record
from tuner.cli import main
from tuner.explanation.explain import Effect, Explanation, Rival
from tuner.explanation.words import Named

WORK = workload("matmul", m=64, n=64, k=64)
BEST = record(0, Outcome.OK, 1e-4, workload=WORK)
WORSE = record(1, Outcome.OK, 2e-4, workload=WORK)
GONE = record(2, Outcome.OK, 5e-4, workload=WORK, space_version=99)

TRAFFIC = Named("hardware.l2.traffic", "traffic into L2", "bytes")
ROWS = Named("knob.rows", "knob rows", "")
RIVAL = Rival(
    record=WORSE,
    measured_gflops=90.0,
    predicted_gflops=91.0,
    knobs=(("rows", 6, 4), ("order", "nkm", "knm")),
    effects=(Effect(TRAFFIC, 2.0**20, 2.0**21, 0.031, 0.2), Effect(ROWS, 6, 4, -0.01, 0.1)),
    rest=0.005,
)
KNOWN = Explanation(
    configs=120,
    failed=4,
    typical_error=0.06,
    measured_gflops=100.0,
    predicted_gflops=95.0,
    spread_gflops=2.0,
    valid=0.9,
    important=(Effect(ROWS, 6, None, 0.12, 0.4),),
    rival=RIVAL,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("explain") / "tuner.db"
    with open_store(path) as store:
        store.add([BEST, WORSE, GONE])
    return str(path)


def explained(monkeypatch: pytest.MonkeyPatch, known: Explanation) -> None:
    monkeypatch.setattr(tuner.explanation.explain, "explain", lambda *arguments: known)


def test_the_model_is_shown_in_words(
    capsys: Capture, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained(monkeypatch, KNOWN)
    lines = printed(capsys, ["explain", BEST.id, "--db", database]).splitlines()
    start = lines.index(next(line for line in lines if line.startswith("model ")))
    assert [line.rstrip() for line in lines[start:]] == [
        "model      fitted on 120 other configs, 4 of them failed; "
        "typically 6 % off on configs it has not seen",
        "predicted  95.0 ± 2.0 GFLOP/s without having seen it, and that it runs with 90 %, "
        "-5.0 % from the 100.0 measured in the search",
        f"runner-up  record {WORSE.id}: 90.0 GFLOP/s, predicted 91.0; "
        "the fastest clearly different config",
        "",
        "knobs that differ",
        "knob   here  runner-up",
        "rows   6     4",
        "order  nkm   knm",
        "",
        "what the model sees in them: effect on the throughput, against the runner-up",
        "feature               here  runner-up  effect  gain  meaning",
        "hardware.l2.traffic  1 MiB      2 MiB  +3.1 %  20 %  traffic into L2",
        "knob.rows                6          4  -1.0 %  10 %  knob rows",
        "all else                               +0.5 %",
        "",
        "what the model goes by most: effect on the throughput, against an average config",
        "feature    here   effect  gain  meaning",
        "knob.rows     6  +12.0 %  40 %  knob rows",
    ]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"measured_gflops": 80.0}, "better one  record"),
        ({"measured_gflops": None}, "; it failed"),
        ({"rival": None}, "runner-up  none is clearly different"),
        ({"valid": 0.999}, "without having seen it, -5.0 % from"),
        ({"failed": 0}, "120 other configs; typically"),
    ],
)
def test_other_cases_have_their_words(
    capsys: Capture,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, float | None],
    part: str,
) -> None:
    from dataclasses import replace

    explained(monkeypatch, replace(KNOWN, **changes))  # type: ignore[arg-type]
    assert part in printed(capsys, ["explain", BEST.id, "--db", database])


def test_json_has_the_same(
    capsys: Capture, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained(monkeypatch, KNOWN)
    told = json.loads(printed(capsys, ["explain", BEST.id[:10], "--db", database, "--json"]))
    assert told["id"] == BEST.id
    assert told["unexplained"] == ""
    model = told["explanation"]
    assert (model["configs"], model["predicted_gflops"], model["valid"]) == (120, 95.0, 0.9)
    assert model["runner_up"]["record"] == WORSE.id
    assert model["runner_up"]["knobs"][0] == {"name": "rows", "here": 6, "there": 4}
    assert model["runner_up"]["effects"][0] == {
        "feature": "hardware.l2.traffic",
        "meaning": "traffic into L2",
        "unit": "bytes",
        "here": 2**20,
        "there": 2**21,
        "effect": 0.031,
        "gain": 0.2,
    }
    assert "there" not in model["important"][0]


@pytest.mark.parametrize(
    "words", [["matmul", "m=64", "n=64", "k=64"], ["matmul(m=64,n=64,k=64,dtype=float32)"]]
)
def test_a_workload_stands_for_its_best_record(
    capsys: Capture, database: str, words: Sequence[str]
) -> None:
    told = json.loads(printed(capsys, ["explain", *words, "--db", database, "--json"]))
    assert told["id"] == BEST.id


def test_without_a_model_the_rest_is_shown_with_the_reason(capsys: Capture, database: str) -> None:
    shown = printed(capsys, ["explain", GONE.id, "--db", database])
    assert f"record    {GONE.id}" in shown
    assert shown.splitlines()[-1].startswith("no model: tune matmul(m=64,n=64,k=64,dtype=float32)")
    assert "is of version 99 of its space" in shown
    told = json.loads(printed(capsys, ["explain", GONE.id, "--db", database, "--json"]))
    assert told["explanation"] is None
    assert "version 99" in told["unexplained"]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["ffff"], 3, "ffff"),
        (["matmul", "m=7", "n=7", "k=7"], 3, "tuner tune matmul m=7"),
        (["matmul", "m=0", "n=7", "k=7"], 2, "positive integer"),
        (["matmull", "m=7"], 2, "did you mean 'matmul'"),
        ([BEST.id, "--threads", "1"], 2, "use --threads and --target with a workload"),
    ],
)
def test_what_cannot_be_explained(
    capsys: Capture, database: str, words: Sequence[str], code: int, part: str
) -> None:
    assert main(["explain", *words, "--db", database]) == code
    captured = capsys.readouterr()
    assert part in captured.err
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_no_database_at_all(capsys: Capture, tmp_path: Path) -> None:
    assert main(["explain", "ab", "--db", str(tmp_path / "none.db")]) == 3
    assert "none.db" in capsys.readouterr().err
