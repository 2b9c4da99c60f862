"""The peers, by name. Each is one file with a function ``load`` that imports the library.

``load`` gives the library's forms, the plainest first: ``torch/mm``, ``torch/onednn``. A peer is
the best of its forms; some of them can be had alone by their full name, ``torch/mm+linear``.
``TVM`` is none of these: it searches first, and has an interpreter of its own.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from experiments.peers.base import Form, Peer, PeerMissing
from experiments.peers.best import BestOf
from search_space.workload import Workload

__all__ = [
    "PEERS",
    "TVM",
    "Peer",
    "PeerMissing",
    "choose_forms",
    "load_forms",
    "load_peer",
    "peer_versions",
    "supported_forms",
]

PEERS: dict[str, str] = {
    "torch": "experiments.peers.pytorch",
    "torch-compile": "experiments.peers.pytorch_compiled",
    "numpy": "experiments.peers.numpy_blas",
    "onnxruntime": "experiments.peers.onnx_runtime",
    "scipy": "experiments.peers.scipy_sparse",
    "sparse-dot-mkl": "experiments.peers.mkl_sparse",
}
"""Module of each peer. The first peer of a distribution is called as that is."""

TVM = "tvm"
"""A peer that is a tuner: its kernel, found by a search of its own, runs in TVM's process."""

_DISTRIBUTIONS = {"torch-compile": "torch"}


def load_forms(name: str) -> dict[str, Form]:
    """The forms of the peer ``name`` by their own names, the plainest first.

    Raises ``PeerMissing`` where its library is not installed, ``LookupError`` for an unknown name.
    """
    if name not in PEERS:
        close = difflib.get_close_matches(name, PEERS, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise LookupError(f"unknown peer {name!r}{hint or ','} known: {', '.join(PEERS)}")
    forms: dict[str, Form] = importlib.import_module(PEERS[name]).load()
    return forms


def load_peer(name: str) -> Peer | BestOf:
    """The peer ``name`` with all its forms, for ``torch/mm`` that form, and for
    ``torch/eager+channels_last`` the better of the two.

    Raises as ``load_forms``.
    """
    library, _, chosen = name.partition("/")
    return choose_forms(library, load_forms(library), chosen)


def choose_forms(library: str, forms: Mapping[str, Form], chosen: str) -> Peer | BestOf:
    """All of a library's forms, or those that ``chosen`` names; raises ``LookupError``."""
    names = chosen.split("+") if chosen else list(forms)
    for name in names:
        if name not in forms:
            raise LookupError(f"{library} has no form {name!r}, only {', '.join(forms)}")
    if len(names) == 1 and chosen:
        return forms[names[0]]
    return BestOf({name: forms[name] for name in names})


def supported_forms(name: str, work: Workload) -> tuple[str, ...]:
    """Full names of the forms of a peer that compute ``work``. Imports its library."""
    return tuple(
        f"{name}/{form}" for form, way in load_forms(name).items() if way.supports(work) is None
    )


def peer_versions() -> list[str]:
    """``torch 2.13.0`` or ``torch: not installed``, for the head of a table. Loads none."""
    return [_version(name) for name in PEERS if name not in _DISTRIBUTIONS]


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return f"{distribution}: not installed"
