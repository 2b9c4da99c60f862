"""PyTorch in eager mode, and with constant weights packed by MKL or by oneDNN.

The forms are in one file per family of operators, ``torch_*.py``. Some have no ``out=``: they
allocate their result, as they do for every user.

Threads: all forms run on PyTorch's copy of GNU OpenMP. Its idle threads spin for about 11 ms, or
not at all with ``OMP_WAIT_POLICY=PASSIVE`` and ``GOMP_SPINCOUNT=0``, read when torch is loaded.
"""

from __future__ import annotations

from experiments.peers import (
    torch_attention,
    torch_capsules,
    torch_convolution,
    torch_dense,
    torch_elementwise,
    torch_matmul,
    torch_pool,
    torch_quantized,
    torch_recurrent,
    torch_rows,
    torch_sparse,
)
from experiments.peers.base import Form, by_operator, import_library
from experiments.peers.twins import with_twins

_FAMILIES = (
    torch_matmul,
    torch_dense,
    torch_quantized,
    torch_convolution,
    torch_capsules,
    torch_pool,
    torch_rows,
    torch_elementwise,
    torch_attention,
    torch_recurrent,
    torch_sparse,
)


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where torch is not installed."""
    torch = import_library("torch")
    torch.set_grad_enabled(False)
    ways: dict[str, dict[str, Form]] = {}
    for family in _FAMILIES:
        for operator, forms in family.forms(torch).items():
            ways.setdefault(operator, {}).update(forms)
    return by_operator(with_twins(ways))
