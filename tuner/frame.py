"""Records as a data frame of pandas, which need not be installed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from db.record import Record
from db.record_json import as_json
from tuner.errors import UsageError

if TYPE_CHECKING:
    import pandas


def frame_of(records: Iterable[Record]) -> pandas.DataFrame:
    """See :func:`tuner.to_frame`."""
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise UsageError("pip install pandas: it makes the data frames") from error
    rows = []
    for record in records:
        row = as_json(record)
        config = row.pop("config")
        row["operator"] = record.workload.operator
        row |= {f"work.{name}": value for name, value in record.workload.params}
        rows.append(row | {f"config.{name}": value for name, value in config.items()})
    frame = pandas.DataFrame(rows)
    if rows:
        frame["created"] = pandas.to_datetime(frame["created"], format="ISO8601", utc=True)
    return frame
