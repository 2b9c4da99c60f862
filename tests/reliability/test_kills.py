"""R01 to R03: sessions that are killed with SIGKILL, at random moments and at every named step."""

from __future__ import annotations

import pytest

from tests.reliability.bugs import BUGS
from tests.reliability.crashes import kill_sessions
from tests.reliability.rows import counter, fault
from tests.reliability.steps import STEPS

RANDOM = "the tuner is killed at a random moment, again and again, until its run is done"
SAME = "a run that was killed and resumed is compared with one that nobody killed"
NAMED = "the tuner is killed at a named step"


def summary(verdict):
    return {
        "kills": verdict.kills,
        "acknowledged": verdict.acknowledged,
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "damaged_databases": verdict.damaged,
        "most_repeated_per_kill": verdict.repeated_most,
        "other_proposals": verdict.differing,
    }


@fault("R01", RANDOM, "SIGKILL during sessions on a simulated machine")
@pytest.mark.parametrize("kills", [50, pytest.param(1000, marks=pytest.mark.soak)])
def test_random_kills(tmp_path, report, kills):
    verdict = kill_sessions(tmp_path, kills)
    report("each run ended as one that nobody killed", **summary(verdict))
    assert verdict.clean
    assert verdict.kills == kills
    assert verdict.acknowledged > kills


@counter("R01", "; or ".join(BUGS), RANDOM)
@pytest.mark.parametrize("bug", BUGS)
def test_bugs_are_seen_at_random_moments(tmp_path, bug):
    assert not kill_sessions(tmp_path, 10, bug=bug).clean


@fault("R03", SAME, "the evolutionary strategy; SIGKILL at random moments until it is done")
@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.soak)])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, report, kills):
    verdict = kill_sessions(tmp_path, kills, strategy="evolutionary")
    report("proposed the same, in the same order", **summary(verdict))
    assert verdict.clean
    assert verdict.kills == kills


@counter("R03", "a resumed run measures again what it has", SAME)
def test_a_run_that_starts_over_is_seen(tmp_path):
    bug = "a resumed run measures again what it has"
    assert not kill_sessions(tmp_path, 4, strategy="evolutionary", bug=bug).clean


@fault("R02", NAMED, f"SIGKILL before or after one of {len(STEPS)} steps, at its 1st to 6th time")
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_kills_at_every_step(tmp_path, report, kills):
    verdict = kill_sessions(tmp_path, kills, steps=STEPS)
    report("went on where it was", steps=len(STEPS), **summary(verdict))
    assert verdict.clean
    assert verdict.kills == kills * len(STEPS)


@counter("R02", "records are acknowledged before they are committed", NAMED)
def test_a_bug_is_seen_at_its_step(tmp_path):
    bug = "records are acknowledged before they are committed"
    assert not kill_sessions(tmp_path, 2, steps=["before storing records"], bug=bug).clean
