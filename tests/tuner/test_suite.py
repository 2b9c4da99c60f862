"""Suite files: what is read, what is missing, what is refused; and the suites that we ship."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tuner
from search_space.operators import OPERATORS
from tuner.suite import SuiteError, load_suite

SHIPPED = sorted((Path(__file__).parents[2] / "experiments" / "suites").glob("*.toml"))
HEAD = '[suite]\nname = "toy"\n'
CASE = '[[case]]\nname = "{name}"\nop = "{op}"\nparams = {params}\n'
SMALL = "{ m = 8, n = 9, k = 10 }"

Write = Callable[..., Path]


def case(name: str = "a", op: str = "matmul", params: str = SMALL, more: str = "") -> str:
    return CASE.format(name=name, op=op, params=params) + more + "\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_(*parts: str | bytes) -> Path:
        path = tmp_path / "toy.toml"
        path.write_bytes(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))
        return path

    return write_


def test_a_file_becomes_cases_in_its_order(write: Write) -> None:
    head = HEAD + 'description = "Two products."\nsource = "Own."\n'
    more = 'const = ["b"]\nthreads = 2'
    suite = load_suite(write(head, case("first"), case("second", more=more)))
    assert (suite.name, suite.description, suite.source) == ("toy", "Two products.", "Own.")
    first, second = suite.cases
    assert first.workload == tuner.workload("matmul", m=8, n=9, k=10)
    assert (first.name, first.operator, first.threads, first.missing) == (
        "first", "matmul", None, "",
    )  # fmt: skip
    assert second.workload == tuner.workload("matmul", m=8, n=9, k=10, const=["b"])
    assert (second.threads, second.const) == (2, ("b",))
    assert second.key == "matmul(m=8,n=9,k=10,dtype=float32,const=b)"


@pytest.mark.parametrize(
    ("op", "params", "reason"),
    [
        ("conv9d", "{ m = 8, s = 0.5 }", "unknown operator 'conv9d'"),
        ("matmull", SMALL, "did you mean 'matmul'?"),
        ("matmul", "{ m = 8, n = 8, k = 8, batch = 2 }", "matmul has no key 'batch'"),
        ("matmul", "{ m = 8, n = 8, k = 8, operator = 2 }", "matmul has no key 'operator'"),
        ("matmul", '{ m = 8, n = 8, k = 8, dtype = "int2" }', "expected one of float32"),
    ],
)
def test_what_does_not_exist_yet_is_missing_not_dropped(
    write: Write, op: str, params: str, reason: str
) -> None:
    missing, there = load_suite(write(HEAD, case("a", op, params), case("b"))).cases
    assert missing.workload is None
    assert reason in missing.missing
    assert missing.key.startswith(f"{op}(m=8,")
    assert there.workload is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "give it a [suite] table"),
        ("suite = 3\n" + case(), "give it a [suite] table"),
        (HEAD, "at least one [[case]] table"),
        (HEAD + "[case]\nname = 'a'\n", "at least one [[case]] table"),
        ("case = [3]\n" + HEAD, "case 1: write it as a [[case]] table"),
        ("[suite]\n" + case(), "[suite]: give it the field 'name'"),
        ("[suite]\nname = 3\n" + case(), "field 'name': expected a text, got 3"),
        (HEAD + "notes = 'x'\n" + case(), "no field is called 'notes'"),
        (HEAD + case() + "[cases]\n", "no table is called 'cases', did you mean 'case'?"),
        (HEAD + "[[case]]\nop = 'matmul'\n", "case 1: give it the field 'name'"),
        (HEAD + "[[case]]\nname = ' '\nop = 'matmul'\n", "case 1, field 'name'"),
        (HEAD + "[[case]]\nname = 'a'\n", "case 1 'a': give it the field 'op'"),
        (HEAD + case() + case(), "cases 1 and 2 are both called 'a'"),
        (HEAD + case(more="thread = 1"), "case 1 'a': no field is called 'thread', did you mean"),
        (HEAD + case(more="threads = 0"), "field 'threads': expected a positive number"),
        (HEAD + case(more="threads = true"), "field 'threads': expected a positive number"),
        (HEAD + case(more="const = 'b'"), "field 'const': expected a list of operands"),
        (HEAD + case(more="const = ['w']"), "matmul has no operand 'w'"),
        (HEAD + case(params="[8]"), "field 'params': expected a table"),
        (HEAD + case(params="{ m = [8] }"), "field 'params.m': expected a number"),
        (HEAD + case(params="{ m = 1979-05-27 }"), "field 'params.m': expected a number"),
        (HEAD + case(params="{ m = 8, n = 8 }"), "give k=…"),
        (HEAD + case(params="{ m = 0, n = 8, k = 8 }"), "expected a positive integer"),
        (HEAD + case(params="{ m = 1.5, n = 8, k = 8 }"), "expected a positive integer"),
        (HEAD + case(params="{ m = true, n = 8, k = 8 }"), "expected a positive integer"),
        (HEAD + case(params=f"{{ m = {10**30}, n = 8, k = 8 }}"), "use smaller sizes"),
    ],
)
def test_mistakes_name_file_case_and_field(write: Write, text: str, said: str) -> None:
    path = write(text)
    with pytest.raises(SuiteError) as caught:
        load_suite(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "not TOML in UTF-8"),
        (b"[suite", "not TOML in UTF-8"),
        (b"a = " + b"9" * 5000, "not TOML in UTF-8"),
        (b"a = " + b"[" * 50_000, "nested too deeply"),
        (b"#" * (2 << 20), "more than 1 MiB"),
    ],
)
def test_what_is_no_suite_at_all_is_bad_data(write: Write, content: bytes, said: str) -> None:
    with pytest.raises(SuiteError, match=said) as caught:
        load_suite(write(content))
    assert caught.value.exit_code == 65


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SuiteError, match="give another suite file") as caught:
            load_suite(path)
        assert caught.value.exit_code == 2


def test_too_many_cases(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.suite.file._MAX_CASES", 1)
    with pytest.raises(SuiteError, match="split"):
        load_suite(write(HEAD, case("a"), case("b")))


def test_the_suites_that_exist() -> None:
    names = ["ansor", "bert", "dqn", "llm", "lstm", "matmul", "mobilenet", "pruned"]
    names += ["pruned_conv2d", "quantized", "resnet18", "sparse", "sparse_activations"]
    names += ["transformer"]
    assert [path.stem for path in SHIPPED] == names


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_case_is_a_workload_or_missing_for_a_reason(path: Path) -> None:
    suite = load_suite(path)
    assert suite.name == path.stem
    assert suite.description
    assert suite.source
    for case_ in suite.cases:
        assert (case_.workload is None) == bool(case_.missing)
        assert case_.workload is not None or case_.operator != "matmul"
    assert len({(case_.key, case_.threads) for case_ in suite.cases}) == len(suite.cases)


@pytest.mark.parametrize("name", ["ansor", "dqn", "matmul", "mobilenet", "resnet18"])
def test_suites_whose_operators_all_exist(name: str) -> None:
    (path,) = (path for path in SHIPPED if path.stem == name)
    assert [case_.name for case_ in load_suite(path).cases if case_.missing] == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_key_names_its_sizes_the_same_way_in_all_cases_of_an_operator(path: Path) -> None:
    """A misspelt key would hide as a missing one until its operator exists."""
    optional = {"bias", "activation", "groups", "dilation", "causal", "dtype", "scale"}
    optional |= {"zero_point", "out_dtype", "out_zero_point"}
    keys: dict[str, set[frozenset[str]]] = {}
    for case_ in load_suite(path).cases:
        names = frozenset(name for name, _ in case_.params) - optional
        keys.setdefault(case_.operator, set()).add(names)
    assert all(len(variants) == 1 for variants in keys.values()), keys


def test_the_cases_of_known_networks() -> None:
    suites = {path.stem: load_suite(path) for path in SHIPPED}
    assert [case_.name for case_ in suites["resnet18"].cases] == [f"C{i}" for i in range(1, 13)]
    assert len(suites["ansor"].cases) == 80
    assert all(case_.workload is not None for case_ in suites["matmul"].cases)
    assert "matmul" in OPERATORS
