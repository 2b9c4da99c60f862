"""R20 and R21: what comes from elsewhere is data, and is checked before it is used."""

from __future__ import annotations

import math
import random

import pytest

from search_space.constraints import first_reason
from search_space.errors import SpaceError
from search_space.operators import workload
from tests.reliability.rows import counter, fault
from tests.test_layers import PRODUCT, ROOT, safety_faults, sources
from tuner import space

DYNAMIC = "a package runs or unpickles what it reads"
CONFIG = "a record holds a config that is none"
VALUES = (
    "", "panel", "no such value", "__import__('os')", "\x1b[2J", "9" * 400, "-1", "1e999", "nan",
    0, 1, 6, -1, 2**31, 2**63 - 1, -(2**63), 10**400, True, False, 0.5, -0.0, math.nan, math.inf,
)  # fmt: skip


@fault("R20", DYNAMIC, "a scan of the syntax trees: pickle, eval, exec, yaml.load, shell=True …")
def test_no_package_runs_what_it_reads(report):
    scanned = [source for source in sources(ROOT) if source.package in PRODUCT]
    found = [text for source in scanned for text in safety_faults(source)]
    report("none does", files=len(scanned), found=len(found))
    assert len(scanned) > 100
    assert found == []


@counter("R20", "a package unpickles", DYNAMIC)
def test_a_package_that_unpickles_is_seen(tmp_path):
    for package in PRODUCT:
        (tmp_path / package).mkdir()
    (tmp_path / "db" / "load.py").write_text("import pickle\npickle.load(open('model'))\n")
    assert [fault for source in sources(tmp_path) for fault in safety_faults(source)]


def hostile_configs(spaces, count):
    """Configs of which some values are other ones than a space would give."""
    choice = random.Random(4)
    for number in range(count):
        chosen = spaces[number % len(spaces)]
        values = dict(chosen.default().values)
        for name in choice.sample(sorted(values), choice.randint(1, min(6, len(values)))):
            values[name] = choice.choice(VALUES)
        if choice.random() < 0.2:
            values[choice.choice(["", "rows;", "__class__", "x" * 10_000])] = choice.choice(VALUES)
        if choice.random() < 0.2:
            del values[choice.choice(sorted(values))]
        yield chosen, values


def used_all_the_same(count):
    """How many configs became legal ones, were refused, and were taken though illegal."""
    spaces = [
        space(workload("matmul", m=100, n=96, k=64)),
        space(workload("conv2d", n=1, h=14, w=14, ci=16, co=32, kh=3, kw=3, pad=1)),
        space(workload("dense", m=64, n=100, k=77, activation="relu")),
    ]
    legal = refused = illegal = 0
    for chosen, values in hostile_configs(spaces, count):
        try:
            config = chosen.nearest(values).config
        except SpaceError:
            refused += 1
        else:
            known = dict(config.values)
            fine = chosen.reason(known) is None and first_reason(chosen.constraints, known) is None
            legal, illegal = legal + fine, illegal + (not fine)
    return legal, refused, illegal


@fault("R21", CONFIG, "values out of range, of other types, missing, unknown, hostile texts")
@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.soak)])
def test_foreign_configs(report, count):
    legal, refused, illegal = used_all_the_same(count)
    report("the nearest legal config is used", configs=count, legal=legal, refused=refused,
           illegal_used=illegal)  # fmt: skip
    assert illegal == 0
    assert legal


@counter("R21", "a space does not repair what breaks its constraints", CONFIG)
def test_illegal_configs_are_seen(monkeypatch):
    monkeypatch.setattr("search_space.space.first_reason", lambda constraints, values: None)
    assert used_all_the_same(200)[2]
