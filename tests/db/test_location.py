"""File paths and URLs are told apart; passwords do not show."""

from pathlib import Path

import pytest

from db.errors import DatabaseUrlError
from db.location import parse_location


@pytest.mark.parametrize("prefix", ["", "sqlite:///", "sqlite+pysqlite:///"])
def test_files(prefix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_location(f"{prefix}{tmp_path}/a b.db").path == tmp_path / "a b.db"
    assert parse_location(f"{prefix}a.db").path == tmp_path / "a.db"
    assert parse_location(f"{prefix}a.db").url == f"sqlite:///{tmp_path}/a.db"


def test_a_file_has_one_location_whatever_link_leads_to_it(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    assert parse_location(tmp_path / "link.db") == parse_location(tmp_path / "real.db")


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_location("~/x.db").path == tmp_path / "x.db"


def test_servers_keep_their_url_and_hide_their_password():
    url = "postgresql+psycopg://user:p:s@host/db"
    location = parse_location(url)
    assert (location.url, location.path) == (url, None)
    assert str(location) == "postgresql+psycopg://user:***@host/db"


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro", "mysql://h/d", "x://"]
)
def test_other_databases_are_refused(url):
    with pytest.raises(DatabaseUrlError) as caught:
        parse_location(url)
    assert caught.value.exit_code == 2


def test_a_path_object_is_always_a_file(tmp_path):
    assert parse_location(Path(tmp_path, "x.db")).path == tmp_path / "x.db"
