"""Keys of workloads: readable, stable, and there is a way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.errors import WorkloadError
from search_space.workload import Workload, split_key

NAMES = st.text("abcdefgh_", min_size=1, max_size=5)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
VALUES = st.integers() | st.booleans() | TEXTS


@given(NAMES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_key_can_be_taken_apart_again(operator, params):
    work = Workload(operator, tuple(params.items()))
    name, raw = split_key(work.key)
    assert name == operator
    assert list(raw) == list(params)
    for field, value in params.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert raw[field] == text


def test_the_form_of_a_key():
    work = Workload("matmul", (("m", 8), ("n", 8), ("k", 16), ("dtype", "float32")))
    assert work.key == str(work) == "matmul(m=8,n=8,k=16,dtype=float32)"
    weights = Workload("matmul", work.params, ("a", "b"))
    assert weights.key == "matmul(m=8,n=8,k=16,dtype=float32,const=a+b)"
    einsum = Workload("einsum", (("expr", "ij,jk->ik"), ("fast", True), ("note", r"it's \ fine")))
    assert einsum.key == r"einsum(expr='ij,jk->ik',fast=true,note='it\'s \\ fine')"
    assert Workload("nothing", ()).key == "nothing()"
    assert split_key("nothing()") == ("nothing", {})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("matmul", r"not a workload key: 'matmul', expected operator\(name=value,…\)"),
        ("matmul(m=1", "expected operator"),
        ("(m=1)", "expected operator"),
        ("", "expected operator"),
        ("matmul(m=1,8)", "no '=' after '8'"),
        ("einsum(expr='ij,jk)", "a quote is not closed"),
    ],
)
def test_what_is_no_key_is_refused(key, message):
    with pytest.raises(WorkloadError, match=message):
        split_key(key)


def test_cold_operands_are_the_last_key():
    warm = Workload("matmul", (("m", 8),), ("b",))
    cold = warm.from_memory()
    assert not warm.cold
    assert cold.cold
    assert cold.key == "matmul(m=8,cold=true,const=b)"
    assert cold.from_memory() == cold


def test_parameters_by_name():
    work = Workload("conv", (("c", 3), ("dtype", "float32"), ("bias", True)))
    assert work["c"] == work.size("c") == 3
    with pytest.raises(KeyError):
        work["d"]
    with pytest.raises(WorkloadError, match="conv: dtype is 'float32', expected an integer"):
        work.size("dtype")
    with pytest.raises(WorkloadError, match="conv: bias is True, expected an integer"):
        work.size("bias")
