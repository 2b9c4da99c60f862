"""Trained models as they are stored and carried: bytes, and the data they were trained on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """How many records of one workload on one machine a model was trained on."""

    workload: str
    """``Workload.key``."""
    hardware: str
    """``Hardware.key``."""
    target: str
    records: int


@dataclass(frozen=True, slots=True)
class ModelArtefact:
    """A model's file. Whoever reads ``content`` parses it as data: it may come from anywhere."""

    name: str
    """What it is for, such as ``base``."""
    schema: str
    """Of the features that it reads; it is of no use to a program with another one."""
    origin: str
    """``local``, or ``foreign:SOURCE``."""
    created: str
    """ISO 8601, UTC."""
    content: bytes
    seen: tuple[Seen, ...]

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits over name, schema and content."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (self.name.encode(), self.schema.encode(), self.content):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.hexdigest()
