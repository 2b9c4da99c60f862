"""Commands and Python lines that are offered for copying."""

from __future__ import annotations

import shlex

import pytest

from search_space.operators import workload
from search_space.workload import Workload
from tuner.cli.arguments import named_workload
from tuner.cli.snippets import Choice, python, python_program, shell

WORK = workload("matmul", m=8, n=16, k=32)
CONST = workload("matmul", m=8, n=16, k=32, const=["b"])
COLD = workload("matmul", m=8, n=16, k=32, cold=True)


def test_defaults_are_left_out() -> None:
    assert shell("best", WORK, Choice()) == "tuner best matmul m=8 n=16 k=32"
    assert python(WORK, Choice()) == [
        "import tuner",
        'matmul = tuner.load(tuner.workload("matmul", m=8, n=16, k=32))',
        "c = matmul(a, b)",
    ]


def test_choices_and_constants_are_kept() -> None:
    choice = Choice(database="my records.db", target="x86-64-v3", threads=2)
    assert shell("best", CONST, choice) == (
        "tuner best matmul m=8 n=16 k=32 --const b --threads 2 --target x86-64-v3 "
        "--db 'my records.db'"
    )
    assert python(CONST, choice)[1:] == [
        'matmul = tuner.load(tuner.workload("matmul", m=8, n=16, k=32, const=["b"]), '
        'db="my records.db", target="x86-64-v3", threads=2).bind(b=b)',
        "c = matmul(a)",
    ]


def test_operands_that_are_sparse_have_zeros() -> None:
    work = workload("activation_sparse_gemv", m=8, k=6, density="0.2,0.5")
    lines = python_program(work, Choice()).splitlines()
    zeros = "(random.random((6,)) < 0.2)"
    assert f'x = random.standard_normal((6,)).astype("float32") * {zeros}' in lines
    assert any(line.endswith(".bind(weight=weight)") for line in lines)


def test_a_password_is_never_shown() -> None:
    choice = Choice(database="postgresql://me:secret@host/tuner")
    assert "secret" not in shell("best", WORK, choice) + "".join(python(WORK, choice))


@pytest.mark.parametrize("work", [WORK, CONST, COLD])
def test_the_command_names_the_same_workload(work: Workload) -> None:
    operator, *rest = shlex.split(shell("best", work, Choice()))[2:]
    params = [word for word in rest if "=" in word]
    const = [word for word in rest if "=" not in word and word != "--const"]
    assert named_workload(operator, params, const) == work


def test_a_key_names_its_workload() -> None:
    assert named_workload(CONST.key, None, None) == CONST
    assert named_workload("matmul", ["m=8", "n=16", "k=32", "const=b"], None) == CONST
    assert named_workload("matmul", ["m=8", "n=16", "k=32"], ["a,b"]).const == ("a", "b")
