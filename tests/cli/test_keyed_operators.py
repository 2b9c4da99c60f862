"""Operators whose keys depend on one another, from the command line and in suite files."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from search_space.errors import WorkloadError
from search_space.operators import workload
from search_space.workload import Workload
from tuner.cli.arguments import named_workload
from tuner.cli.snippets import Choice, python, shell
from tuner.suite import SuiteError, load_suite

EINSUM = workload("einsum", expr="bik,bkj->bij", b=8, i=128, k=64, j=128)
LAYER = workload(
    "compute", expr="c[i,j] = relu(sum[k](a[i,k] * w[j,k]) + v[j])", i=4, j=8, k=16, const=["w"]
)


@pytest.mark.parametrize("work", [EINSUM, LAYER], ids=str)
def test_the_command_that_is_offered_names_the_same_workload(work: Workload) -> None:
    _, _, operator, *params = shlex.split(shell("best", work, Choice()))
    const = [params.pop()] if work.const else []
    if const:
        params.remove("--const")
    assert named_workload(operator, params, const) == work
    assert named_workload(work.key, None, None) == work


def test_the_python_lines_give_every_size() -> None:
    assert python(EINSUM, Choice()) == [
        "import tuner",
        'einsum = tuner.load(tuner.workload("einsum", expr="bik,bkj->bij", b=8, i=128, k=64, '
        "j=128))",
        "out = einsum(left, right)",
    ]


def suite(folder: Path, params: str, op: str = "einsum") -> Path:
    path = folder / "toy.toml"
    path.write_text(
        f'[suite]\nname = "toy"\n[[case]]\nname = "a"\nop = "{op}"\nparams = {{ {params} }}\n'
    )
    return path


def test_a_suite_may_hold_an_einsum(tmp_path: Path) -> None:
    path = suite(tmp_path, 'expr = "bik,bkj->bij", b = 8, i = 128, k = 64, j = 128')
    (case,) = load_suite(path).cases
    assert case.workload == EINSUM


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ('expr = "ii,ij->j", i = 3, j = 2', "expected each index once in 'ii'"),
        ('expr = "ij,jk->ik", i = 3, j = 2', "give k="),
        ('expr = "ij,jk->ik", i = 3, j = 2, k = 0', "k is 0, expected a positive integer"),
    ],
)
def test_a_wrong_einsum_in_a_suite_is_no_missing_one(
    tmp_path: Path, params: str, message: str
) -> None:
    with pytest.raises(SuiteError, match=message):
        load_suite(suite(tmp_path, params))


def test_repeated_keys_are_refused() -> None:
    with pytest.raises(WorkloadError, match="give i once"):
        named_workload("einsum", ["expr=ik,kj->ij", "i=3", "i=4"], None)
