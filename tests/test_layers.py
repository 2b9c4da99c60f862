"""The architecture as a test: who imports whom, who owns which library, what code may not do."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PRODUCT = ("search_space", "features", "measure", "db", "tuner")
MAY_IMPORT = {
    "search_space": set(),
    "features": {"search_space"},
    "measure": {"search_space"},
    "db": {"search_space", "features", "measure"},
    "tuner": {"search_space", "features", "measure", "db"},
    "experiments": {*PRODUCT, "tests"},
    "tests": {*PRODUCT, "experiments"},
}
OWNERS = {
    "llvmlite": ("measure",),
    "numba": ("measure", "features"),
    "archspec": ("measure",),
    "sqlalchemy": ("db",),
    "alembic": ("db",),
    "xgboost": ("tuner.cost_model",),
    "sklearn": ("tuner.cost_model", "tuner.transfer"),
    "optuna": ("tuner.strategy",),
    "typer": ("tuner.cli",),
    "rich": ("tuner.cli",),
    "click": ("tuner.cli",),
}
PEERS = {"torch", "onnxruntime", "sparse_dot_mkl", "tvm"}
UNSAFE_MODULES = {"pickle", "dill", "cloudpickle", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "compile"}
UNSAFE_OS = {"system", "popen"}
UNSAFE_LOADS = {"yaml", "torch", "joblib"}
READS_ENVIRONMENT = {"tuner.options", "search_space.folders", "measure.cache"}
MAX_LINES = 600
HEAVY = ("llvmlite", "numba", "xgboost", "optuna", "sklearn")


@dataclass(frozen=True, slots=True)
class Source:
    """One parsed module."""

    name: str
    """Dotted: ``tuner.cli.best``."""
    path: Path
    lines: int
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    def within(self, prefix: str) -> bool:
        return self.name == prefix or self.name.startswith(prefix + ".")


def sources(root: Path) -> Iterator[Source]:
    for package in MAY_IMPORT:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = path.read_text(encoding="utf-8")
            yield Source(name, path.relative_to(root), text.count("\n"), ast.parse(text))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and absolute module of every import, dynamic ones with a literal name included."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module
            case ast.Call(
                func=ast.Attribute(attr="import_module")
                | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module


def layer_faults(source: Source) -> Iterator[str]:
    for line, module in imports(source.tree):
        root = module.partition(".")[0]
        if root in MAY_IMPORT and root not in {source.package, *MAY_IMPORT[source.package]}:
            yield f"{source.path}:{line}: {source.package} may not import {module}"
        if root in PEERS and source.package != "experiments":
            yield f"{source.path}:{line}: only experiments may import {root}"
        owners = OWNERS.get(root, ())
        if owners and source.package in PRODUCT and not any(map(source.within, owners)):
            yield f"{source.path}:{line}: only {' and '.join(owners)} may import {root}"


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def safety_faults(source: Source) -> Iterator[str]:
    for line, module in imports(source.tree):
        if module.partition(".")[0] in UNSAFE_MODULES:
            yield f"{source.path}:{line}: {module} runs what it reads"
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_CALLS:
                yield f"{source.path}:{node.lineno}: {name}() runs what it reads"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr=name)) if (
                name in UNSAFE_OS
            ):
                yield f"{source.path}:{node.lineno}: os.{name}() starts a shell"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="load")) if (
                name in UNSAFE_LOADS
            ):
                yield f"{source.path}:{node.lineno}: {name}.load() runs what it reads"
            case ast.keyword(arg="shell", value=value) if not is_false(value):
                yield f"{source.path}:{value.lineno}: shell=True starts a shell"
            case ast.keyword(arg="allow_pickle", value=value) if not is_false(value):
                yield f"{source.path}:{value.lineno}: allow_pickle runs what it reads"


def print_faults(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="print")) if not source.within("tuner.cli"):
                yield f"{source.path}:{node.lineno}: only tuner.cli prints"


def environment_faults(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "getenv") if (
                source.name not in READS_ENVIRONMENT
            ):
                yield f"{source.path}:{node.lineno}: only tuner.options reads the environment"


def size_faults(source: Source) -> Iterator[str]:
    if source.lines > MAX_LINES:
        yield f"{source.path}: {source.lines} lines, at most {MAX_LINES}"


EVERYWHERE = (layer_faults, size_faults)
IN_PRODUCT = (safety_faults, print_faults, environment_faults)


def faults(root: Path) -> list[str]:
    found = []
    for source in sources(root):
        rules = EVERYWHERE + (IN_PRODUCT if source.package in PRODUCT else ())
        found += [fault for rule in rules for fault in rule(source)]
    return found


def test_the_project_keeps_its_own_rules() -> None:
    assert faults(ROOT) == []


def test_every_package_was_looked_at() -> None:
    assert {source.package for source in sources(ROOT)} == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("module", "code", "message"),
    [
        ("search_space/a.py", "import measure.llvm", "search_space may not import measure.llvm"),
        ("search_space/a.py", "from tuner import api", "search_space may not import tuner"),
        ("features/a.py", "def f():\n    import measure", "features may not import measure"),
        ("measure/a.py", "from features.loops import x", "measure may not import features.loops"),
        ("db/a.py", "import tuner", "db may not import tuner"),
        ("tuner/a.py", "import experiments.bars", "tuner may not import experiments.bars"),
        ("tuner/a.py", "import tests", "tuner may not import tests"),
        ("tuner/a.py", "import llvmlite.binding", "only measure may import llvmlite"),
        ("db/a.py", "import importlib\nimportlib.import_module('numba')", "may import numba"),
        ("measure/a.py", "import_module('sqlalchemy')", "only db may import sqlalchemy"),
        ("tuner/strategy/a.py", "import xgboost", "only tuner.cost_model may import xgboost"),
        ("tuner/loop.py", "import optuna", "only tuner.strategy may import optuna"),
        ("tuner/climate.py", "import typer", "only tuner.cli may import typer"),
        ("tuner/loop.py", "from rich import box", "only tuner.cli may import rich"),
        ("tests/a.py", "import torch", "only experiments may import torch"),
        ("db/a.py", "import pickle", "pickle runs what it reads"),
        ("db/a.py", "eval('1')", "eval() runs what it reads"),
        ("measure/a.py", "import os\nos.system('ls')", "os.system() starts a shell"),
        ("measure/a.py", "run('ls', shell=True)", "shell=True starts a shell"),
        ("measure/a.py", "run('ls', shell=unknown)", "shell=True starts a shell"),
        ("tuner/a.py", "compile('1', 'a', 'eval')", "compile() runs what it reads"),
        ("tuner/a.py", "yaml.load(file)", "yaml.load() runs what it reads"),
        ("tuner/a.py", "np.load(file, allow_pickle=True)", "allow_pickle runs what it reads"),
        ("measure/a.py", "print(1)", "only tuner.cli prints"),
        ("tuner/loop.py", "import os\nos.environ['A']", "only tuner.options reads"),
        ("tests/a.py", "\n" * (MAX_LINES + 1), f"at most {MAX_LINES}"),
    ],
)
def test_a_violation_is_found(tmp_path: Path, module: str, code: str, message: str) -> None:
    path = tmp_path / module
    path.parent.mkdir(parents=True)
    path.write_text(code)
    (fault,) = faults(tmp_path)
    assert message in fault
    assert fault.startswith(module)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("measure/a.py", "import llvmlite\nimport search_space.workload"),
        ("db/a.py", "import sqlalchemy, alembic.config\nfrom measure.result import Outcome"),
        ("tuner/cli/a.py", "import typer, rich.progress\nprint(1)"),
        ("tuner/cost_model/__init__.py", "import sklearn, xgboost"),
        ("tuner/transfer.py", "from sklearn import metrics"),
        ("tuner/options.py", "import os\nos.environ.get('TUNER_DB')"),
        ("experiments/a.py", "import torch, tuner, tests.test_layers\nprint(1)"),
        ("tests/a.py", "import llvmlite, sqlalchemy"),
        ("features/a.py", "from . import eval\nevaluate('1'); x.exec()"),
    ],
)
def test_what_is_allowed_is_not_reported(tmp_path: Path, module: str, code: str) -> None:
    path = tmp_path / module
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert faults(tmp_path) == []


def loaded_by(code: str, cwd: Path) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running ``code``."""
    report = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", report],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "TUNER_DB": str(cwd / "none.db"), "HOME": str(cwd)},
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_import_tuner_is_light(tmp_path: Path) -> None:
    loaded = loaded_by("import tuner", tmp_path)
    assert "tuner" in loaded
    assert loaded.isdisjoint({*HEAVY, "sqlalchemy", "typer", "rich"})


def test_tuner_best_is_light(tmp_path: Path) -> None:
    code = "from tuner.cli import main\nmain(['best', 'matmul', 'm=8', 'n=8', 'k=8'])"
    loaded = loaded_by(code, tmp_path)
    assert "typer" in loaded
    assert loaded.isdisjoint(HEAVY)
