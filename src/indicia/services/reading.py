"""Where logs come from: files by name or pattern, pipes, files that grow and are rotated; all as chunks of bytes."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
from collections.abc import Callable, Iterable, Iterator
from glob import escape, glob, has_magic
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, Self

from indicia.domain.errors import Problem
from indicia.services.unpacking import FOREIGN, GZIP, ZSTD, Damaged, unpacked

#: How much is read at once.
CHUNK_BYTES: Final = 1 << 18
#: A pipe that has given something may take so long to give enough to tell what it is.
_FIRST_WAIT_S: Final = 0.1
_ENOUGH_TO_TELL: Final = 64 * 1024
#: How long a pipe is waited for before somebody may look whether to go on.
_IDLE_S: Final = 0.25
_STDIN: Final = "stdin"
_CODE: Final = "unreadable-file"

Stopped = Callable[[], bool]


class Source(NamedTuple):
    """One log: its name for reports, and where it is: a path, or a stream that is open already."""

    name: str
    path: Path | None = None
    stream: BinaryIO | None = None


def expand(names: Iterable[str], stdin: BinaryIO | None = None) -> tuple[list[Source], list[Problem]]:
    """Return the logs that *names* mean, in their order and each once, and why some of them mean none.

    ``-`` is *stdin*. A pattern that is no name itself is expanded, as a shell would have done, sorted.
    """
    found: dict[str, Source] = {}
    problems = []
    for name in names:
        if name == "-" and stdin is not None:
            found[_STDIN] = Source(_STDIN, None, stdin)
            continue
        paths = [name]
        if not os.path.lexists(name) and has_magic(name):
            found_now = glob(name, recursive=True)  # noqa: PTH207 Path expands no absolute patterns
            paths = sorted(path for path in found_now if not Path(path).is_dir())
            if not paths:
                problems.append(Problem(_CODE, "no file has a name like that", file=name))
        for path in paths:
            if Path(path).is_dir():
                example = escape(path.rstrip("/") or "/")
                message = f"it is a folder; name its files: '{example}/*' or, with all below it, '{example}/**/*'"
                problems.append(Problem(_CODE, message, file=path))
            else:
                found.setdefault(path, Source(path, Path(path)))
    return list(found.values()), problems


def sentence(error: OSError) -> str:
    """Return why the system does not let us read a file."""
    reasons = {
        errno.ENOENT: "there is no such file",
        errno.EISDIR: "it is a folder",
        errno.EACCES: "you may not read it",
        errno.ENOTDIR: "a part of the path is not a folder",
        errno.EIO: "the disk could not read it",
        errno.ELOOP: "its links lead round in a circle",
        errno.ENAMETOOLONG: "the name is too long",
    }
    return reasons.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()


class Log:
    """A log that is read once, from its beginning to its end."""

    def __init__(self, source: Source, stopped: Stopped | None = None) -> None:
        """Open it; raises `OSError`."""
        self._ours = source.stream is None
        if source.path is not None:
            self._file: BinaryIO | io.FileIO = io.FileIO(source.path, "rb")
        else:
            assert source.stream is not None
            self._file = source.stream
        self._stopped = stopped or (lambda: False)
        self._number = _number(self._file)
        mode = None if self._number is None else os.fstat(self._number)
        regular = mode is not None and stat.S_ISREG(mode.st_mode)
        #: Bytes of the file, None for a pipe.
        self.size = mode.st_size if mode is not None and regular else None
        #: Bytes that were read of it.
        self.position = 0
        self._waits = self._number is not None and not regular and os.name == "posix"

    @property
    def seekable(self) -> bool:
        """Whether it is a file on a disk, whose end can be read first."""
        return self.size is not None

    def chunks(self) -> Iterator[bytes]:
        """Yield what it holds under its packing; an empty chunk where a pipe has nothing for now.

        Raises `OSError`, and `Damaged` after all that could be read.
        """
        return unpacked(self._counted())

    def head(self, size: int) -> bytes:
        """Return the first bytes of a file on a disk, which are read again later; none of anything else."""
        if not self.seekable or self._number is None or not hasattr(os, "pread"):
            return b""
        return os.pread(self._number, size, 0)

    def _counted(self) -> Iterator[bytes]:
        for chunk in self._raw():
            if not self.position and (unpack := _foreign(chunk)):
                raise Damaged(f"it is packed in a way that is not read here; unpack it first, as with {unpack}")
            self.position += len(chunk)
            yield chunk

    def _raw(self) -> Iterator[bytes]:
        if self._waits:
            yield from self._from_pipe()
            return
        while chunk := self._read():
            yield chunk
            if self._stopped():
                return

    def _from_pipe(self) -> Iterator[bytes]:
        patience = _FIRST_WAIT_S
        while not self._stopped():
            if not self._is_ready(_IDLE_S):
                yield b""
                continue
            chunk = self._read()
            if not chunk:
                return
            enough = _ENOUGH_TO_TELL if patience else CHUNK_BYTES
            while len(chunk) < enough and self._is_ready(patience):
                more = self._read()
                chunk += more
                if not more:
                    break
            patience = 0.0
            yield chunk

    def _is_ready(self, seconds: float) -> bool:
        assert self._number is not None
        return bool(select.select([self._number], [], [], seconds)[0])

    def _read(self) -> bytes:
        if self._number is not None:
            return os.read(self._number, CHUNK_BYTES)
        return self._file.read(CHUNK_BYTES) or b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ours:
            self._file.close()


def _number(file: BinaryIO | io.FileIO) -> int | None:
    try:
        return file.fileno()
    except OSError:  # bytes in memory
        return None


def _foreign(head: bytes) -> str | None:
    return next((unpack for mark, unpack in FOREIGN.items() if head.startswith(mark)), None)


class Ended(NamedTuple):
    """What a log that is followed was is over: it was rotated away or cut to nothing; what comes is another."""


class Tail:
    """A log that is followed as `tail -F` does: read from its beginning, then on as it grows, through rotations."""

    def __init__(self, source: Source) -> None:
        assert source.path is not None
        self._path = source.path
        self._file: io.FileIO | None = None
        self.position = 0
        self._told = ""

    def poll(self) -> Iterator[bytes | Ended | Problem]:
        """Yield what there is now: chunks, ends, and at most once in a row why it cannot be read."""
        try:
            if self._file is None:
                self._open()
            yield from self._grown()
            if self._is_other():
                yield from self._grown()  # what was written between the two looks
                self.close()
                yield Ended()
                self._open()
                yield from self._grown()
            self._told = ""
        except OSError as error:
            message = f"{sentence(error)}; it is waited for"
            if message != self._told:
                self._told = message
                yield Problem(_CODE, message, file=str(self._path), warning=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        self._file = io.FileIO(self._path, "rb")
        self.position = 0

    def _grown(self) -> Iterator[bytes | Ended]:
        file = self._file
        if file is None:
            return
        if os.fstat(file.fileno()).st_size < self.position:
            file.seek(0)
            self.position = 0
            yield Ended()
        while chunk := file.read(CHUNK_BYTES):
            if not self.position and chunk.startswith((GZIP, ZSTD, b"\xff\xfe", b"\xfe\xff", *FOREIGN)):
                self.position = os.fstat(file.fileno()).st_size
                file.seek(self.position)
                raise OSError(0, "a packed file, or one in UTF-16, cannot be followed")
            self.position += len(chunk)
            yield chunk

    def _is_other(self) -> bool:
        """Return whether the name means another file than the one that is open; none yet counts as the same."""
        if self._file is None:
            return False
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        then = os.fstat(self._file.fileno())
        return (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino)
