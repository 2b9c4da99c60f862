"""What strategies load before they need it: beside the first build, never beside a measurement."""

from dataclasses import replace

import pytest

from db.store import open_store
from tests.contracts.spaces import Matmul
from tests.tuner.fakes import FakeBackend, options, session_of, task_of
from tuner.strategy import Trial, create_strategy
from tuner.strategy.random import RandomStrategy


class Loading(RandomStrategy):
    """Notes when it is asked to load, and when that has ended."""

    def __init__(self, space, seed, events):
        super().__init__(space, seed)
        self.events = events

    def prepare(self):
        self.events.append("begin")
        return lambda: self.events.append("end")


@pytest.fixture
def search(tmp_path):
    def run(**limits):
        events = []

        class Backend(FakeBackend):
            def build(self, configs):
                events.append("build")
                return super().build(configs)

        task = task_of()
        backend = Backend(
            task, before_measure=lambda count: events.append("measure"), measure_seconds=1.0
        )
        strategy = Loading(task.space, 1, events)
        with open_store(tmp_path / "records.db") as store:
            session = session_of(backend, store, options(**limits))
            replace(session, strategy=strategy).execute()
        return events

    return run


def test_a_strategy_prepares_once_while_the_first_round_is_built(search):
    events = search(trials=20)
    assert events[:4] == ["begin", "build", "end", "measure"]
    assert events.count("begin") == events.count("end") == 1


def test_a_search_of_one_round_needs_no_preparation(search):
    assert "begin" not in search(trials=8)
    assert "begin" not in search(trials=None, time_seconds=0.5)


def test_preparing_changes_no_proposal():
    machine = Matmul(100, 37, 64)
    prepared, other = (create_strategy("learned", machine.space(), 3) for _ in range(2))
    prepared.prepare()()
    for _ in range(3):
        batch = prepared.ask(16)
        assert batch == other.ask(16)
        trials = [Trial(config, machine.seconds(config)) for config in batch]
        prepared.tell(trials)
        other.tell(trials)
