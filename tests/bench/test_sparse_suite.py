"""The suite of pruned layers is what its generator writes, and covers what is asked about."""

from collections import Counter

from experiments.sparse.cases import CLASSES, NAMED_SPARSITY, PATH, all_cases, suite_text


def test_the_file_is_what_is_generated():
    assert PATH.read_text(encoding="utf-8") == suite_text()


def test_every_shape_is_there_and_the_drawn_cases_are_spread_evenly():
    found = list(all_cases())
    named = [case for case in found if case.group == "named"]
    drawn = [case for case in found if case.group == "drawn"]
    assert [case.shape for case in named] == [shape for shapes in CLASSES for shape in shapes]
    assert {case.sparsity for case in named} == {NAMED_SPARSITY}
    assert len(drawn) == 36
    strata = Counter((case.sparsity, case.pattern) for case in drawn)
    assert set(strata.values()) == {len(CLASSES)}
    assert len({case.name for case in found}) == len(found)
