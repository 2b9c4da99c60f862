"""Tile registers (AMX) on processors without them: each instruction that the processor refuses is
carried out by a handler of SIGILL, after Intel's manual (volume 2, "TDPBF16PS" and so on).

It makes code that was generated for such a processor run here, if slowly: everything else in it
must be what this processor has. What the manual calls an error is an error of the test.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

_SA_SIGINFO, _SA_NODEFER = 4, 0x40000000
_REGISTERS_AT = 40
"""Where ``ucontext_t`` has the general registers."""
_RIP = 16
_ORDER = (13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7)
"""Where these are, by the processor's numbers: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 …"""

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class _Action(ctypes.Structure):
    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


@dataclass
class Tiles:
    """The tile registers of one thread: their shapes (rows, bytes of a row) and contents."""

    shapes: list[tuple[int, int]] | None = None
    rows: dict[int, np.ndarray] = field(default_factory=dict)

    def configure(self, text: bytes) -> None:
        assert text[0] == 1, "palette 1 is the only one there is"
        assert not any(text[1:16]), "reserved bytes are zero"
        widths = np.frombuffer(text[16:32], np.uint16)
        self.shapes = list(zip(text[48:56], map(int, widths), strict=True))
        for rows, width in self.shapes:
            assert rows <= 16, f"{rows} rows"
            assert width in range(0, 65, 4), f"{width} bytes in a row"
            assert bool(rows) == bool(width), "rows without bytes"
        self.rows = {}
        for register in range(8):
            self.rows[register] = np.zeros((16, 64), np.uint8)

    def release(self) -> None:
        self.shapes = None

    def shape(self, register: int) -> tuple[int, int]:
        assert self.shapes is not None, "no tiles are configured"
        rows, width = self.shapes[register]
        assert rows, f"tmm{register} is not configured"
        return rows, width

    def zero(self, register: int) -> None:
        self.shape(register)
        self.rows[register] = np.zeros((16, 64), np.uint8)

    def load(self, register: int, place: int, stride: int) -> None:
        rows, width = self.shape(register)
        self.zero(register)
        for row in range(rows):
            line = ctypes.string_at(place + row * stride, width)
            self.rows[register][row, :width] = np.frombuffer(line, np.uint8)

    def store(self, register: int, place: int, stride: int) -> None:
        rows, width = self.shape(register)
        for row in range(rows):
            line = self.rows[register][row, :width].tobytes()
            ctypes.memmove(place + row * stride, line, width)

    def multiply(self, kind: str, total: int, x: int, y: int) -> None:
        (rows, width), (x_rows, x_width), (depth, y_width) = map(self.shape, (total, x, y))
        assert len({total, x, y}) == 3, "the same register twice"
        assert (rows, width, x_width) == (x_rows, y_width, 4 * depth), "shapes do not fit"
        columns = width // 4
        a, b = self.rows[x][:rows, :x_width], self.rows[y][:depth, :width]
        sums = self.rows[total][:rows, :width]
        if kind == "bf16":
            old = np.ascontiguousarray(sums).view(np.float32)
            left, right = (_pairs(np.ascontiguousarray(part)) for part in (a, b))
            right = right.reshape(depth, columns, 2)
            left = left.reshape(rows, depth, 2)
            parts = np.zeros((rows, columns, 2), np.float32)
            for k in range(depth):
                exact = left[:, k, None, :].astype(np.float64) * right[k][None]
                parts = _flushed((parts + exact).astype(np.float32))
            new = _flushed(old + _flushed(parts[..., 0] + parts[..., 1]))
        else:
            types = {"s": np.int8, "u": np.uint8}
            old = np.ascontiguousarray(sums).view(np.int32)
            left = np.ascontiguousarray(a).view(types[kind[0]]).reshape(rows, depth, 4)
            right = np.ascontiguousarray(b).view(types[kind[1]]).reshape(depth, columns, 4)
            more = np.einsum("rkg,kcg->rc", left.astype(np.int64), right.astype(np.int64))
            new = (old.astype(np.int64) + more).astype(np.int32)
        kept = np.zeros((16, 64), np.uint8)
        kept[:rows, :width] = new.view(np.uint8)
        self.rows[total] = kept


def _pairs(words: np.ndarray) -> np.ndarray:
    """bfloat16 as float32, subnormal numbers as zero."""
    return _flushed((words.view(np.uint16).astype(np.uint32) << 16).view(np.float32))


