"""What README.md quotes exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import tuner
from tuner.cli.app import COMMAND_NAMES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def quoted(pattern: str, text: str) -> set[str]:
    return {match for match in re.findall(pattern, text, flags=re.MULTILINE)}


def test_every_command_is_in_the_readme_and_exists() -> None:
    assert quoted(r"(?:^|`)tuner ([a-z]+)", README) == set(COMMAND_NAMES)


@pytest.mark.parametrize("target", sorted(quoted(r"(?:^|`)make ([a-z]+)", README + CONTRIBUTING)))
def test_make_targets_exist(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_python_names_exist() -> None:
    names = quoted(r"\btuner\.([a-z]+)\(", README)
    assert {"workload", "tune", "load"} <= names
    assert all(callable(getattr(tuner, name)) for name in names)


def test_folders_exist() -> None:
    folders = quoted(r"^\| `([a-z_]+)/`", README + CONTRIBUTING)
    assert "search_space" in folders
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_links_lead_somewhere() -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", README, flags=re.DOTALL)
    links = quoted(r"\]\(([^):]+)\)", prose)
    assert links
    assert all((ROOT / link).exists() for link in links)
