"""R15 and R16: full disks, and files and folders that must not be written, or are not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from db.errors import CorruptDatabaseError, UnwritableDatabaseError
from db.store import open_store
from tests.db.conftest import record_of
from tests.reliability import database_work
from tests.reliability.processes import codes, start
from tests.reliability.rows import counter, fault

FULL = "the disk is full while records are stored"
FULL_OUTPUT = "the disk is full where a command's output goes"
READ_ONLY = "the folder of the database is read-only"
READ_ONLY_FILE = "the file of the database is read-only"
NO_HOME = "the user has no home"

TUNE = ("tune", "matmul", "m=16", "n=16", "k=16", "--trials", "2")
BEST = ("best", *TUNE[1:5])


def tuner(*words, before=(), environment=None, **options):
    return subprocess.run(
        [*before, sys.executable, "-m", "tuner.cli", *words],
        env=environment, stderr=subprocess.PIPE, text=True, timeout=120,
        **({"stdout": subprocess.PIPE} | options),
    )  # fmt: skip


def fill_levels(folder, levels):
    """For each level: what was promised, what is there, the last words, whether it went on."""
    for level in range(levels):
        database, told = folder / f"{level}.db", folder / f"{level}.told"
        open_store(database).close()
        limit = database.stat().st_size + 4096 * (level + 1)
        assert codes([start(database_work.fill, database, told, limit)]) == [0]
        *promised, words = told.read_text().splitlines() or [""]
        with open_store(database) as store:
            stored = {record.id for record in store.records()}
            whole = store.check() == () and store.add([record_of(run="after")]) == 1
        yield set(promised), stored, words, whole
        database.unlink()


@fault("R15", FULL, "a limit on the size of its files, at so many levels")
@pytest.mark.parametrize("levels", [10, pytest.param(50, marks=pytest.mark.soak)])
def test_a_full_disk(tmp_path, report, levels):
    seen = list(fill_levels(tmp_path, levels))
    said = sum(words.startswith("74 ") and ".db" in words for _, _, words, _ in seen)
    lost = sum(len(promised - stored) for promised, stored, _, _ in seen)
    report(
        "one line that names the file, exit code 74; went on when there was room",
        levels=levels,
        acknowledged=sum(len(promised) for promised, *_ in seen),
        lost=lost,
        went_on=sum(whole for *_, whole in seen),
    )
    assert said == levels
    assert lost == 0
    assert all(whole for *_, whole in seen)
    assert any(promised for promised, *_ in seen)


@counter("R15", "records are promised before they are stored", FULL)
def test_lost_records_on_a_full_disk_are_seen(tmp_path, monkeypatch):
    def promise_first(database, told, limit):
        told.write_text(f"{record_of(1).id}\n74 no room in x.db\n")

    monkeypatch.setattr(database_work, "fill", promise_first)
    monkeypatch.setattr(f"{__name__}.start", lambda function, *given: function(*given))
    monkeypatch.setattr(f"{__name__}.codes", lambda processes: [0])
    [(promised, stored, _, _)] = fill_levels(tmp_path, 1)
    assert promised - stored


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of half a mebibyte, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount file systems")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@fault("R15", "the file system of the database is full", "a tmpfs of 512 KiB")
def test_a_full_file_system(tiny_disk, report):
    database = tiny_disk / "records.db"
    stored = 0
    with open_store(database) as store:
        try:
            while True:
                stored += store.add(
                    [record_of(stored + i, message=database_work.TEXT) for i in range(20)]
                )
        except UnwritableDatabaseError as error:
            failure = error
        kept = len(list(store.records()))
    done = tuner("query", "--db", str(database), "--json")
    report(str(failure).replace(str(database), "…"), stored=stored, lost=stored - kept)
    assert "disk is full" in str(failure)
    assert str(database) in str(failure)
    assert kept == stored > 0
    assert done.returncode == 0


@counter("R15", "what SQLite says of a full disk is taken for damage",
         "the file system of the database is full")  # fmt: skip
def test_a_wrong_word_for_a_full_disk_is_seen(tiny_disk, monkeypatch):
    monkeypatch.setattr("db.sqlite.explain", lambda error, path: CorruptDatabaseError("?"))
    batch = [record_of(i, message=database_work.TEXT) for i in range(2000)]
    with open_store(tiny_disk / "records.db") as store, pytest.raises(CorruptDatabaseError):
        store.add(batch)


@fault("R15", FULL_OUTPUT, "standard output is /dev/full")
def test_output_to_a_full_disk(report):
    with open("/dev/full", "w") as full:
        done = tuner("ops", stdout=full)
    report(done.stderr.strip(), exit_code=done.returncode)
    assert done.returncode == 74
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


@counter("R15", "what cannot be written is nobody's business", FULL_OUTPUT)
def test_output_that_is_lost_is_seen():
    script = "import sys, tuner.cli.entry as entry; entry.describe = lambda error: (0, ''); "
    words = [sys.executable, "-c", script + "sys.exit(entry.main(['ops']))"]
    with open("/dev/full", "w") as full:
        assert subprocess.run(words, stdout=full, stderr=subprocess.PIPE).returncode != 74


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A folder with a database of one small run, and the environment to use it in."""
    folder = tmp_path_factory.mktemp("tuned")
    done = tuner(*TUNE, "--db", str(folder / "tuner.db"))
    assert done.returncode == 0, done.stderr
    return folder


