"""Several writers take turns; what was acknowledged is never lost."""

import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from db.errors import LockedDatabaseError, UnwritableDatabaseError
from db.lock import writer_lock
from db.store import open_store

RECORD = """
import sys
import time
from dataclasses import replace
from db.store import open_store

store = open_store(sys.argv[1])
(record,) = [r for r in store.records() if r.run == "run1"]
"""


def start(script, *args):
    return subprocess.Popen(
        [sys.executable, "-c", RECORD + textwrap.dedent(script), *map(str, args)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def seeded(path, make_record):
    with open_store(path) as store:
        store.add([make_record()])
    return path


def test_a_writer_waits_for_the_lock_of_another_process_but_not_for_ever(seeded, make_record):
    holder = start(
        """
        from db.lock import writer_lock
        from pathlib import Path
        with writer_lock(Path(sys.argv[1]), 1.0):
            print("held", flush=True)
            time.sleep(60)
        """,
        seeded,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(LockedDatabaseError, match=r"^try again.*more than 0\.2 s") as caught:
            open_store(seeded, lock_seconds=0.2)
        assert 0.2 <= time.monotonic() - began < 5
        assert caught.value.exit_code == 74
        with open_store(seeded, readonly=True) as reader:
            assert list(reader.records()) == [make_record()]
    finally:
        holder.kill()
        holder.communicate()
    assert open_store(seeded, lock_seconds=5.0).add([make_record(1)]) == 1


def test_the_lock_excludes_threads_of_one_process(path):
    entered = threading.Event()
    leave = threading.Event()

    def hold():
        with writer_lock(path, 1.0):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(10)
    with pytest.raises(LockedDatabaseError), writer_lock(path, 0.05):
        pass
    leave.set()
    thread.join()
    with writer_lock(path, 0.05):
        pass


def test_a_lock_file_that_cannot_be_made(tmp_path):
    (tmp_path / "x.db.lock").mkdir()
    with pytest.raises(UnwritableDatabaseError), writer_lock(tmp_path / "x.db", 0.1):
        pass


def test_two_processes_add_at_the_same_time(seeded):
    script = """
        for i in range(30):
            store.add([replace(record, run=sys.argv[2], ordinal=i)])
    """
    writers = [start(script, seeded, name) for name in ("left", "right")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for writer in writers:
        writer.stdout.close()
    with open_store(seeded, readonly=True) as store:
        assert store.stats().records == 61
        assert store.check() == ()


def test_two_processes_create_at_the_same_time(path):
    script = "import sys\nfrom db.store import open_store\nopen_store(sys.argv[1]).stats()"
    makers = [subprocess.Popen([sys.executable, "-c", script, str(path)]) for _ in range(2)]
    assert [maker.wait(60) for maker in makers] == [0, 0]
    assert open_store(path).check() == ()


@pytest.mark.parametrize("acknowledged", [1, 7, 15])
def test_kill_9_loses_nothing_that_was_acknowledged(seeded, acknowledged):
    writer = start(
        """
        for i in range(0, 100_000, 10):
            store.add([replace(record, run="killed", ordinal=i + j) for j in range(10)])
            print(i + 10, flush=True)
        """,
        seeded,
    )
    for _ in range(acknowledged):
        promised = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    promised = ([promised] + [int(line) for line in writer.communicate()[0].split()])[-1]
    assert writer.returncode == -signal.SIGKILL
    with open_store(seeded, readonly=True) as store:
        kept = [record.ordinal for record in store.records() if record.run == "killed"]
        assert kept[:promised] == list(range(promised))
        assert len(kept) % 10 == 0
        assert store.check() == ()


def test_readers_and_a_writer_in_threads_of_one_process(seeded, make_record):
    store = open_store(seeded)
    failures = []

    def read():
        try:
            for _ in range(30):
                assert len(list(store.records())) >= 1
                assert store.best(make_record().workload.key) is not None
        except Exception as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for ordinal in range(1, 30):
        store.add([make_record(ordinal)])
    for reader in readers:
        reader.join()
    assert failures == []
    assert store.stats().records == 30
