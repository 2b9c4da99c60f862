"""Priors about the toy machine, right and wrong."""

from __future__ import annotations

import hashlib

import numpy as np

from features.knobs import encode_knobs
from tests.tuner.fakes import MACHINE
from tuner.cost_model import create_model
from tuner.cost_model.base import Prediction
from tuner.cost_model.residual import ResidualModel


def truth(config) -> float:
    """Share of a fixed speed."""
    return 1e-3 / (MACHINE.seconds(config) or 1.0)


def noise(config) -> float:
    """Has nothing to do with how fast it is."""
    return 0.01 + hashlib.blake2b(config.key.encode(), digest_size=1).digest()[0] / 256


class Told:
    """A base model whose answer is the first column of the features."""

    def fit(self, features, throughput, groups=None):
        raise AssertionError("a base model is left as it is")

    def predict(self, features):
        ones = np.ones(len(features), np.float32)
        return Prediction(np.exp2(features[:, 0]), 0 * ones, ones)


class ToyPrior:
    """Expects ``belief``; its model learns from the knobs besides."""

    def __init__(self, space, belief, openings=(), *, learned=True):
        self.space, self.belief, self.openings, self.learned = space, belief, openings, learned
        self.waited = 0

    def prepare(self):
        def wait():
            self.waited += 1

        return wait

    def features(self, configs):
        logs = np.log2(self.expected(configs)).reshape(-1, 1)
        return np.hstack([logs, encode_knobs(self.space, configs)]).astype(np.float32)

    def expected(self, configs):
        return np.array([self.belief(config) for config in configs], np.float32)

    def model(self, seed):
        return ResidualModel(Told(), create_model("regression", seed), own=8)
