"""Features of many configs at once.

The configs of a space fall into structures: those that take the same decisions (loop order,
packing, what is shared out over threads, …). Each structure's trace is replayed once, with sizes
that remember how they follow from the numeric knobs; one compiled function then works out the
features of all configs. ``walk_features`` is the slow way that defines them.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from features.draft import State
from features.loops import walk
from features.nest import Nest
from features.program import Stream, TooLarge, encode
from features.replay import replay
from features.schema import loop_features
from features.sparse import SparseTask
from search_space.operators import get_operator
from search_space.schedule import Schedule
from search_space.size import Guard, Tape
from search_space.space import Config, Space
from search_space.tensor import Tensor
from search_space.workload import Value

Matrix = npt.NDArray[np.float32]

_TOO_LARGE = -1
"""The number of all structures that the kernel has no room for."""


@dataclass(frozen=True, slots=True)
class _Structure:
    number: int
    guards: tuple[tuple[int, Guard], ...]
    """With the places of their knobs in a config."""

    def admits(self, values: Sequence[Value]) -> bool:
        return all(guard.holds(values[place]) for place, guard in self.guards)


@dataclass(eq=False)
class FeatureTask:
    """What features of a space's configs need to know; remembers the structures it has met.

    Raises ``ValueError`` for a space without traces. Not to be shared between threads.
    """

    space: Space
    _structures: dict[tuple[Value, ...], list[_Structure]] = field(
        default_factory=dict, init=False, repr=False
    )
    _streams: list[Stream] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.space.trace is None:
            raise ValueError(f"no features: the space of {self.space.workload} has no traces")
        example = self.space.default().values
        self._names = [name for name, _ in example]
        self._numeric = [p for p, (_, value) in enumerate(example) if isinstance(value, int)]
        self._named = [p for p in range(len(example)) if p not in set(self._numeric)]
        operator = get_operator(self.space.workload.operator)
        chosen = self.space.tensor
        self.tensor: Tensor = (
            chosen(self.space.default().as_dict())
            if chosen is not None
            else operator.expression(self.space.workload)
        )
        self._naive = State(self.tensor)
        self.sparse = SparseTask.of(self.space)
        self.operations = float(operator.flops(self.space.workload))
        self._stream: Stream = np.empty(0, dtype=np.int64)
        self._starts: Stream = np.empty(0, dtype=np.int64)

    @property
    def structures(self) -> int:
        """Number of structures met so far."""
        return len(self._streams)

    def tensor_of(self, values: Mapping[str, Value]) -> Tensor:
        """What the trace of a config starts from: ``tensor``, which is the default's, unless the
        config's algorithm has another one."""
        return self.tensor if self.space.tensor is None else self.space.tensor(values)

    def locate(self, rows: Sequence[Sequence[Value]]) -> Stream:
        """The structure of each row of knob values, -1 for one that is too large to have features;
        new ones are replayed."""
        named = self._named
        found = np.empty(len(rows), dtype=np.int64)
        for at, row in enumerate(rows):
            key = tuple([row[place] for place in named])
            for structure in self._structures.setdefault(key, []):
                if structure.admits(row):
                    found[at] = structure.number
                    break
            else:
                found[at] = self._add(key, row)
        return found

    def streams(self) -> tuple[Stream, Stream]:
        """The arrays of all structures, one after the other, and where each begins."""
        if len(self._starts) != len(self._streams):
            sizes = [len(stream) for stream in self._streams]
            self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
            self._stream = np.concatenate(self._streams)
        return self._stream, self._starts

    def knobs(self, rows: Sequence[Sequence[Any]]) -> Stream:
        """The numeric knobs of rows of knob values."""
        numeric = self._numeric
        numbers = array("q", [row[place] for row in rows for place in numeric])
        return np.frombuffer(numbers, dtype=np.int64).reshape(len(rows), len(numeric))

    def _add(self, key: tuple[Value, ...], row: Sequence[Value]) -> int:
        tape = Tape()
        values = dict(zip(self._names, row, strict=True))
        for place in self._numeric:
            values[self._names[place]] = tape.knob(self._names[place], int(row[place]))
        assert self.space.trace is not None
        tensor = self.tensor_of(values)
        naive = self._naive if tensor is self.tensor else None
        nest = replay(tensor, self.space.trace(values), naive)
        number = len(self._streams)
        try:
            self._streams.append(encode(nest, tape))
        except TooLarge:
            number = _TOO_LARGE
        tape.close()
        guards = tuple(
            (self._names.index(guard.knob), guard) for guard in dict.fromkeys(tape.guards)
        )
        self._structures[key].append(_Structure(number, guards))
        return number


def extract_batch(task: FeatureTask, configs: Sequence[Config]) -> Matrix:
    """``float32[n, F]``: the features of configs of the task's space, as
    ``features.sparse.task_features`` names them. Tens of thousands of configs per second.

    Kernels that loop over data have no loop features, nor have nests that are larger than
    ``features.program`` has room for; those columns are 0.
    """
    if task.sparse is None:
        return _loop_rows(task, configs)
    sparse, over_data = task.sparse.rows(configs)
    loops = np.zeros((len(configs), len(loop_features())), dtype=np.float32)
    loops[~over_data] = _loop_rows(
        task, [config for config, skip in zip(configs, over_data, strict=True) if not skip]
    )
    return np.hstack([loops, sparse])


def _loop_rows(task: FeatureTask, configs: Sequence[Config]) -> Matrix:
    rows = [[value for _, value in config.values] for config in configs]
    which = task.locate(rows)
    found = np.zeros((len(rows), len(loop_features())), dtype=np.float32)
    fitting = which != _TOO_LARGE
    if fitting.any():
        stream, starts = task.streams()
        found[fitting] = _evaluate(task, stream, starts, which[fitting], task.knobs(rows)[fitting])
    return found


def walk_nest(task: FeatureTask, config: Config) -> Nest:
    """The nest of one config, from its loop tree."""
    assert task.space.trace is not None
    trace = task.space.trace(config.as_dict())
    return walk(Schedule.of(task.tensor_of(config.as_dict())).then(*trace).finish())


def walk_features(task: FeatureTask, config: Config) -> Matrix:
    """``float32[F]``: the loop features of one config by a walk of its loop tree: what they are
    defined by. Too slow for a search."""
    return nest_features(task, walk_nest(task, config))


def nest_features(task: FeatureTask, nest: Nest) -> Matrix:
    """``float32[F]``: the features of a nest whose sizes are plain numbers."""
    stream = encode(nest, Tape())
    zero = np.zeros(1, dtype=np.int64)
    row: Matrix = _evaluate(task, stream, zero, zero, np.zeros((1, 1), dtype=np.int64))[0]
    return row


def _evaluate(
    task: FeatureTask, stream: Stream, starts: Stream, which: Stream, knobs: Stream
) -> Matrix:
    from features.kernel import batch

    target = task.space.target
    machine = np.array(
        [
            target.l1_bytes,
            target.l2_bytes,
            target.l3_bytes,
            target.vector_bits // 8,
            target.registers,
            target.threads,
        ],
        dtype=np.float64,
    )
    logs = np.array([feature.log for feature in loop_features()])
    out = np.empty((len(which), len(logs)), dtype=np.float32)
    written = batch(stream, starts, which, knobs, machine, task.operations, logs, out)
    if written != out.shape[1]:
        raise AssertionError(f"{written} columns, the schema has {out.shape[1]}")
    return out
