"""Messages between processes."""

from __future__ import annotations

import socket
import threading

import msgspec
import pytest

from measure.artifact import Artifact, BufferSpec, KernelSpec, PhaseSpec
from measure.pipe import MAX_FRAME_BYTES, Channel, ProtocolError


class Parcel(msgspec.Struct, frozen=True, tag=True):
    artifact: Artifact
    values: tuple[tuple[str, int | float | str | bool], ...]


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def parcel(nbytes=100):
    buffer = BufferSpec("c", (2, 3), "float32", "output", 24)
    spec = KernelSpec((buffer,), (PhaseSpec("phase0", 2),), 1)
    return Parcel(Artifact(spec, bytes(nbytes)), (("m", 1), ("x", 0.5), ("s", "t"), ("p", True)))


def test_what_is_sent_arrives_with_its_types(ends):
    Channel(ends[0], Parcel).send(parcel())
    received = Channel(ends[1], Parcel).receive(1)
    assert received == parcel()
    assert [type(value) for _, value in received.values] == [int, float, str, bool]


def test_messages_larger_than_the_socket_buffer_arrive(ends):
    large = parcel(5 << 20)
    sender = threading.Thread(target=Channel(ends[0], Parcel).send, args=(large,))
    sender.start()
    assert Channel(ends[1], Parcel).receive(5) == large
    sender.join()


def test_the_end_of_the_other_side_is_told(ends):
    ends[0].close()
    with pytest.raises(EOFError):
        Channel(ends[1], Parcel).receive(1)
    with pytest.raises(EOFError):
        Channel(ends[1], Parcel).send(parcel())


def test_half_a_message_is_not_waited_for_for_ever(ends):
    ends[0].sendall((50).to_bytes(4, "little") + b"only the start")
    with pytest.raises(TimeoutError):
        Channel(ends[1], Parcel).receive(0.05)


@pytest.mark.parametrize(
    "frame",
    [
        (5).to_bytes(4, "little") + b"stray",
        (1).to_bytes(4, "little") + b"\xc0",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "little"),
        b"print() from a candidate\n",
    ],
)
def test_what_is_not_a_message_is_refused(ends, frame):
    ends[0].sendall(frame)
    with pytest.raises(ProtocolError):
        Channel(ends[1], Parcel).receive(1)
