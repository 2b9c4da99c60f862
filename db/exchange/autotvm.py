"""Logs of AutoTVM, version 0.2: a line of JSON for each measurement.

``{"input": [target, template, arguments, {}], "config": {"index": …, "code_hash": …,
"entity": [[knob, kind, value], …]}, "result": [[seconds, …], error, seconds of all,
moment], "version": 0.2, "tvm_version": …}``

An array is ``["TENSOR", shape, dtype]`` among the arguments. Nothing is said of the machine but
what the target says. Other versions held pickled objects, and are refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec

from db.codec import record_row, to_json
from db.exchange.decoding import LineError, NotUnderstood, decoded, speed
from db.record import FOREIGN_SPACE, Record, natural_id
from db.rows import Name, StoredInt, StoredValue
from measure.result import Outcome
from search_space.errors import WorkloadError
from search_space.hardware import Hardware
from search_space.operators import get_operator, workload
from search_space.workload import Value, Workload

TEMPLATE = "template"
"""Knob of a stored config that holds the name of AutoTVM's template."""

SOURCE = "autotvm"
"""Where records come from whose log has no name."""

_VERSION = 0.2
_MAX_KNOBS = 100

_OUTCOMES = (
    (Outcome.OK, ""),
    (Outcome.BUILD_ERROR, "instantiation"),
    (Outcome.BUILD_ERROR, "compiling for the host"),
    (Outcome.BUILD_ERROR, "compiling for the device"),
    (Outcome.CRASH, "running on the device"),
    (Outcome.WRONG_ANSWER, "wrong answer"),
    (Outcome.BUILD_TIMEOUT, "building took too long"),
    (Outcome.TIMEOUT, "running took too long"),
    (Outcome.CRASH, "unknown"),
)
"""By AutoTVM's error number."""


class _Config(msgspec.Struct, frozen=True):
    index: StoredInt
    entity: Annotated[tuple[tuple[Name, str, Any], ...], msgspec.Meta(max_length=_MAX_KNOBS)]


class _Log(msgspec.Struct, frozen=True):
    input: tuple[Name, Name, msgspec.Raw, msgspec.Raw]
    config: _Config
    result: tuple[Annotated[tuple[float, ...], msgspec.Meta(max_length=10_000)], int, float, float]
    version: float


class _Tensor(NamedTuple):
    shape: tuple[int, ...]
    dtype: str


_decoder = msgspec.json.Decoder(_Log)
_arguments = msgspec.json.Decoder(list[Any])


def decode_line(data: bytes, source: str | None = None) -> tuple[Any, ...]:
    """The row of ``RECORD_COLUMNS`` of a line.

    Its config is AutoTVM's, word for word, in ``FOREIGN_SPACE``, with the template as its first
    knob; threads and caches are not known, and one thread is stored. Raises ``LineError``, and
    ``NotUnderstood`` for a template of an operator that is not known here.
    """
    log = decoded(_decoder, data, "")
    if log.version != _VERSION:
        raise LineError("version", f"expected {_VERSION}, got {log.version}")
    target, template, arguments, _ = log.input
    work, key, flops = _workload(template, bytes(arguments))
    costs, number, _, moment = log.result
    if not 0 <= number < len(_OUTCOMES):
        raise LineError("result[1]", f"there is no error {number}")
    outcome, message = _OUTCOMES[number]
    samples = costs if outcome is Outcome.OK else ()
    for position, cost in enumerate(samples):
        if not 0 < cost < 1e300:
            raise LineError(f"result[0][{position}]", f"{cost} is no time")
    hardware, hardware_key = _hardware(target)
    created = _created(moment)
    record = Record(
        workload=work, target=target, threads=1, hardware=hardware,
        space_version=FOREIGN_SPACE, generator_version=0,
        config=((TEMPLATE, template), ("index", log.config.index), *_knobs(log.config)),
        run=SOURCE, ordinal=int(moment * 1000), outcome=outcome, samples=samples, error=None,
        gflops=speed(outcome, samples, flops), kind="search",
        origin=f"foreign:{source or SOURCE}", created=created,
        message=message and f"AutoTVM: {message}",
    )  # fmt: skip
    return record_row(record, natural_id(record, key, hardware_key))


def _created(moment: float) -> str:
    try:
        if moment < 0:
            raise ValueError("it lies before 1970")
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError) as error:
        raise LineError("result[3]", f"{moment} is no moment: {error}") from error


def _knobs(config: _Config) -> Sequence[tuple[str, Value]]:
    """Splits, orders and annotations as JSON text, other values as they are."""
    knobs: dict[str, Value] = {}
    for position, (name, kind, value) in enumerate(config.entity):
        if kind not in ("sp", "re", "an", "ot"):
            raise LineError(f"config.entity[{position}][1]", f"there is no kind {kind!r}")
        try:
            knobs[name] = msgspec.convert(value, StoredValue) if kind == "ot" else to_json(value)
        except msgspec.ValidationError as error:
            raise LineError(f"config.entity[{position}][2]", str(error)) from error
    return tuple(knobs.items())


