"""A TCP proxy that cuts, stalls and resets connections when it is told to."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from typing import Self

_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Passes bytes between whoever connects to ``port`` and *target*."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = False
        #: Bytes that were passed to the server.
        self.passed = 0
        #: Seconds that each piece is held back.
        self.delay = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._flowing.set()
        self._listener.close()
        self.cut()

    def cut(self, *, reset: bool = False) -> None:
        """End every connection that there is: in good order, or with RST."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for side in pair:
                with contextlib.suppress(OSError):
                    if reset:
                        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    side.shutdown(socket.SHUT_RDWR) if not reset else side.close()

    def stall(self) -> None:
        """Take bytes and connections, and pass nothing on any more."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass bytes on again."""
        self._flowing.set()

    def _accept(self) -> None:
        while not self._closing:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        self._flowing.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._pairs.append((near, far))
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65_536)  # type: ignore[union-attr] # they are sockets
                    if not data:
                        raise OSError
                    self._flowing.wait()
                    if self.delay:
                        time.sleep(self.delay)
                    key.data.sendall(data)
                    if key.data is far:
                        self.passed += len(data)
        near.close()
        far.close()
