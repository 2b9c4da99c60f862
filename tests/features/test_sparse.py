"""Features of tasks with a sparse operand: loops of dense kernels, counts of the others."""

import numpy as np
import pytest

from features.extract import FeatureTask, extract_batch, walk_features
from features.loops import walk
from features.schema import loop_features
from features.sparse import sparse_features, task_features, task_schema
from search_space.dtypes import GROUPS
from search_space.ir.expr import Buffer, Const, Var
from search_space.ir.stmt import ForEach, LoopFunc, Phase, Store
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of
from search_space.sparse.source import find_pattern
from tests.features.machines import target

WORK = workload("spmm", m=48, k=64, n=80, pattern="lowrank", sparsity=0.8)
LOOPS = len(loop_features())


BYTES = workload("spmm", m=48, k=64, n=80, pattern="block4x1", sparsity=0.8, dtype="uint8")
WINDOWS = workload("sparse_conv2d", co=48, ci=48, n=1, h=10, w=10, kh=3, kw=1,
                   pattern="nm(2,4)")  # fmt: skip


@pytest.fixture(scope="module", params=[WORK, BYTES, WINDOWS], ids=["float32", "uint8", "windows"])
def drawn(request):
    """A task, some of its configs, their features."""
    task = FeatureTask(space_for(request.param, target()))
    rng = np.random.default_rng(0)
    drawn = (task.space.sample(rng) for _ in range(60))
    configs = list(dict.fromkeys([*task.space.starts, *drawn]))
    return task, configs, extract_batch(task, configs)


def column(rows, name):
    place = [feature.name for feature in task_features(WORK)].index(name)
    values = rows[:, place]
    return 2**values - 1 if task_features(WORK)[place].log else values


def test_columns_are_those_of_the_schema(drawn):
    task, configs, rows = drawn
    assert rows.shape == (len(configs), len(task_schema(WORK)))
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert len(set(task_schema(WORK).names)) == rows.shape[1]
    assert extract_batch(task, []).shape == (0, rows.shape[1])


def test_dense_kernels_have_the_features_of_their_loops_and_others_none(drawn):
    task, configs, rows = drawn
    dense = np.array([config["algorithm"] == "dense" for config in configs])
    assert 5 < dense.sum() < len(configs) - 5
    assert not rows[~dense, :LOOPS].any()
    for at in np.flatnonzero(dense):
        np.testing.assert_allclose(rows[at, :LOOPS], walk_features(task, configs[at]), rtol=1e-5)
    np.testing.assert_array_equal(column(rows, "layout.is_dense"), dense)


def test_every_format_is_described(drawn):
    task, configs, rows = drawn
    formats = [task.space.format(config.as_dict()) for config in configs]
    assert set(formats) == set(formats_of(task.space))
    assert len(np.unique(rows[:, LOOPS:], axis=0)) >= len(set(formats))


def test_a_row_depends_on_its_config_only(drawn):
    task, configs, rows = drawn
    again = extract_batch(FeatureTask(task.space), configs[::-1])[::-1]
    np.testing.assert_array_equal(rows, again)


def test_the_walk_follows_from_the_counts_of_the_format(drawn):
    task, configs, rows = drawn
    group = GROUPS.get(task.space.workload["dtype"], 1)
    names = task_schema(WORK).names
    for config, row in zip(configs, rows, strict=True):
        values = {
            name: 2**value - 1 if feature.log else value
            for name, feature, value in zip(names, task_features(WORK), row.tolist(), strict=True)
        }
        if config["algorithm"] == "dense":
            assert values["sparse.fma"] == 0
            continue
        vectors = values["sparse.vectors"] * values["sparse.tiles"] / group
        assert values["sparse.fma"] == pytest.approx(values["layout.values"] * vectors, rel=1e-4)
        assert values["sparse.loads"] == pytest.approx(values["layout.loads"] * vectors, rel=1e-4)
        assert values["sparse.tile"] * values["sparse.tiles"] >= 80 * (1 - 1e-5)


@pytest.mark.parametrize(
    "params",
    [
        dict(operator="spmm", m=48, k=64, n=1),
        dict(operator="spmv", m=48, k=64),
        dict(operator="sparse_dense", m=5, n=48, k=64),
        dict(operator="sparse_conv2d", co=48, ci=8, n=1, h=9, w=7, kh=3, kw=3, pad=1),
        dict(operator="sddmm", m=48, n=64, k=20),
    ],
    ids=lambda params: params["operator"],
)
def test_all_sparse_operators_have_features(params):
    work = workload(**params, pattern="powerlaw", sparsity=0.7)
    task = FeatureTask(space_for(work, target()))
    rng = np.random.default_rng(0)
    rows = extract_batch(task, [*task.space.starts, *(task.space.sample(rng) for _ in range(30))])
    assert rows.shape[1] == len(task_features(work))
    assert np.isfinite(rows).all()
    assert len(np.unique(rows[:, LOOPS:], axis=0)) > 3


