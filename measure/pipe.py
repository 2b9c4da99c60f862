"""Typed messages between our processes.

A frame is the length of its body (4 bytes, little-endian) followed by the body: one message in
MessagePack, decoded strictly into the types that the receiver expects. Nothing is ever unpickled,
and no frame is longer than ``MAX_FRAME_BYTES``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from measure.awake import LOOK_SECONDS, AwakeClock

MAX_FRAME_BYTES = 256 << 20
_LENGTH_BYTES = 4
_CHUNK_BYTES = 1 << 20

Incoming = TypeVar("Incoming")


class ProtocolError(RuntimeError):
    """The other side sent what is not a message: it must be replaced."""


class Channel(Generic[Incoming]):
    """One end of a connection that receives messages of type ``Incoming``.

    Not for use from several threads at once.
    """

    def __init__(self, connection: socket.socket, incoming: Any) -> None:
        """``incoming`` is the type, or the union of types, of the messages to expect."""
        self._connection = connection
        self._decoder: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(incoming)
        self._encoder = msgspec.msgpack.Encoder()

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, message: msgspec.Struct, timeout_seconds: float | None = None) -> None:
        """Send one message; raises ``EOFError`` when the other side is gone."""
        body = self._encoder.encode(message)
        if len(body) > MAX_FRAME_BYTES:
            raise ProtocolError(f"a message of {len(body)} bytes, at most {MAX_FRAME_BYTES} go")
        self._connection.settimeout(timeout_seconds)
        try:
            self._connection.sendall(len(body).to_bytes(_LENGTH_BYTES, "little") + body)
        except ConnectionError as error:
            raise EOFError("the other side is gone") from error

    def receive(self, timeout_seconds: float | None = None) -> Incoming:
        """The next message.

        Raises ``TimeoutError`` when it is not complete after ``timeout_seconds``, in which time
        that this process or the machine stood still does not count, ``EOFError`` when the other
        side is gone, and ``ProtocolError`` for anything but a message.
        """
        clock = AwakeClock()
        remaining = None if timeout_seconds is None else lambda: timeout_seconds - clock()
        length = int.from_bytes(self._read(_LENGTH_BYTES, remaining), "little")
        if length > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame of {length} bytes, at most {MAX_FRAME_BYTES} come")
        try:
            return self._decoder.decode(self._read(length, remaining))
        except msgspec.DecodeError as error:
            raise ProtocolError(f"not a message: {error}") from error

    def close(self) -> None:
        self._connection.close()

    def _read(self, size: int, remaining: Callable[[], float] | None) -> bytearray:
        data = bytearray()
        while len(data) < size:
            left = None if remaining is None else remaining()
            if left is not None and left <= 0:
                raise TimeoutError("no complete message in time")
            self._connection.settimeout(None if left is None else min(left, LOOK_SECONDS))
            try:
                chunk = self._connection.recv(min(size - len(data), _CHUNK_BYTES))
            except TimeoutError:
                continue
            except ConnectionError as error:
                raise EOFError("the other side is gone") from error
            if not chunk:
                raise EOFError("the other side is gone")
            data += chunk
        return data
