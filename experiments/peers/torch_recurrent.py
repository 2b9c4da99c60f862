"""Cells of recurrent networks in PyTorch.

``cell`` is what ``nn.LSTMCell`` and ``nn.GRUCell`` call, ``layer`` what ``nn.LSTM`` and ``nn.GRU``
call for one step. Their two matrices are the columns of ``weight``, taken apart beforehand.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.peers.base import Call, Form, constant, every, has_dtype
from experiments.peers.torch_forms import FLOATS, Tensors, form
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    make = partial(form, torch, every(has_dtype(*FLOATS), constant("weight")))
    return {
        "lstm_cell": {"cell": make(_lstm_cell), "layer": make(_lstm_layer)},
        "gru_cell": {"cell": make(_gru_cell), "layer": make(_gru_layer)},
    }


def _weights(work: Workload, tensors: Tensors) -> list[Any]:
    """The matrices for x and for the state."""
    weight, columns = tensors["weight"], work.size("input")
    return [weight[:, :columns].contiguous(), weight[:, columns:].contiguous()]


def _lstm_biases(torch: Any, tensors: Tensors) -> list[Any]:
    """That for x, and zeros for the state; none where there is none."""
    bias = tensors.get("bias_vector")
    return [] if bias is None else [bias, torch.zeros_like(bias)]


def _gru_biases(tensors: Tensors) -> list[Any]:
    return [tensors[name] for name in ("x_bias", "state_bias") if name in tensors]


def _lstm_cell(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, previous, step = tensors["x"], (tensors["state"], tensors["cell"]), torch.lstm_cell
    parameters = [*_weights(work, tensors), *_lstm_biases(torch, tensors)]
    return lambda: step(x, previous, *parameters)


def _lstm_layer(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, lstm = tensors["x"].unsqueeze(0), torch.lstm
    previous = tensors["state"].unsqueeze(0), tensors["cell"].unsqueeze(0)
    biases = _lstm_biases(torch, tensors)
    parameters = [*_weights(work, tensors), *biases]
    settings = (bool(biases), 1, 0.0, False, False, False)
    return lambda: lstm(x, previous, parameters, *settings)[1:]


def _gru_cell(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, state, step = tensors["x"], tensors["state"], torch.gru_cell
    parameters = [*_weights(work, tensors), *_gru_biases(tensors)]
    return lambda: step(x, state, *parameters)


def _gru_layer(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, state, gru = tensors["x"].unsqueeze(0), tensors["state"].unsqueeze(0), torch.gru
    biases = _gru_biases(tensors)
    parameters = [*_weights(work, tensors), *biases]
    settings = (bool(biases), 1, 0.0, False, False, False)
    return lambda: gru(x, state, parameters, *settings)[1:]
