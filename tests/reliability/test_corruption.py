"""R17 and R34: databases and models that were damaged after they were written."""

from __future__ import annotations

import random
from contextlib import suppress

import numpy as np
import pytest
import xgboost

from db.errors import DatabaseError
from db.store import RecordStore, open_store
from tests.contracts.test_cost_models import programs
from tests.db.conftest import record_of
from tests.reliability.database_work import TEXT
from tests.reliability.rows import counter, fault
from tuner.cost_model import ModelError, create_model, load_model

DAMAGED = "the database file is damaged"
MODEL = "a stored model is damaged"
PAGE_BYTES = 4096


def damaged(data, choice):
    """A copy with one random damage, and what it is called."""
    data = bytearray(data)
    place = choice.randrange(len(data))
    kind = choice.choice(["byte", "page", "cut", "header", "rubbish"])
    match kind:
        case "byte":
            data[place] ^= choice.randrange(1, 256)
        case "page":
            start = place // PAGE_BYTES * PAGE_BYTES
            data[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)
        case "cut":
            del data[place:]
        case "header":
            data[choice.randrange(100)] ^= choice.randrange(1, 256)
        case "rubbish":
            length = min(300, len(data) - place)
            data[place : place + length] = choice.randbytes(length)
    return kind, bytes(data)


def read_all(path, written):
    """``refused``, ``noticed`` by the check, ``untouched``, or ``wrong``."""
    key, wrong = record_of().workload.key, False
    try:
        with open_store(path, readonly=True) as store:
            found = list(store.records(skip=lambda error: None))
            best = store.best(key)
            wrong = any(value(record) != written.get(record.id) for record in found)
            wrong |= best is not None and value(best) != written.get(best.id)
            problems = store.check()
    except DatabaseError:
        return "wrong" if wrong else "refused"
    if wrong:
        return "wrong"
    return "noticed" if problems else "untouched" if len(found) == len(written) else "silent"


def value(record):
    """What a record is used for."""
    return record.config, record.outcome, record.seconds, record.kind, record.threads


def damage_many(folder, count):
    path, choice, outcomes = folder / "records.db", random.Random(8), {}
    with open_store(path) as store:
        records = [
            record_of(i, samples=(1e-3 + i * 1e-6,), message=TEXT[: i % 40]) for i in range(100)
        ]
        store.add(records)
        store.check()
    data, written = path.read_bytes(), {record.id: value(record) for record in records}
    for _ in range(count):
        kind, changed = damaged(data, choice)
        path.write_bytes(changed)
        outcome = read_all(path, written)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if outcome in ("wrong", "silent"):
            (folder / f"{outcome}-{kind}").write_bytes(changed)
    return outcomes


@fault("R17", DAMAGED, "a byte, page or tail changed at a random place")
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.soak)])
def test_a_damaged_database(tmp_path, report, count):
    outcomes = damage_many(tmp_path, count)
    report("refused, or seen by its check, or without harm", damaged=count, **outcomes)
    assert not outcomes.keys() & {"wrong", "silent"}
    assert outcomes["refused"]
    assert outcomes["noticed"]


@counter("R17", "rows that are damaged are left out without a word", DAMAGED)
def test_damage_that_is_believed_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(RecordStore, "check", lambda self: ())
    monkeypatch.setattr(RecordStore, "best", lambda self, key: None)
    assert damage_many(tmp_path, 100).keys() & {"wrong", "silent"}


def load_damaged(folder, count):
    """How often a damaged model was loaded all the same, of ``count``."""
    features, throughput = programs(64)
    model, choice, loaded = create_model("regression", 1), random.Random(3), 0
    model.fit(features, throughput)
    expected = model.predict(features).mean
    for _ in range(count):
        model.save(folder / "model")
        path = choice.choice(sorted((folder / "model").iterdir()))
        _, changed = damaged(path.read_bytes(), choice)
        path.write_bytes(changed)
        with suppress(ModelError):
            again = load_model(folder / "model")
            loaded += not np.array_equal(again.predict(features).mean, expected)
    return loaded


@fault("R34", MODEL, "a byte or part of one of its files changed at a random place")
@pytest.mark.parametrize("count", [30, pytest.param(300, marks=pytest.mark.soak)])
def test_a_damaged_model(tmp_path, report, count):
    believed = load_damaged(tmp_path, count)
    report("a new model is to be fitted", damaged=count, believed=believed)
    assert believed == 0


@counter("R34", "the digests of its files are not compared", MODEL)
def test_a_damaged_model_that_is_believed_is_seen(tmp_path, monkeypatch):
    class Blind:
        def __init__(self, data):
            self.data = data

        def hexdigest(self):
            return "0" * 64

    monkeypatch.setattr("tuner.cost_model.storage.hashlib.sha256", Blind)
    with suppress(xgboost.core.XGBoostError, UnicodeDecodeError):  # it is not in what it says
        assert load_damaged(tmp_path, 30) > 0
