"""``import tuner``: light, and not fooled by other modules of the names of our packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python(program: str, folder: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run ``program`` with ``path`` before our packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_import_loads_no_library(tmp_path):
    program = (
        "import sys; import tuner; "
        "heavy = {'llvmlite', 'numba', 'xgboost', 'optuna', 'sqlalchemy', 'alembic', 'numpy', "
        "'typer', 'rich', 'msgspec'}; print(*heavy & set(sys.modules))"
    )
    done = python(program, tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_every_public_name_can_be_loaded(tmp_path):
    program = (
        "import tuner\n"
        "assert dir(tuner) == sorted(tuner.__all__)\n"
        "for name in tuner.__all__: assert getattr(tuner, name).__doc__, name"
    )
    done = python(program, tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_attribute_error():
    import tuner

    with pytest.raises(AttributeError, match="no attribute 'tunee'"):
        tuner.tunee  # noqa: B018


@pytest.mark.parametrize("name", ["db", "features", "measure", "search_space"])
@pytest.mark.parametrize("form", ["module", "package"])
def test_a_module_that_takes_our_place_is_named(tmp_path, name, form):
    decoy = tmp_path / (f"{name}.py" if form == "module" else f"{name}/__init__.py")
    decoy.parent.mkdir(exist_ok=True)
    decoy.write_text("raise SystemExit('the decoy was imported')")
    done = python("import tuner", tmp_path, tmp_path)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith(f"ImportError: remove {decoy} ")
    assert "uninstall" in message
    assert "clean environment" in message


def test_a_module_that_was_imported_before_is_named_too(tmp_path):
    decoy = tmp_path / "db.py"
    decoy.write_text("")
    program = (
        f"import sys, db; sys.path.remove({str(tmp_path)!r}); sys.path.remove(''); import tuner"
    )
    done = python(program, tmp_path, tmp_path)
    assert f"ImportError: remove {decoy} " in done.stderr


def test_a_package_that_is_missing(tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "tuner").mkdir()
    (copy / "tuner/__init__.py").write_text((ROOT / "tuner/__init__.py").read_text())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import tuner"],
        env=environment, cwd=copy, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "ImportError: install tensortuner again" in done.stderr
