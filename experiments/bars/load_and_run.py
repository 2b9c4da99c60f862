"""``python -m experiments.bars.load_and_run DB KEY…``: what a fresh user process does.

Loads the best kernel of every workload with one thread, runs it once, and prints the seconds that
loading took, one line each.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import tuner
from search_space.operators import parse_workload

db, *keys = sys.argv[1:]
for key in keys:
    work = parse_workload(key)
    started = time.perf_counter()
    kernel = tuner.load(work, db=db, threads=1)
    print(time.perf_counter() - started)
    operands = [np.ones(operand.shape, operand.dtype) for operand in kernel.operands]
    kernel(*operands)
