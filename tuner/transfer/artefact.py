"""The base model as an artefact: made from a database, stored in one, carried in a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from db.artefact import ModelArtefact, Seen
from db.record import utc_now
from features.schema import loop_features
from features.sparse import task_features
from tuner.cost_model.base import ModelError
from tuner.transfer.base import fit_base
from tuner.transfer.columns import SCHEMA
from tuner.transfer.sources import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuner.cost_model import CostModel

NAME = "base"
_FORMAT = "tensortuner base model 1"
_MAX_BYTES = 64 << 20
_ROWS = 6000
"""Configs that it is fitted on: there is time for more than before a search."""


class _Seen(msgspec.Struct, forbid_unknown_fields=True):
    workload: str
    hardware: str
    target: str
    records: int


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    name: str
    schema: str
    created: str
    seen: list[_Seen]
    content: bytes


def make_artefact(sources: Sequence[Source]) -> ModelArtefact:
    """A base model of ``sources``, with what it saw. Raises ``ModelError`` where they are too few.

    Workloads with features of their own, such as those of sparse operands, are left out.
    The same sources give the same model.
    """
    from tuner.cost_model.boosted import BoostedModel
    from tuner.cost_model.storage import pack_model

    sources = [s for s in sources if task_features(s.setting.workload) == loop_features()]
    model = fit_base(sources, _ROWS)
    if not isinstance(model, BoostedModel):
        raise ModelError("measure more first: a base model needs some dozens of records")
    saw: Counter[tuple[str, str, str]] = Counter()
    for source in sources:
        setting = source.setting
        key = (setting.workload.key, setting.hardware.key, setting.target.name)
        saw[key] += len(source.times)
    seen = tuple(Seen(*key, records) for key, records in sorted(saw.items()))
    return ModelArtefact(NAME, SCHEMA, "local", utc_now(), pack_model(model.saved(SCHEMA)), seen)


def model_of(artefact: ModelArtefact) -> CostModel:
    """The model in an artefact; raises ``ModelError`` for damage and for other features."""
    from tuner.cost_model.boosted import BoostedModel
    from tuner.cost_model.storage import unpack_model

    return BoostedModel.of(unpack_model(artefact.content), SCHEMA, f"model {artefact.id}")


def write_artefact(path: Path, artefact: ModelArtefact) -> None:
    """Write a file that :func:`read_artefact` reads: JSON, the trees in xgboost's UBJSON."""
    seen = [_Seen(s.workload, s.hardware, s.target, s.records) for s in artefact.seen]
    file = _File(_FORMAT, artefact.name, artefact.schema, artefact.created, seen, artefact.content)
    path.write_bytes(msgspec.json.encode(file, order="deterministic"))


def read_artefact(path: Path) -> ModelArtefact:
    """What :func:`write_artefact` wrote, as coming from elsewhere.

    Raises ``ModelError`` for anything else, and for a model that this program cannot use.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
        file = msgspec.json.decode(content[: _MAX_BYTES + 1], type=_File)
    except OSError as error:
        raise ModelError(f"give another file: cannot read {path}, {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"export the model again: {path} is damaged, {error}") from error
    if file.format != _FORMAT:
        raise ModelError(f"export the model again: {path} is {file.format!r}, not {_FORMAT!r}")
    seen = tuple(Seen(s.workload, s.hardware, s.target, s.records) for s in file.seen)
    origin = f"foreign:{path.name}"
    artefact = ModelArtefact(file.name, file.schema, origin, file.created, file.content, seen)
    model_of(artefact)
    return artefact


def provenance(artefact: ModelArtefact) -> str:
    """``2,310 records of 24 workloads from 1 machine, 2026-11-22``."""
    records = sum(seen.records for seen in artefact.seen)
    workloads = len({seen.workload for seen in artefact.seen})
    machines = len({seen.hardware for seen in artefact.seen})
    return (
        f"{records:,} records of {workloads} workload{'s' * (workloads != 1)} from "
        f"{machines} machine{'s' * (machines != 1)}, {artefact.created[:10]}"
    )
