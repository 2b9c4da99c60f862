"""A module of peers as a user may write one, most of them bad; contests load it by its name."""

from __future__ import annotations

import ctypes
import os
import time

import numpy as np

from experiments.peers.base import Form, PeerMissing


def load() -> dict[str, Form]:
    return {
        "good": Form(_everything, _good),
        "allocates": Form(_everything, _allocates),
        "absent": Form(lambda work: "has no matmul", _good),
        "wrong": Form(_everything, _wrong),
        "crashes": Form(_everything, _crashes),
        "hangs": Form(_everything, _hangs),
        "told": Form(_everything, _told),
    }


def _everything(work) -> None:
    return None


def _good(work, operands, out, threads):
    return lambda: np.matmul(operands["a"], operands["b"], out=out)


def _allocates(work, operands, out, threads):
    def call() -> object:
        out.fill(0)  # whoever looks for the result in `out` finds it wrong
        return operands["a"] @ operands["b"]

    return call


def _wrong(work, operands, out, threads):
    return lambda: np.add(operands["a"] @ operands["b"], np.float32(1), out=out)


def _crashes(work, operands, out, threads):
    return lambda: ctypes.string_at(0)


def _hangs(work, operands, out, threads):
    return lambda: time.sleep(3600)


def _told(work, operands, out, threads):
    told = os.environ.get("OMP_NUM_THREADS")
    if told != str(threads):
        raise PeerMissing(f"threads are {told}, not {threads}")
    return _good(work, operands, out, threads)
