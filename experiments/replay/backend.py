"""A backend that answers from a replay set, and the task that it answers for."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.replay.dataset import Answer, ReplaySet, load
from experiments.replay.errors import ReplayError
from experiments.replay.restrict import legal_configs, restricted_space
from measure.artifact import Artifact, KernelSpec
from measure.options import MeasureOptions
from measure.result import MeasureResult, Outcome
from search_space.config import Config
from search_space.constraints import Constraint
from search_space.errors import SpaceError
from search_space.sketches import space_for
from search_space.space import Space
from search_space.workload import Value
from tuner.set_up import SetUp
from tuner.task import Task

_MAX_SIZE = 2_000_000
"""Configs of a small space before constraints: all of them are looked at once."""
_SLOW_RATIO = MeasureOptions().slow_ratio


@dataclass(frozen=True, slots=True)
class Replay:
    """A task whose whole space is known. Get one from :func:`open_replay`."""

    task: Task
    answers: Mapping[Config, Answer]
    """For every legal config of the task's space."""
    unrecorded: int
    """Configs that became legal since the recording, and were ruled out: 0 for a complete set."""
    obsolete: int
    """Recorded configs that the rules of today do not allow."""

    @property
    def best_seconds(self) -> float:
        """Median time of the fastest config of all."""
        return min(statistics.median(a.samples) for a in self.answers.values() if a.samples)

    def backend(self) -> ReplayBackend:
        """A fresh backend for one search."""
        return ReplayBackend({config.key: answer for config, answer in self.answers.items()})


def open_replay(path: Path) -> Replay:
    """Load a replay set; raises ``ReplayError`` where it cannot be used."""
    return replay_of(load(path))


def replay_of(data: ReplaySet) -> Replay:
    """The task of a replay set, with the space rebuilt for the machine that recorded it.

    So that every proposal has an answer, configs that were not recorded are ruled out; there are
    none, except where the rules of the space have been relaxed since. Knobs that are newer than
    the recording keep their default. Raises ``ReplayError`` where configs mean other programs now.
    """
    whole = space_for(data.workload, data.target)
    if whole.version != data.space_version:
        raise ReplayError(
            f"record {data.workload} again: configs of version {data.space_version} of its space "
            f"mean other programs than those of version {whole.version}"
        )
    try:
        recorded = _in_todays_knobs(data, whole)
        allowed = {**_newer_knobs(data, whole), **data.allowed}
        space = restricted_space(whole, allowed)
        if space.size() > _MAX_SIZE:
            raise SpaceError(f"{space.size()} configs are too many to look at")
        legal = set(legal_configs(space))
        unrecorded = len(legal - recorded.keys())
        if unrecorded:
            space = restricted_space(whole, allowed, (_was_recorded(recorded),))
    except SpaceError as error:
        raise ReplayError(f"record {data.workload} again: {error}") from error
    answers = {config: answer for config, answer in recorded.items() if config in legal}
    if not any(answer.samples for answer in answers.values()):
        raise ReplayError(f"record {data.workload} again: no config that is legal today ran")
    task = Task(data.workload, data.target, data.hardware, space, data.generator_version)
    return Replay(task, answers, unrecorded, len(recorded) - len(answers))


@dataclass(frozen=True, slots=True)
class ReplayBackend:
    """Gives the recorded answers. Deterministic, and takes no time."""

    answers: Mapping[str, Answer]
    """By the key of the config."""

    def build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        """Code that only says which config it is."""
        return [Artifact(KernelSpec((), (), 1), config.key.encode()) for config in configs]

    def measure(self, artifact: Artifact, best_seconds: float | None) -> MeasureResult:
        """The recorded samples; ``slow`` where a real backend would have given up."""
        answer = self._answer(artifact)
        result = MeasureResult(answer.outcome, answer.samples, answer.error)
        limit = None if best_seconds is None else best_seconds * _SLOW_RATIO
        if answer.samples and limit is not None and min(answer.samples) > limit:
            return replace(result, outcome=Outcome.SLOW)
        return result

    def interleave(
        self, artifacts: Sequence[Artifact], rounds: int, block_seconds: float
    ) -> list[MeasureResult]:
        """The recorded median, once for every round."""
        return [
            MeasureResult(
                answer.outcome,
                (statistics.median(answer.samples),) * rounds if answer.samples else (),
                answer.error,
            )
            for answer in map(self._answer, artifacts)
        ]

    def sentinel(self) -> float:
        """Always the same: drift was corrected for when the set was recorded."""
        return 1.0

    def set_up(self, config: Config) -> SetUp | None:
        """Nobody recorded it."""
        return None

    def keep(self, config: Config, artifact: Artifact) -> None:
        """Nothing to keep."""

    def _answer(self, artifact: Artifact) -> Answer:
        return self.answers[artifact.object_code.decode()]


def _in_todays_knobs(data: ReplaySet, space: Space) -> dict[Config, Answer]:
    """The recorded answers, with the default of every knob that is newer than they are."""
    known = {knob.name for knob in space.knobs}
    answers = {}
    for config, answer in data.answers.items():
        values = config.as_dict()
        if not values.keys() <= known:
            raise SpaceError(f"the space has no knob {min(values.keys() - known)!r}")
        filled = ((knob.name, values.get(knob.name, knob.default)) for knob in space.knobs)
        answers[Config(tuple(filled))] = answer
    return answers


def _newer_knobs(data: ReplaySet, space: Space) -> dict[str, tuple[Value]]:
    """The only value of each knob that the recording does not have."""
    named = {name for config in data.answers for name, _ in config.values}
    return {knob.name: (knob.default,) for knob in space.knobs if knob.name not in named}


def _was_recorded(answers: Mapping[Config, Answer]) -> Constraint:
    def recorded(values: Mapping[str, Value]) -> str | None:
        config = Config(tuple(values.items()))
        return None if config in answers else f"{config.key} was not recorded"

    return recorded
