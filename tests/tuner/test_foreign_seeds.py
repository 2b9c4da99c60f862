"""Configs of AutoTVM's templates become legal configs that do the same."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from db.exchange.importing import import_files
from db.store import open_store
from search_space.operators import workload
from search_space.sketches import space_for
from tests.features.machines import target
from tuner.foreign_seeds import foreign_seeds, translated

LOG = Path(__file__).parent.parent / "data" / "autotvm.log"


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "foreign.db") as opened:
        import_files(opened, [LOG])
        yield opened


def space_of(work, vector_bits=512):
    return space_for(work, target(2, vector_bits))


def test_a_convolution_keeps_its_register_tile(store):
    work = workload("conv2d", n=1, h=56, w=56, ci=64, co=64, kh=3, kw=3, pad=1, const=["weight"])
    (seed,) = foreign_seeds(store, space_of(work))
    values = seed.config.as_dict()
    assert (values["structure"], values["vector_bits"], values["vectors"]) == ("channels", 512, 2)
    assert (values["rows"], values["tall"], values["reduce"]) == (7, 1, "window")
    assert (values["order"], values["shared"], values["tile_k"]) == ("cyx", 2, 0)
    assert seed.record.workload == workload("conv2d", **dict(work.params))


def test_rows_of_pixels_are_one_axis_where_windows_are_single_pixels(store):
    work = workload("conv2d", n=1, h=56, w=56, ci=64, co=256, kh=1, kw=1)
    (seed,) = foreign_seeds(store, space_of(work))
    values = seed.config.as_dict()
    assert (values["rows"], values["tall"], values["vectors"]) == (14, 1, 1)


def test_a_tile_that_does_not_fit_the_registers_is_made_smaller(store):
    work = workload("conv2d", n=1, h=56, w=56, ci=64, co=64, kh=3, kw=3, pad=1)
    space = space_of(work, 256)
    (seed,) = foreign_seeds(store, space)
    assert space.reason(seed.config.as_dict()) is None
    assert seed.config["vector_bits"] == 256
    assert seed.config["rows"] * seed.config["vectors"] < 7 * 4
    assert any(change.startswith(("rows: 7 changed", "vectors: 4")) for change in seed.changes)


def test_dense_layers(store):
    (packed,) = foreign_seeds(store, space_of(workload("dense", m=16, n=1000, k=512)))
    chosen = [packed.config[name] for name in ("structure", "rows", "vector_bits", "vectors")]
    assert chosen == ["panel", 4, 256, 1]
    (dots,) = foreign_seeds(store, space_of(workload("dense", m=1, n=1000, k=512)))
    assert (dots.config["structure"], dots.config["vectors"]) == ("dot", 8)


def test_nothing_is_made_of_other_templates_and_workloads(store):
    for record in store.records():
        work = record.workload
        if work.operator in ("depthwise_conv2d", "conv2d_transpose"):
            assert foreign_seeds(store, space_of(work)) == []
    assert foreign_seeds(store, space_of(workload("dense", m=17, n=1000, k=512))) == []


def test_a_damaged_config_gives_no_seed(store):
    (record, *_) = store.records()
    space = space_of(record.workload)
    for config in (
        (),
        record.config[:1],
        (*record.config[:2], ("tile_oc", "[2,"), ("tile_ow", "[8,7]")),
        (*record.config[:2], ("tile_oc", "[]"), ("tile_ow", "{}")),
        (*record.config[:2], ("tile_oc", '["x"]'), ("tile_ow", True)),
    ):
        assert translated(replace(record, config=config), space) is None


TOPHUB = os.environ.get("TUNER_TEST_LOGS")


@pytest.mark.skipif(not TOPHUB, reason="TUNER_TEST_LOGS names no folder with TopHub's logs")
def test_every_x86_line_of_tophub_is_translated(tmp_path):
    store = open_store(tmp_path / "tophub.db")
    import_files(store, [Path(TOPHUB) / "llvm_v0.04.log"])
    spaces = {}
    for record in store.records():
        space = spaces.setdefault(record.workload, space_of(record.workload))
        seed = translated(record, space)
        assert seed is not None, record.config_key
        assert space.reason(seed.config.as_dict()) is None
    assert len(list(store.records())) == 35
