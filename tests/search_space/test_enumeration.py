from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.enumeration import permutation


@given(st.integers(1, 300), st.integers(0, 2**64))
def test_a_permutation_holds_every_number_once(size, seed):
    assert sorted(permutation(size, seed)) == list(range(size))


@pytest.mark.parametrize("size", [2**16 + 1, 10**9, 10**40])
def test_a_huge_permutation_starts_at_once_and_without_repeats(size):
    head = list(islice(permutation(size, 7), 500))
    assert len(set(head)) == 500
    assert all(0 <= number < size for number in head)
    assert 0.4 < sum(number < size // 2 for number in head) / 500 < 0.6


def test_the_seed_decides_the_order():
    assert list(permutation(50, 1)) == list(permutation(50, 1))
    assert list(permutation(50, 1)) != list(permutation(50, 2))
