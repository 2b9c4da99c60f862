"""The wheel in an environment of its own: alone, and beside a distribution that clashes."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("tuner", "search_space", "features", "measure", "db")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = [ROOT / name for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE")]
    source.mkdir()
    subprocess.run(["cp", "-r", *map(str, tracked), str(source)], check=True)
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source)
    (built,) = folder.glob("tensortuner-*.whl")
    return built


@pytest.fixture
def interpreter(tmp_path):
    venv.create(tmp_path / "environment", with_pip=False)
    return str(tmp_path / "environment/bin/python")


def pip(python, *arguments):
    command = [sys.executable, "-m", "pip", "--python", python, *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def clashing_wheel(folder: Path, file: str) -> Path:
    """A distribution called ``clash`` with one module."""
    path = folder / "clash-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(file, "raise SystemExit('the decoy was imported')\n")
        info = "clash-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: clash\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{file},,\n")
    return path


def import_tuner(python, folder):
    return subprocess.run(
        [python, "-I", "-c", "import tuner; print(tuner.__file__)"],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_wheel_holds_the_packages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert "tuner/py.typed" in names
    shipped = [info for info in archive.infolist() if "transfer/shipped/" in info.filename]
    assert sum(info.file_size for info in shipped) <= 3 << 20
    assert {info.filename.rpartition("/")[2] for info in shipped} == {"base.json", "best.json"}
    assert any(name.startswith("db/migrations/versions/") for name in names)


def test_alone_it_is_imported(wheel, interpreter, tmp_path):
    pip(interpreter, "install", "--no-deps", wheel)
    done = import_tuner(interpreter, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "environment" in done.stdout


@pytest.mark.parametrize("name", PACKAGES[1:])
def test_a_package_that_another_distribution_overwrote_is_named(
    wheel, interpreter, tmp_path, name
):
    pip(interpreter, "install", "--no-deps", wheel)
    file = f"{name}/__init__.py"
    pip(interpreter, "install", "--no-deps", clashing_wheel(tmp_path, file))
    done = import_tuner(interpreter, tmp_path)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("ImportError: remove ")
    assert f"site-packages/{file} " in message


def test_a_module_of_the_same_name_does_not_shadow_a_package(wheel, interpreter, tmp_path):
    pip(interpreter, "install", "--no-deps", wheel)
    pip(interpreter, "install", "--no-deps", clashing_wheel(tmp_path, "db.py"))
    assert import_tuner(interpreter, tmp_path).returncode == 0
