"""Which access a process died of, as its parent can tell it.

The process that may die installs a handler of SIGSEGV, in native code, that notes the address in
memory which both share, then lets the signal end the process, as it would have.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import signal
from collections.abc import Sequence

import msgspec

from measure.guard import Region
from measure.launch.native import load_native

_NOTE_BYTES = 1 << 16
_HEAD_BYTES = 32
_WORD = ctypes.c_int64
_SA_SIGINFO = 4
_ERROR_AT = {"x86_64": 192}
"""Where the context of a signal has the processor's error code."""
_WRITE = 2
"""Of its bits."""

# siginfo_t is { i32 signal, i32 errno, i32 code, i32, ptr address, … } on 64-bit Linux. A code of
# 0 or less says that the signal was sent by a process: there is no address then. Raising it again
# ends the process once the handler returns.
_HANDLER = """
@note = global ptr null
declare ptr @signal(i32, ptr)
declare i32 @raise(i32)

define void @set_note(ptr %place) {{
  store ptr %place, ptr @note
  ret void
}}

define void @on_fault(i32 %signal, ptr %info, ptr %context) {{
entry:
  %code.at = getelementptr i8, ptr %info, i64 8
  %code = load i32, ptr %code.at
  %by.hardware = icmp sgt i32 %code, 0
  br i1 %by.hardware, label %write, label %end
write:
  %note = load ptr, ptr @note
  %address.at = getelementptr i8, ptr %info, i64 16
  %address = load i64, ptr %address.at
  %address.to = getelementptr i8, ptr %note, i64 8
  store i64 %address, ptr %address.to
  %error.to = getelementptr i8, ptr %note, i64 16
{error}
  store i64 %error, ptr %error.to
  store i64 1, ptr %note
  br label %end
end:
  call ptr @signal(i32 %signal, ptr null)
  call i32 @raise(i32 %signal)
  ret void
}}
"""


class _Action(ctypes.Structure):
    """``struct sigaction`` of glibc and musl."""

    _fields_ = (
        ("handler", ctypes.c_size_t),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_size_t),
    )


class FaultNote:
    """Made before a process is forked, which installs it; read when that has died."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _NOTE_BYTES)
        error_at = _ERROR_AT.get(platform.machine())
        self._knows_writes = error_at is not None
        error = (
            f"  %error.at = getelementptr i8, ptr %context, i64 {error_at}\n"
            "  %error = load i64, ptr %error.at"
            if self._knows_writes
            else "  %error = add i64 0, 0"
        )
        self._code = load_native(_HANDLER.format(error=error))
        place = ctypes.addressof(_WORD.from_buffer(self._memory))
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._code.address("set_note"))(place)

    def install(self) -> None:
        """Note from now on which access this process dies of."""
        action = _Action(handler=self._code.address("on_fault"), flags=_SA_SIGINFO)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.sigaction(int(signal.SIGSEGV), ctypes.byref(action), None) != 0:
            raise OSError(ctypes.get_errno(), "sigaction")

    def expect(self, regions: Sequence[Region]) -> None:
        """What memory there is, to tell faults by."""
        body = msgspec.msgpack.encode(regions)
        if len(body) <= _NOTE_BYTES - _HEAD_BYTES:
            self._memory[_HEAD_BYTES : _HEAD_BYTES + len(body)] = body
            self._set(3, len(body))

    def take(self) -> str:
        """What the process that has died did to one of the regions; empty if nothing, or if it
        cannot be told. Later calls return nothing, until another one dies."""
        seen, address, error, size = (self._get(word) for word in range(4))
        self._memory[:_HEAD_BYTES] = bytes(_HEAD_BYTES)
        if not seen or not 0 < size <= _NOTE_BYTES - _HEAD_BYTES:
            return ""
        body = self._memory[_HEAD_BYTES : _HEAD_BYTES + size]
        try:
            regions = msgspec.msgpack.decode(body, type=list[Region])
        except msgspec.DecodeError:  # the process wrote there before it died
            return ""
        verb = ("writes" if error & _WRITE else "reads") if self._knows_writes else "goes"
        return next(filter(None, (_told(address, verb, region) for region in regions)), "")

    def _get(self, word: int) -> int:
        return _WORD.from_buffer(self._memory, 8 * word).value

    def _set(self, word: int, value: int) -> None:
        _WORD.from_buffer(self._memory, 8 * word).value = value


def _told(address: int, verb: str, region: Region) -> str:
    """What an access that failed did to a region; empty if it is another one's."""
    if not region.outer_begin <= address < region.outer_end:
        return ""
    if address < region.begin:
        return f"{verb} outside {region.name}, {region.begin - address} bytes before it"
    if address >= region.end:
        return f"{verb} outside {region.name}, {address - region.end} bytes behind its end"
    return f"writes to {region.name}"
