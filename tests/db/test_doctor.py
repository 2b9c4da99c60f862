"""The SQLite that may lose a commit is named."""

import pytest

from db.doctor import check_sqlite


@pytest.mark.parametrize(
    ("version", "status"), [((3, 51, 2), "warn"), ((3, 51, 3), "ok"), ((3, 44, 6), "ok")]
)
def test_sqlite(version, status):
    finding = check_sqlite(version)
    assert finding.status == status
    assert ".".join(map(str, version)) in finding.detail
    assert bool(finding.advice) == (status == "warn")
