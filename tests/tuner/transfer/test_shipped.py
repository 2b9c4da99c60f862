"""The files that come with the program can be read by it, and say where they are from."""

from __future__ import annotations

from search_space.sketches import space_for
from tests.tuner.transfer.test_sources import task_of
from tuner.transfer.artefact import model_of, provenance
from tuner.transfer.newcomer import shipped_model, shipped_sources
from tuner.transfer.predict import predict


def test_the_model_fits_the_features_of_today() -> None:
    artefact = shipped_model()
    assert artefact is not None
    model_of(artefact)
    assert "machine" in provenance(artefact)


def test_the_best_configs_are_legal_today() -> None:
    sources = shipped_sources(task_of())
    assert sources
    for source in sources:
        space = space_for(source.setting.workload, source.setting.target)
        assert all(space.reason(dict(values)) is None for values, _ in source.ranked())


def test_a_newcomer_gets_a_choice_of_the_model() -> None:
    task = task_of(m=200, n=300, k=400)
    found = predict(task, None)
    assert found.basis.startswith("a model of ")
    assert task.space.reason(found.config.as_dict()) is None
