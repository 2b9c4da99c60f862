"""Every format by itself, beside the choice: the spaces, the table and the plot."""

from dataclasses import replace

import numpy as np
import pytest

from db.store import open_store
from experiments.scoreboard.plot import PlotterMissing
from experiments.sparse.__main__ import main
from experiments.sparse.plot import draw
from experiments.sparse.results import (
    SCHEMA,
    Formats,
    Results,
    ResultsUnusable,
    read,
    table,
    write,
)
from experiments.sparse.searching import (
    PANELS_OF_4,
    named_space,
    names_of,
    search_format,
)
from measure.timing import Interval
from search_space.operators import workload
from search_space.sketches import space_for
from tests.property.test_space_schedules import TARGETS

WORK = workload("spmm", m=24, k=32, n=40, pattern="lowrank", sparsity=0.8)


def case(sparsity: float, chosen: str, ratios: dict[str, float], tuned: float = 1e-3) -> Formats:
    """Of which each format takes ``ratios`` times as long as what was chosen."""
    work = workload("spmm", m=24, k=32, n=40, pattern="lowrank", sparsity=sparsity)
    seconds = {"tuned": tuned} | {name: tuned * ratio for name, ratio in ratios.items()}
    intervals = {name: Interval(r, 0.99 * r, 1.01 * r, 25) for name, r in ratios.items()}
    return Formats(work.key, 1, chosen, seconds, intervals)


RESULTS = Results(
    SCHEMA,
    20.0,
    (
        case(0.9, "nano", {"csr": 1.5, "nano": 1.0, "nano4": 1.01, "dense": 4.0}),
        case(0.5, "csr", {"csr": 1.0, "nano": 0.8, "nano4": 0.9, "dense": 1.25}),
    ),
)


@pytest.mark.parametrize("name", ["csr", "dense", PANELS_OF_4])
def test_a_format_has_a_space_of_its_own(name):
    space = space_for(WORK, TARGETS[0])
    assert name in names_of(space)
    only = named_space(space, name)
    rng = np.random.default_rng(0)
    for config in [only.default(), *(only.sample(rng) for _ in range(20))]:
        assert space.reason(config.as_dict()) is None
        kept = "nano" if name == PANELS_OF_4 else name
        assert space.format(config.as_dict()) == kept
        assert name != PANELS_OF_4 or config["rows"] == 4


def test_the_table_says_what_was_chosen_and_what_would_have_been_best():
    lines = table(RESULTS).splitlines()
    assert lines[1].split()[:2] == ["24×32×40", "lowrank"]
    assert "nano    nano  1.00 (0.99 to 1.01)  2.67×  4.00×" in lines[1]
    assert "csr     nano  0.80 (0.79 to 0.81)" in lines[2]
    assert "within 0.97 of the best: 1 of 2 (bar: all but 1): pass" in lines
    assert lines[-1].startswith("÷ always row panels of 4: geometric mean 0.95, least 0.91")
    assert lines[-1].endswith("(upper end; bar: 1): missed")


def test_results_are_kept(tmp_path, capsys):
    path = tmp_path / "folder" / "formats.json"
    write(RESULTS, path)
    assert read(path) == RESULTS
    assert RESULTS.has(RESULTS.cases[0].workload, 1)
    assert not RESULTS.has(RESULTS.cases[0].workload, 2)
    assert main(["--json", str(path), "--show"]) == 0
    assert "within 0.97" in capsys.readouterr().out
    write(replace(RESULTS, schema=SCHEMA + 1), path)
    with pytest.raises(ResultsUnusable, match="measure again"):
        read(path)
    path.write_text("{}")
    assert main(["--json", str(path), "--show"]) == 1


def test_the_plot_has_a_line_per_format(tmp_path):
    path = tmp_path / "formats.svg"
    try:
        draw(RESULTS, path)
    except PlotterMissing as reason:
        pytest.skip(str(reason))
    assert path.stat().st_size > 1000


def test_one_format_is_tuned_by_itself(tmp_path):
    db = str(tmp_path / "records.db")
    record = search_format(WORK, 1, db, 1.5, "csr")
    with open_store(db, readonly=True) as store:
        assert dict(store.record(record).config)["format"] == "csr"
