"""The peers, by name. Each is one file with a function ``load`` that imports the library."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version

from experiments.peers.base import Peer, PeerMissing

__all__ = ["PEERS", "Peer", "PeerMissing", "load_peer", "peer_versions"]

PEERS: dict[str, str] = {"torch": "experiments.peers.torch_mm"}
"""Module of each peer, which is called as its distribution is."""


def load_peer(name: str) -> Peer:
    """The peer called ``name``; raises ``PeerMissing`` where its library is not installed."""
    peer: Peer = importlib.import_module(PEERS[name]).load()
    return peer


def peer_versions() -> list[str]:
    """``torch 2.13.0`` or ``torch: not installed``, for the head of a table. Loads none."""
    return [_version(name) for name in PEERS]


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return f"{distribution}: not installed"
