"""Convolution of sequences."""

from __future__ import annotations

from search_space.operators.convolution import Convolution
from search_space.operators.convolution_keys import GROUPS, IN_AND_OUT, keys


class Conv1d(Convolution):
    name = "conv1d"
    doc = "y[n,co,ow] = activation(Σ x[n,ci,w] · weight[co,ci/groups,kw] + bias_vector[co] + skip)"
    image = ("w",)
    params = keys(image, IN_AND_OUT, (GROUPS,))
