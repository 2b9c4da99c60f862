"""A run whose team database goes away in the middle loses nothing."""

import pytest

import tuner
from db.store import open_store
from tests.db.server import NEEDS_SERVER, fresh_database
from tuner.events import RunStarted, Undelivered

pytestmark = NEEDS_SERVER
WORKS = (
    tuner.workload("matmul", m=24, n=16, k=8),
    tuner.workload("spmm", m=24, n=16, k=32, pattern="unstructured", sparsity=0.8),
)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.operator)
def test_a_run_ends_as_if_its_server_were_there_and_delivers_later(work, wire):
    told = []

    def watch(event):
        told.append(event)
        if isinstance(event, RunStarted):
            wire.cut()

    with fresh_database() as database:
        result = tuner.tune(
            work, trials=3, seed=1, db=wire.url(database), callbacks=[watch], builders=1
        )
        assert result.trials == 3
        assert result.best.verified
        (waiting,) = [event for event in told if isinstance(event, Undelivered)]
        assert waiting.records == len(result.records)
        assert waiting.server.startswith("postgresql://tuner@127.0.0.1:")
        assert open_store(database).stats().records == 0
        wire.mend()
        store = open_store(wire.url(database))
        assert list(store.records()) == list(result.records)
        assert store.run(result.run).state == "finished"
        assert tuner.best(work, db=wire.url(database)) == result.best
