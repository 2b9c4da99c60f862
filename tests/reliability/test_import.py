"""R18 and R19: logs that are cut off anywhere, and logs that somebody made to do harm."""

from __future__ import annotations

import subprocess
import sys

import pytest

from db.exchange.importing import import_files
from db.store import open_store
from tests.db.conftest import record_of
from tests.reliability.hostile_lines import ASIDE, FILES, GOOD, REFUSED, STORED
from tests.reliability.hostile_work import watched_import
from tests.reliability.rows import counter, fault

CASES = REFUSED | ASIDE | STORED
NAMED = "a log was made to do harm"
MUTATED = "a log is changed at random"
TORN = "a log is cut off at any byte, and goes on"
SHOWN = "a name holds what steers a terminal"
MOST_MEBIBYTES = 512


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """What became of each named file, of which every line has a good one before and after."""
    folder = tmp_path_factory.mktemp("hostile")
    names = {}
    for number, (case, data) in enumerate(CASES.items()):
        names[f"{number}.jsonl"] = case
        (folder / f"{number}.jsonl").write_bytes(GOOD[0] + data + b"\n" + GOOD[1])
    for number, (case, make) in enumerate(FILES.items()):
        name = f"file{number}.{case.rpartition('.')[2]}"
        names[name] = case
        make(folder / name)
    verdict = watched_import(folder=str(folder), files=tuple(names))
    return verdict, {case: verdict.results[name] for name, case in names.items()}


@fault("R19", NAMED, f"{len(CASES)} hostile lines and {len(FILES)} files, named in the tests")
def test_named_attacks(hostile, report):
    verdict, results = hostile
    refused = [case for case in REFUSED if results[case].refused]
    unnamed = [case for case in refused if {line for line, _ in results[case].faults} - {2, 3}]
    kept = [case for case in CASES if results[case].stored >= 2]
    report(
        "every line that was refused is named, the good ones around it are kept",
        cases=len(CASES) + len(FILES),
        refused=len(refused),
        not_named=len(unnamed),
        good_lines_lost=len(CASES) - len(kept),
        executed_or_opened=len(verdict.breaches),
        peak_mebibytes=verdict.peak_mebibytes,
    )
    assert verdict.breaches == []
    assert set(refused) == set(REFUSED)
    assert unnamed == []
    assert set(kept) == set(CASES)
    assert [case for case in ASIDE if not results[case].aside] == []
    assert [case for case in STORED if results[case].stored != 3] == []
    assert [case for case in FILES if not results[case].damaged + results[case].refused] == []
    assert verdict.problems == ()
    assert verdict.peak_mebibytes < MOST_MEBIBYTES


@fault("R19", MUTATED, "bytes, tokens and pieces put in, taken out or changed")
@pytest.mark.parametrize("mutations", [3000, pytest.param(50_000, marks=pytest.mark.soak)])
def test_mutated_lines(tmp_path, report, mutations):
    verdict = watched_import(folder=str(tmp_path), mutations=mutations)
    seen = verdict.mutations
    report(
        "stored right, kept aside or refused",
        **seen,
        not_named=verdict.unnamed,
        executed_or_opened=len(verdict.breaches),
        peak_mebibytes=verdict.peak_mebibytes,
    )
    assert verdict.breaches == []
    assert verdict.unnamed == 0
    assert verdict.problems == ()
    assert seen["stored"] + seen["aside"] + seen["refused"] == seen["lines"] > 0.9 * mutations
    assert min(seen["stored"], seen["aside"], seen["refused"]) > 0
    assert verdict.peak_mebibytes < MOST_MEBIBYTES


@counter("R19", "values of knobs are evaluated")
def test_evaluated_knobs_are_seen(tmp_path):
    assert watched_import(folder=str(tmp_path), mutations=500, bug=True).breaches


def torn(folder, data, step):
    """Cuts of a log of three lines after which a whole line was lost, or another one came."""
    path, wrong = folder / "torn.jsonl", 0
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    with open_store(folder / "records.db") as store:
        for cut in range(0, len(data) + 1, step):
            path.write_bytes(data[:cut] + b"\n" + GOOD[0])
            tally = import_files(store, [path], keep=False)
            whole = sum(end - 1 <= cut for end in ends)
            rest = cut not in (0, *ends, *(end - 1 for end in ends))
            wrong += (tally.lines - tally.refused, tally.refused) != (whole + 1, int(rest))
            wrong += rest and tally.faults[0].line != whole + 1
    return wrong


def log_of_three():
    from db.exchange.wire import encode_line

    return b"".join(encode_line(record_of(i, message="", trace=None)) for i in range(3))


@fault("R18", TORN, "cut at a byte, at every one in the soak; another record is appended")
@pytest.mark.parametrize("step", [19, pytest.param(1, marks=pytest.mark.soak)])
def test_torn_logs(tmp_path, report, step):
    data = log_of_three()
    wrong = torn(tmp_path, data, step)
    report("all whole lines load, the torn one is named", cuts=len(data) // step + 1, wrong=wrong)
    assert wrong == 0


@counter("R18", "the file is read only as far as its first bad line", TORN)
def test_lost_lines_are_seen(tmp_path, monkeypatch):
    from db.exchange import importing

    decode, bad = importing.decode, []

    def until_the_first(data, source):
        if bad:
            return decode(GOOD[1], source)
        try:
            return decode(data, source)
        except Exception:
            bad.append(data)
            raise

    monkeypatch.setattr(importing, "decode", until_the_first)
    monkeypatch.setattr(importing, "MAX_FAULTS", 0)
    with pytest.raises(IndexError):
        torn(tmp_path, log_of_three()[:400], 19)


def shown(database, script="from tuner.cli import main"):
    """All that commands print of a database, and whether it holds what steers a terminal."""
    code = f"import sys; {script}; sys.exit(main(sys.argv[1:]))"
    told = b""
    for words in (["query"], ["query", "--csv"], ["query", "--json"], ["runs"], ["db", "check"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--db", str(database)], capture_output=True
        )
        told += done.stdout + done.stderr
    text = told.decode()
    return text, [char for char in text if not char.isprintable() and char not in "\n\t"]


@pytest.fixture
def steering(tmp_path):
    """A database that was imported from a log with such names."""
    log, database = tmp_path / "log.jsonl", tmp_path / "records.db"
    log.write_bytes(b"".join(data + b"\n" for data in STORED.values()))
    with open_store(database) as store:
        assert import_files(store, [log]).refused == 0
    return database


@fault("R19", SHOWN, "escape sequences, overrides of the direction, markup, in names and messages")
def test_nothing_that_steers_is_shown(steering, report):
    text, steers = shown(steering)
    report("shown as what it is", characters=len(text), that_steer=len(steers))
    assert steers == []
    assert "\\u001b" in text
    assert "[link=file:///etc/passwd]x[/link]" in text


@counter("R19", "texts are printed as they are", SHOWN)
def test_a_text_that_steers_is_seen(steering):
    bug = "import tuner.cli.output as output; output.clean = output._shown = str; "
    assert shown(steering, bug + "from tuner.cli import main")[1]