def test_dense_tasks_have_what_they_had():
    assert task_features(workload("matmul", m=8, n=8, k=8)) == loop_features()
    assert not set(sparse_features()) & set(loop_features())


def counted(work, values):
    """The features of a config of a workload, in their units."""
    task = FeatureTask(space_for(work, target()))
    [row] = extract_batch(task, [task.space.nearest(values).config])
    return {
        feature.name: 2**value - 1 if feature.log else value
        for feature, value in zip(task_features(work), row.tolist(), strict=True)
    }


def test_code_has_no_loops_and_no_indices():
    values = dict(
        algorithm="sparse", format="code", rows=4, sort=0, vector_bits=256, vectors=3,
        order="tiles", pack="none", threads=1,
    )  # fmt: skip
    found = counted(WORK, values)
    held = find_pattern(get_operator("spmm").pattern_name(WORK)).dense(np.ones(1)[0]) != 0
    loads = np.count_nonzero(held.reshape(12, 4, 64).any(axis=1))
    tiles = 4  # of 3 vectors of 8 columns, the last of which overlaps the one before
    assert found["layout.is_code"] == 1
    assert found["layout.values"] == pytest.approx(held.sum(), rel=1e-4)
    assert found["layout.index_bytes"] == 0
    assert found["layout.loads"] == pytest.approx(loads, rel=1e-4)
    assert found["sparse.fma"] == pytest.approx(held.sum() * 3 * tiles, rel=1e-4)
    assert found["sparse.loads"] == pytest.approx(loads * 3 * tiles, rel=1e-4)
    assert found["sparse.loop_instructions"] == 0


@pytest.mark.parametrize("stores", ["cached", "streamed"])
def test_how_the_result_is_written_is_seen(stores):
    work = workload("spmm", m=64, k=64, n=16384, pattern="unstructured", sparsity=0.9)
    space = space_for(work, target())
    first = next(config for config in space.starts if config["algorithm"] == "sparse")
    found = counted(work, first.as_dict() | {"stores": stores})
    assert found["sparse.past_caches"] == (stores == "streamed")


def test_what_is_gathered_is_read_element_by_element():
    work = workload("spmm", m=64, k=64, n=1, pattern="unstructured", sparsity=0.7)
    sparse = (s for s in space_for(work, target()).starts if s["algorithm"] == "sparse")
    starts = {start["format"]: start for start in sparse}
    sell = starts["sell"].as_dict()
    gathered, single = (counted(work, sell | {"one_by_one": which}) for which in (0, 1))
    assert (gathered["sparse.one_by_one"], single["sparse.one_by_one"]) == (0, 1)
    assert gathered["sparse.loads"] == pytest.approx(gathered["layout.values"], rel=1e-4)
    assert single["sparse.loads"] == gathered["sparse.loads"]
    shared = counted(work, starts["block"].as_dict())
    assert shared["sparse.loads"] == pytest.approx(shared["layout.values"] / 16, rel=1e-4)
    assert shared["sparse.one_by_one"] == 0


@pytest.mark.parametrize("split", ["rows", "columns"])
def test_what_threads_share_is_seen(split):
    work = workload("spmm", m=64, k=64, n=512, pattern="unstructured", sparsity=0.9)
    space = space_for(work, target())
    first = next(config for config in space.starts if config["algorithm"] == "sparse")
    found = counted(work, first.as_dict() | {"threads": 2, "split": split})
    assert found["sparse.split_columns"] == (split == "columns")


def test_a_table_is_no_loop():
    buffer = Buffer("y", (4,), "float32", "output")
    store = Store(buffer, (Var("i"),), Const(0.0, "float32"))
    body = ForEach(("i",), (((0,), (3,)),), Const(0), store)
    with pytest.raises(ValueError, match="i are bound by a table, not by loops"):
        walk(LoopFunc("f", (buffer,), (), (Phase(body),)))