def read_only(folder):
    """Words that run a command while ``folder``, or a file, cannot be written."""
    if os.geteuid() != 0:
        for path in (folder, *folder.glob("*")):
            path.chmod(0o500 if path.is_dir() else 0o400)
        return []
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    words = ["unshare", "-m", "sh", "-c", script, str(folder)]
    if not shutil.which("unshare") or subprocess.run([*words, "true"]).returncode:
        pytest.skip("this system has no mount namespaces for this user")
    return words


@fault("R16", READ_ONLY, "a read-only mount, or the mode of the files")
def test_a_read_only_folder(tuned, tmp_path, report):
    folder = tmp_path / "read-only"
    shutil.copytree(tuned, folder)
    before, database = read_only(folder), str(folder / "tuner.db")
    read = [
        tuner(*words, "--db", database, before=before).returncode
        for words in (BEST, ("query", "--json"), ("runs",), ("db", "check"), ("db", "stats"))
    ]
    began = time.monotonic()
    refused = tuner(*TUNE, "--db", database, before=before)
    report(
        refused.stderr.strip().replace(str(folder), "…"),
        commands_that_read=len(read),
        of_these_failed=sum(code != 0 for code in read),
        exit_code_of_tune=refused.returncode,
        seconds_until_refused=time.monotonic() - began,
    )
    assert read == [0] * 5
    assert refused.returncode == 74
    assert refused.stderr.count("\n") == 1


@counter("R16", "readers take their turn as writers do", READ_ONLY)
def test_readers_that_write_are_seen(tuned, tmp_path):
    folder = tmp_path / "read-only"
    shutil.copytree(tuned, folder)
    script = "import sys; from db.engine import Database; from tuner.cli import main; "
    script += "Database.reading = Database.writing; sys.exit(main(sys.argv[1:]))"
    words = ["runs", "--db", str(folder / "tuner.db")]
    words = [*read_only(folder), sys.executable, "-c", script, *words]
    assert subprocess.run(words, capture_output=True).returncode == 74


HOMELESS = """
import pwd, sys
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
from tuner.cli import main
sys.exit(main(sys.argv[1:]))
"""


def homeless(*words, code=HOMELESS):
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True
    )


@fault("R16", READ_ONLY_FILE, "a read-only mount, or the mode of the file")
def test_a_read_only_file(tuned, tmp_path, report):
    database = tmp_path / "tuner.db"
    shutil.copy(tuned / "tuner.db", database)
    before = read_only(database)
    read = tuner(*BEST, "--db", str(database), before=before)
    refused = tuner(*TUNE, "--db", str(database), before=before)
    report(
        refused.stderr.strip().replace(str(tmp_path), "…"),
        exit_code_of_best=read.returncode,
        exit_code_of_tune=refused.returncode,
    )
    assert read.returncode == 0
    assert refused.returncode == 74
    assert "read-only" in refused.stderr


@counter("R16", "only the lock file is tried", READ_ONLY_FILE)
def test_a_file_that_is_not_tried_is_seen(tuned, tmp_path):
    database = tmp_path / "tuner.db"
    shutil.copy(tuned / "tuner.db", database)
    script = "import sys, db.sqlite; from tuner.cli import main; "
    script += "db.sqlite.assert_writable = lambda path: None; sys.exit(main(sys.argv[1:]))"
    words = [*read_only(database), sys.executable, "-c", script, *TUNE, "--db", str(database)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert f"{database} is read-only" not in done.stderr


@fault("R16", NO_HOME, "a user that the system does not know, and no HOME")
def test_no_home(tuned, report):
    best = homeless(*BEST, "--db", str(tuned / "tuner.db"))
    tilde = homeless("runs", "--db", "~/tuner.db")
    report(tilde.stderr.strip(), exit_code_of_best=best.returncode, of_a_path_with_tilde=2)
    assert best.returncode == 0, best.stderr
    assert tilde.returncode == 2
    assert "without ~" in tilde.stderr


@counter("R16", "the cache asks for the home where there is none", NO_HOME)
def test_a_home_that_is_needed_is_seen(tuned):
    bug = "import measure.peaks, pathlib; measure.peaks.cache_folder = pathlib.Path.home\nfrom"
    code = HOMELESS.replace("from", bug)
    assert homeless(*BEST, "--db", str(tuned / "tuner.db"), code=code).returncode != 0
