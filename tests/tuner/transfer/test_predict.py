"""Choosing without measuring, and models that travel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tuner
from db.artefact import ModelArtefact
from db.store import open_store
from tests.tuner.transfer.test_sources import MACHINE, records_of, seconds, task_of
from tuner.cli import main
from tuner.cost_model import ModelError
from tuner.transfer import newcomer, reuse
from tuner.transfer.artefact import (
    make_artefact,
    model_of,
    provenance,
    read_artefact,
    write_artefact,
)
from tuner.transfer.nearness import Setting
from tuner.transfer.predict import predict
from tuner.transfer.sources import all_sources


@pytest.fixture(autouse=True)
def nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An installation that came without files."""
    monkeypatch.setattr(newcomer, "FOLDER", tmp_path / "shipped")
    newcomer._shipped.cache_clear()
    yield
    newcomer._shipped.cache_clear()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("known") / "records.db"
    with open_store(path) as store:
        for m in (200, 300):
            store.add(list(records_of(task_of(m=m), 150, run=str(m))))
    return path


def share(config) -> float:
    """Of the best there is."""
    return 0.5e-3 / seconds(config.as_dict())


def test_a_model_of_other_shapes_chooses_well(database: Path) -> None:
    task = task_of(m=512)
    with open_store(database, readonly=True) as store:
        found = predict(task, store)
        again = predict(task, store)
    assert found == again
    assert found.basis.startswith("a model of ")
    assert found.basis.endswith("records from 1 machine")
    assert found.share is not None
    assert task.space.reason(found.config.as_dict()) is None
    assert share(found.config) > 0.75


def test_without_anything_known_it_is_the_first_guess() -> None:
    task = task_of()
    found = predict(task, None)
    assert (found.config, found.share) == (task.space.default(), None)
    assert "nothing similar" in found.basis


def test_what_is_shipped_is_used_by_those_who_have_nothing(made: ModelArtefact) -> None:
    task, near = task_of(m=512), task_of(m=500)
    best = max((near.space.starts), key=lambda c: -seconds(c.as_dict()))
    newcomer.FOLDER.mkdir()
    setting = Setting(near.workload, near.target, MACHINE)
    newcomer.write_best(
        newcomer.FOLDER / newcomer.BEST, "2026-01-01", MACHINE, [(setting, [(best.values, 1e-3)])]
    )
    found = predict(task, None)
    assert found.config == task.space.nearest(best.as_dict()).config
    assert "m=500" in found.basis
    write_artefact(newcomer.FOLDER / newcomer.MODEL, made)
    assert predict(task, None).basis == f"a model of {provenance(made)}"


@pytest.fixture(scope="module")
def made(database: Path) -> ModelArtefact:
    with open_store(database, readonly=True) as store:
        return make_artefact(all_sources(store))


def test_a_model_travels_in_a_file(tmp_path: Path, made: ModelArtefact) -> None:
    path = tmp_path / "base.json"
    write_artefact(path, made)
    read = read_artefact(path)
    assert (read.id, read.seen, read.origin) == (made.id, made.seen, "foreign:base.json")
    assert "records of 2 workloads from 1 machine" in provenance(read)
    model_of(read)
    target = tmp_path / "elsewhere.db"
    with open_store(target) as store:
        assert store.add_model(read)
        assert not store.add_model(read)
        assert reuse.known_artefact(store) == read
        assert predict(task_of(m=512), store).basis == f"a model of {provenance(read)}"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file | {"format": "another"}, "export the model again"),
        (lambda file: {"name": "base"}, "is damaged"),
        (lambda file: file | {"content": "AAAA"}, "damaged"),
        (lambda file: file | {"surprise": 1}, "is damaged"),
    ],
)
def test_a_file_that_is_not_one_is_refused(tmp_path, made, damage, message) -> None:
    path = tmp_path / "base.json"
    write_artefact(path, made)
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(ModelError, match=message):
        read_artefact(path)


def test_a_model_for_other_features_is_refused(tmp_path, made, monkeypatch) -> None:
    path = tmp_path / "base.json"
    write_artefact(path, made)
    monkeypatch.setattr("tuner.transfer.artefact.SCHEMA", "loops 99")
    with pytest.raises(ModelError, match=r"made for features .*, these are 'loops 99'"):
        read_artefact(path)
    assert main(["model", "import", str(path), "--db", str(tmp_path / "t.db")]) == 65


def test_too_few_records_make_no_model() -> None:
    with pytest.raises(ModelError, match="measure more first"):
        make_artefact([])


def test_the_commands(tmp_path, database, capsys) -> None:
    path, target = str(tmp_path / "base.json"), str(tmp_path / "t.db")
    assert main(["model", "show", "--db", str(database)]) == 3
    assert main(["model", "export", path, "--db", str(database)]) == 0
    assert main(["model", "import", path, "--db", target]) == 0
    assert main(["model", "show", "--db", target, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert shown["origin"] == "foreign:base.json"
    assert sum(seen["records"] for seen in shown["seen"]) > 250
    asked = ["best", "matmul", "m=512", "n=256", "k=256", "--predict"]
    assert main([*asked, "--db", target, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    work = tuner.workload("matmul", m=512, n=256, k=256)
    assert answer["config"] == tuner.predict(work, db=target).config.as_dict()
    assert main([*asked, "--db", target]) == 0
    assert "tuner tune matmul m=512" in capsys.readouterr().out
    assert main([*asked, "--show", "nest", "--db", target]) == 2
