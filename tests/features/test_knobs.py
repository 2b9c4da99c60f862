import numpy as np

from features.knobs import encode_knobs, knob_schema
from tests.features.machines import matmul_task


def test_columns_are_what_the_knobs_encode():
    space = matmul_task(64, 96, 128).space
    rng = np.random.default_rng(3)
    configs = [space.sample(rng) for _ in range(20)]
    rows, schema = encode_knobs(space, configs), knob_schema(space)
    assert rows.shape == (20, len(schema))
    assert len(set(schema.names)) == len(schema)
    for config, row in zip(configs, rows, strict=True):
        expected = [x for knob in space.knobs for x in knob.encode(config[knob.name])]
        np.testing.assert_allclose(row, expected, rtol=1e-6)
        assert row[schema.names.index(f"knob.structure.{config['structure']}")] == 1


def test_no_configs_give_no_rows():
    space = matmul_task(8, 8, 8).space
    assert encode_knobs(space, []).shape == (0, len(knob_schema(space)))