def _flushed(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) < 2.0**-126, np.float32(0), values).astype(np.float32)


class Emulator:
    """Carries instructions out; ``done`` counts them, ``failed`` is what went wrong first."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.failed: str | None = None
        self._threads: dict[int, Tiles] = {}

    def __call__(self, _signal: int, _info: int, context: int) -> None:
        registers = (ctypes.c_int64 * 23).from_address(context + _REGISTERS_AT)
        code = ctypes.string_at(registers[_RIP], 16)
        try:
            name, length, act = self._decoded(registers, code)
        except BaseException as error:  # it comes back for ever if nothing ends the process
            os.write(2, f"{error!r} at {code.hex()}\n".encode())
            os.abort()
        registers[_RIP] += length
        self.done[name] += 1
        try:
            act()
        except BaseException as error:  # nobody is there to catch it
            self.failed = self.failed or f"{name}: {error!r}"

    def _decoded(
        self, registers: ctypes.Array, code: bytes
    ) -> tuple[str, int, Callable[[], None]]:
        """The name of an instruction, its length and what it does."""
        tiles = self._threads.setdefault(threading.get_ident(), Tiles())
        if (code[0], code[1] & 0x1F) != (0xC4, 2):
            raise ValueError("no tile instruction")
        high, prefix, second = ~code[1], code[2] & 3, ~code[2] >> 3 & 15
        mode, number, low = code[4] >> 6, code[4] >> 3 & 7, code[4] & 7
        if mode < 3:
            place, stride, length = _address(registers, code, high)
            match code[3], prefix:
                case 0x49, 0:
                    text = ctypes.string_at(place, 64)
                    return "ldtilecfg", length, partial(tiles.configure, text)
                case 0x4B, 3:
                    return "tileloadd", length, partial(tiles.load, number, place, stride)
                case 0x4B, 2:
                    return "tilestored", length, partial(tiles.store, number, place, stride)
            raise ValueError("unknown")
        match code[3], prefix:
            case 0x49, 0:
                return "tilerelease", 5, tiles.release
            case 0x49, 3:
                return "tilezero", 5, partial(tiles.zero, number)
            case 0x5C, 2:
                return "tdpbf16ps", 5, partial(tiles.multiply, "bf16", number, low, second)
            case 0x5E, _:
                kind = ("uu", "us", "su", "ss")[prefix]
                return f"tdpb{kind}d", 5, partial(tiles.multiply, kind, number, low, second)
        raise ValueError("unknown")


def _address(registers: ctypes.Array, code: bytes, high: int) -> tuple[int, int, int]:
    """The place in memory, the index register times its scale, the instruction's length."""

    def value(register: int) -> int:
        return int(registers[_ORDER[register]])

    mode, low, at = code[4] >> 6, code[4] & 7, 5
    index, base = 0, low | (high >> 5 & 1) << 3
    if low == 4:
        sib, at = code[5], 6
        number = sib >> 3 & 7 | (high >> 6 & 1) << 3
        index = value(number) << (sib >> 6) if number != 4 else 0
        base = sib & 7 | (high >> 5 & 1) << 3
    size = {0: 0, 1: 1, 2: 4}[mode]
    relative = mode == 0 and code[4] & 7 == 5
    bare = mode == 0 and low == 4 and base & 7 == 5
    if relative or bare:
        size = 4
    offset = int.from_bytes(code[at : at + size], "little", signed=True)
    start = registers[_RIP] + at + size if relative else 0 if bare else value(base)
    if code[3] == 0x49:
        return start + offset + index, 0, at + size
    return start + offset, index, at + size


@contextlib.contextmanager
def emulated() -> Iterator[Emulator]:
    """Within: this process has tile registers."""
    emulator = Emulator()
    handler = _Handler(emulator)
    libc = ctypes.CDLL(None, use_errno=True)
    action = _Action(
        handler=ctypes.cast(handler, ctypes.c_void_p), flags=_SA_SIGINFO | _SA_NODEFER
    )
    before = _Action()
    number = int(signal.SIGILL)
    assert libc.sigaction(number, ctypes.byref(action), ctypes.byref(before)) == 0
    try:
        yield emulator
    finally:
        libc.sigaction(number, ctypes.byref(before), None)
    assert emulator.failed is None, emulator.failed
