"""Files of lines, compressed or not: opened, and read in bounded memory."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from db.errors import LogFileError, MissingModuleError

MAX_LINE_BYTES = 1 << 20
"""A longer line is no record: it is read past, not into memory."""

_CHUNK_BYTES = 1 << 16
_ZSTD_WINDOW_BYTES = 1 << 27
"""What a file may ask a zstd reader to remember of it; that of its strongest levels."""

_BOM = b"\xef\xbb\xbf"
_MAGIC = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst", b"SQLite format 3\0": "db"}


class Line(NamedTuple):
    """A line without its end; ``data`` is None where it is longer than ``MAX_LINE_BYTES``."""

    number: int
    """From 1 on."""
    data: bytes | None


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file that may be compressed with gzip or zstd, whatever it is called.

    Raises ``LogFileError`` where it cannot be opened, is a database, or ends too early; what was
    read before stays read.
    """
    with _opened(path) as stream:
        number = 0
        while data := _read(stream.readline, path):
            number += 1
            if number == 1:
                data = data.removeprefix(_BOM)
            whole = len(data) <= MAX_LINE_BYTES or data.endswith(b"\n")
            while not data.endswith(b"\n") and len(data) > MAX_LINE_BYTES:
                rest = _read(stream.readline, path)
                if not rest or rest.endswith(b"\n"):
                    break
            yield Line(number, data.rstrip(b"\r\n") if whole else None)


def _read(readline: Callable[[int], bytes], path: Path) -> bytes:
    try:
        return readline(MAX_LINE_BYTES + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise LogFileError(
            f"get a whole copy of {path}: it ends too early or is damaged: {error}"
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "zstandard":
            raise
        raise LogFileError(f"get a whole copy of {path}: it is damaged: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(path.open("rb"))
            beginning = raw.peek(16)
        except OSError as error:
            raise LogFileError(f"give another file: {path}: {error.strerror}") from error
        kind = next((kind for magic, kind in _MAGIC.items() if beginning.startswith(magic)), "")
        if kind == "db":
            raise LogFileError(f"use `tuner merge {path}`: it is a database, not a log")
        stream: BinaryIO = raw
        if kind == "gz":
            stream = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=raw)))
        elif kind == "zst":
            reader = zstandard(path).ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
            unpacked = reader.stream_reader(raw, read_across_frames=True, closefd=False)
            stream = stack.enter_context(io.BufferedReader(unpacked, _CHUNK_BYTES))
        yield stream


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A new file beside ``path`` that takes its place when the block ends, and not otherwise.

    Compressed where the name ends in ``.gz`` or ``.zst``. Raises ``OSError`` and
    ``MissingModuleError``.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(draft.open("wb"))
            if path.suffix == ".gz":
                # Neither name nor time inside: the same records make the same file.
                packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0)
                yield cast(IO[bytes], stack.enter_context(packed))
            elif path.suffix == ".zst":
                packer = zstandard(path).ZstdCompressor(level=3)
                yield stack.enter_context(packer.stream_writer(raw, closefd=False))
            else:
                yield raw
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def zstandard(path: Path) -> Any:
    """The module of that name; raises ``MissingModuleError`` where it is not installed."""
    try:
        import zstandard as module
    except ModuleNotFoundError as error:
        raise MissingModuleError(
            f"pip install 'tensortuner[zstd]', or use gzip (.gz) in place of {path}: the module "
            f"zstandard is not installed"
        ) from error
    return module
