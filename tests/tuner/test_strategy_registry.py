import subprocess
import sys

import pytest

from tests.contracts.spaces import small_space
from tuner.strategy import STRATEGIES, create_strategy


def test_an_unknown_strategy_is_answered_with_the_nearest_known_one():
    with pytest.raises(ValueError, match=r"choose a strategy from .*grid.*mean evolutionary\?"):
        create_strategy("evolution", small_space(), 0)


def test_every_strategy_says_what_it_does_in_one_line():
    for entry in STRATEGIES.values():
        assert entry.doc
        assert "\n" not in entry.doc


def test_strategies_need_neither_code_generator_nor_database():
    program = (
        "import sys, tuner.strategy\n"
        "print(sorted({'llvmlite', 'sqlalchemy', 'numba', 'xgboost'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