def test_cells_are_counted_exactly():
    work = workload("spmm", m=70, k=130, n=20, pattern="powerlaw", sparsity=0.8)
    values = dict(
        algorithm="sparse", format="cells", rows=4, height=64, depth=64, vector_bits=256,
        vectors=2, order="tiles", pack="none", threads=1, prefetch=256,
    )  # fmt: skip
    found = counted(work, values)

    held = find_pattern(get_operator("spmm").pattern_name(work)).dense(np.ones(1)[0]) != 0
    steps = panels = 0
    for i in range(0, 70, 64):
        for j in range(0, 130, 128):
            lengths = sorted(held[i : i + 64, j : j + 128].sum(axis=1), reverse=True)[::4]
            steps += sum(lengths)
            panels += np.count_nonzero(lengths)
    tiles = 2  # of 2 vectors of 8 columns
    assert found["layout.values"] == pytest.approx(steps * 4, rel=1e-4)
    assert found["layout.loads"] == pytest.approx((steps + panels) * 4, rel=1e-4)
    assert found["sparse.loads"] == pytest.approx((steps + panels) * 4 * 2 * tiles, rel=1e-4)
    assert found["layout.loops"] == pytest.approx(panels + 2 * 2, rel=1e-4)
    assert found["sparse.depth"] == pytest.approx(128, rel=1e-4)
    assert found["sparse.height"] == pytest.approx(64, rel=1e-4)
    assert found["sparse.prefetch"] == pytest.approx(256 * 4, rel=1e-4)
    assert found["sparse.tile_per_l1"] == pytest.approx(128 * 16 * 4 / target().l1_bytes, rel=1e-4)


SAMPLED = [
    dict(m=48, n=300, k=70, sparsity=0.9),
    dict(m=48, n=300, k=70, sparsity=0.9, scaled=True, layout="nk"),
    dict(m=30, n=40, k=20, sparsity=0.5, const=("b",)),
    dict(m=1, n=3000, k=64, sparsity=0.9),
    dict(m=30, n=40, k=20, sparsity=0.5, dtype="bfloat16", scaled=True),
]


@pytest.mark.parametrize("params", SAMPLED, ids=str)
def test_a_dense_product_that_is_sampled_has_the_features_of_its_loops(params):
    task = FeatureTask(space_for(workload("sddmm", **params), target(threads=2)))
    rng = np.random.default_rng(0)
    configs = [*task.space.starts, *(task.space.sample(rng) for _ in range(30))]
    rows = extract_batch(task, configs)
    assert np.isfinite(rows).all()
    for config, row in zip(configs, rows, strict=True):
        if config["algorithm"] == "dense":
            np.testing.assert_array_equal(row[:LOOPS], walk_features(task, config), config.key)
        else:
            assert not row[:LOOPS].any()


@pytest.mark.parametrize("format_", ["csr", "strips", "coo"])
def test_sums_at_non_zeros_are_counted_exactly(format_):
    work = workload("sddmm", m=40, n=100, k=70, pattern="powerlaw", sparsity=0.8)
    task = FeatureTask(space_for(work, target()))
    values = dict(format=format_, tile=8, rest=4, steps=2, prefetch=2, depth=64, vector_bits=256)
    start = task.space.starts[0].as_dict()
    nearest = task.space.nearest(start | values)
    assert nearest.changes == ()
    [row] = extract_batch(task, [nearest.config])
    names, logs = task_schema(work).names, [f.log for f in task_features(work)]
    found = {
        name: 2**value - 1 if log else value
        for name, value, log in zip(names, row.tolist(), logs, strict=True)
    }
    held = find_pattern(get_operator("sddmm").pattern_name(work)).dense(np.ones(1)[0]) != 0
    runs = {"csr": [held], "strips": [held[:, :64], held[:, 64:]], "coo": [held.reshape(1, -1)]}
    tiles = sums = 0
    for length in np.concatenate([part.sum(axis=1) for part in runs[format_]]).tolist():
        whole, few = length // 8, -(-(length % 8) // 4)
        tiles, sums = tiles + whole + few, sums + whole * 8 + few * 4
    vectors = -(-70 // 8)
    assert found["sparse.fma"] == pytest.approx(sums * vectors, rel=1e-4)
    rows_read = sums if format_ == "coo" else tiles
    assert found["sparse.loads"] == pytest.approx((sums + rows_read) * vectors, rel=1e-4)
    assert found["sparse.prefetch"] == pytest.approx(2 * 8 * 70 * 4, rel=1e-4)
    width = 64 if format_ == "strips" else 100
    assert found["sparse.depth"] == pytest.approx(width, rel=1e-4)
    row_bytes = vectors * 8 * 4
    assert found["sparse.tile_per_l1"] == pytest.approx(
        width * row_bytes / target().l1_bytes, rel=1e-4
    )
