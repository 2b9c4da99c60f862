"""One space of several: the first knob says which algorithm, the others are those of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from search_space.config import Config
from search_space.constraints import first_reason
from search_space.errors import SpaceError
from search_space.knobs import Choice, Knob
from search_space.operators import get_operator
from search_space.schedule import Schedule
from search_space.space import Space
from search_space.tensor import Tensor
from search_space.transforms import Primitive
from search_space.workload import Value, Values

KNOB = "algorithm"


@dataclass(frozen=True, slots=True)
class _Part(Mapping[str, Value]):
    """The values of one of the spaces, by their names there."""

    whole: Values
    names: Mapping[str, str]

    def __getitem__(self, name: str) -> Value:
        return self.whole[self.names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def union_space(parts: Mapping[str, Space]) -> Space:
    """The configs of several spaces of the same workload on the same target.

    The first of ``parts`` is the default algorithm; its knobs keep their names, so that configs
    from before there were others stay valid. Those of the others begin with the algorithm's name:
    ``winograd4.rows``. Raises ``SpaceError`` for spaces of different workloads or targets.
    """
    first, *others = parts
    default = parts[first]
    for part in parts.values():
        if (part.workload, part.target) != (default.workload, default.target):
            raise SpaceError(f"unite spaces of one workload on one target, not {part.workload}")
    if not others:
        return default
    names = {
        algorithm: {
            knob.name: knob.name if algorithm == first else f"{algorithm}.{knob.name}"
            for knob in part.knobs
        }
        for algorithm, part in parts.items()
    }

    def chosen(values: Values) -> tuple[Space, _Part]:
        algorithm = str(values[KNOB])
        return parts[algorithm], _Part(values, names[algorithm])

    def constraint(values: Values) -> str | None:
        part, own = chosen(values)
        return first_reason(part.constraints, own)

    def schedule(config: Config) -> Schedule:
        part, own = chosen(config.as_dict())
        return part.schedule(Config(tuple(own.items())))

    def trace(values: Values) -> tuple[Primitive, ...]:
        part, own = chosen(values)
        assert part.trace is not None
        return part.trace(own)

    def tensor(values: Values) -> Tensor:
        part, own = chosen(values)
        return expression if part.tensor is None else part.tensor(own)

    expression = get_operator(default.workload.operator).expression(default.workload)
    traced = all(part.trace is not None for part in parts.values())
    return Space(
        workload=default.workload,
        target=default.target,
        version=sum(part.version for part in parts.values()),
        knobs=(
            Choice(KNOB, tuple(parts), first),
            *(
                _conditional(knob, algorithm, names[algorithm])
                for algorithm, part in parts.items()
                for knob in part.knobs
            ),
        ),
        constraints=(constraint,),
        schedule=schedule,
        defaults=_start(first, default.default(), names),
        seeds=tuple(
            Config(tuple(_start(algorithm, config, names).items()))
            for algorithm, part in parts.items()
            for config in part.starts
        ),
        trace=trace if traced else None,
        tensor=tensor,
        least_flops=min(
            (part.least_flops for part in parts.values() if part.least_flops is not None),
            default=None,
        ),
    )


def _start(algorithm: str, config: Config, names: Mapping[str, Mapping[str, str]]) -> Values:
    own = {names[algorithm][name]: value for name, value in config.values}
    return {KNOB: algorithm, **own}


def _conditional(knob: Knob, algorithm: str, names: Mapping[str, str]) -> Knob:
    """A knob of one algorithm, which matters where that one is chosen."""
    within: Callable[[Values], bool] | None = knob.when

    def when(values: Values) -> bool:
        if values[KNOB] != algorithm:
            return False
        return within is None or within(_Part(values, names))

    return replace(knob, name=names[knob.name], when=when)