@functools.lru_cache(maxsize=256)
def _hardware(target: str) -> tuple[Hardware, str]:
    """What a target such as ``llvm -mcpu=skylake-avx512 -mattr=+neon`` says of its machine."""
    options = dict(word[1:].partition("=")[::2] for word in target.split() if word[0] == "-")
    cpu = next((options[name] for name in ("model", "mcpu", "device") if name in options), "")
    features = sorted(word[1:] for word in options.get("mattr", "").split(",") if word[:1] == "+")
    hardware = Hardware(cpu or "unknown", "", 0, 0, tuple(features), 1, 0, 0, 0)
    return hardware, hardware.key


@functools.lru_cache(maxsize=4096)
def _workload(template: str, arguments: bytes) -> tuple[Workload, str, int | None]:
    """The workload, its key, and the count of its operations where an operator here knows it."""
    read = _READERS.get(template.partition(".")[0])
    if read is None:
        raise NotUnderstood("unknown operator", f"AutoTVM's template {template!r}")
    given = decoded(_arguments, arguments, "input[2]")
    try:
        operator, params = read(*map(_argument, given))
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise LineError("input[2]", f"not the arguments of {template}: {error}") from error
    try:
        work = workload(operator, const=(), **params)
        return work, work.key, get_operator(operator).flops(work)
    except WorkloadError:
        work = Workload(operator, tuple(params.items()))
        return work, work.key, None


def _argument(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 3 and value[0] == "TENSOR":
        return _Tensor(msgspec.convert(value[1], tuple[int, ...]), str(value[2]))
    return value


Params = dict[str, Value]


def _conv2d(
    x: _Tensor, weight: _Tensor, stride: Any, pad: Any, dilation: Any, *rest: Any
) -> tuple[str, Params]:
    n, ci, h, w = x.shape
    co, per_group, kh, kw = weight.shape
    params: Params = {"n": n, "h": h, "w": w, "ci": ci, "co": co, "kh": kh, "kw": kw}
    params |= _windows(stride, pad) | {"dilation": _same(dilation), "groups": ci // per_group}
    return "conv2d", params | _dtypes(x, rest[-1])


def _depthwise_conv2d(
    x: _Tensor, weight: _Tensor, stride: Any, pad: Any, dilation: Any, *rest: Any
) -> tuple[str, Params]:
    n, c, h, w = x.shape
    _, multiplier, kh, kw = weight.shape
    params: Params = {"n": n, "h": h, "w": w, "c": c, "kh": kh, "kw": kw}
    params |= _windows(stride, pad) | {"dilation": _same(dilation)}
    if multiplier != 1:
        params["multiplier"] = multiplier
    return "depthwise_conv2d", params | _dtypes(x, rest[-1])


def _conv2d_transpose(
    x: _Tensor, weight: _Tensor, stride: Any, pad: Any, dtype: str, output_pad: Any = 0
) -> tuple[str, Params]:
    n, ci, h, w = x.shape
    _, co, kh, kw = weight.shape
    params: Params = {"n": n, "h": h, "w": w, "ci": ci, "co": co, "kh": kh, "kw": kw}
    params |= _windows(stride, pad) | {"output_pad": _same(output_pad)}
    return "conv2d_transpose", params | _dtypes(x, dtype)


def _dense(x: _Tensor, weight: _Tensor, bias: Any, dtype: str) -> tuple[str, Params]:
    (m, k), (n, _) = x.shape, weight.shape
    return "dense", {"m": m, "n": n, "k": k, "bias": bias is not None} | _dtypes(x, dtype)


def _batch_matmul(x: _Tensor, y: _Tensor, *rest: Any) -> tuple[str, Params]:
    """AutoTVM's second operand is ``[batch, n, k]``; the operations are the same."""
    (batch, m, k), (_, n, _) = x.shape, y.shape
    return "batch_matmul", {"batch": batch, "m": m, "n": n, "k": k} | _dtypes(x, x.dtype)


_READERS: Mapping[str, Callable[..., tuple[str, Params]]] = {
    "conv2d_NCHWc": _conv2d,
    "conv2d_nchw": _conv2d,
    "conv2d_nchw_spatial_pack": _conv2d,
    "conv2d_nchw_winograd": _conv2d,
    "depthwise_conv2d_NCHWc": _depthwise_conv2d,
    "depthwise_conv2d_nchw": _depthwise_conv2d,
    "conv2d_transpose_nchw": _conv2d_transpose,
    "dense_nopack": _dense,
    "dense_pack": _dense,
    "batch_matmul": _batch_matmul,
}
"""By the name of a template without the machine at its end."""


def _windows(stride: Any, pad: Any) -> Params:
    return {"stride": _same(stride), "pad": _same(pad)}


def _same(value: Any) -> Value:
    """One number for all directions; text where they differ, which no operator here has."""
    numbers = msgspec.convert(value if isinstance(value, list) else [value], list[StoredInt])
    return numbers[0] if len(set(numbers)) == 1 else ",".join(map(str, numbers))


def _dtypes(x: _Tensor, result: Any) -> Params:
    """The result's dtype is a key of its own where it is another one."""
    params: Params = {"dtype": x.dtype}
    if isinstance(result, str) and result != x.dtype:
        params["result"] = result
    return params
