"""One request to another server: to a host that was named, within a bounded time and size, no redirect followed."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpcore2

SECONDS: Final = 10.0
MOST_BYTES: Final = 1 << 20
_LONGEST_URL: Final = 4_000
_USER_AGENT: Final = "Indicia"


class Unreachable(Exception):
    """There is no answer that is of use; the text says why, and is fit to be shown."""


class Answer(NamedTuple):
    """What another server said, whatever its status is."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Remote:
    """Speaks to the hosts that an administrator named, and to no other; safe from any thread.

    *hosts* are names with ports where they are not the usual ones. By plain http only this machine is spoken to.
    """

    def __init__(
        self,
        hosts: Collection[str],
        *,
        ca_file: Path | None = None,
        seconds: float = SECONDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Nothing is sent yet; raises `Unreachable` where *ca_file* holds no certificates."""
        self._hosts = frozenset(host.lower() for host in hosts)
        self._seconds = seconds
        self._most_bytes = most_bytes
        try:
            self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(f"{ca_file} holds no certificates that can be used: {error}") from None

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Return what is at *url*; raises `Unreachable`."""
        return self._ask("GET", url, headers or {}, None)

    def post(self, url: str, body: bytes, content_type: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send *body* to *url* and return the answer; raises `Unreachable`."""
        return self._ask("POST", url, {**(headers or {}), "Content-Type": content_type}, body)

    def refusal_of(self, url: str) -> str | None:
        """Return why nothing is sent to *url*, None where it may be."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return "it is no URL"
        if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
            return "it is no URL"
        if parts.username is not None or parts.password is not None or not host:
            return "it names a user, or no host"
        if parts.scheme != "https" and not (parts.scheme == "http" and is_this_machine(host)):
            return "it is not https"
        usual = 443 if parts.scheme == "https" else 80
        name = f"[{host}]" if ":" in host else host
        names = {f"{name}:{port or usual}"} | ({name} if port in (None, usual) else set())
        if names.isdisjoint(self._hosts):
            return f"{name} is not among the hosts that the settings allow"
        return None

    def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        why = self.refusal_of(url)
        if why is not None:
            raise Unreachable(f"{shown(url)} is not asked: {why}")
        sent = {"Host": urlsplit(url).netloc, "User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **headers}
        if body is not None:
            sent["Content-Length"] = str(len(body))
        until = _clock() + self._seconds
        try:
            # A connection for each request: they are rare, and a deadline belongs to one.
            with httpcore2.ConnectionPool(ssl_context=self._tls, network_backend=_Deadline(until)) as pool:
                with pool.stream(method, url, headers=list(sent.items()), content=body) as response:
                    return self._read(response, url)
        except httpcore2.TimeoutException:
            raise Unreachable(f"{shown(url)} did not answer within {self._seconds:g} seconds") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ssl.SSLError) as error:
            raise Unreachable(f"{shown(url)} cannot be reached: {str(error) or type(error).__name__}") from None

    def _read(self, response: httpcore2.Response, url: str) -> Answer:
        pieces = bytearray()
        for piece in response.iter_stream():
            pieces += piece
            if len(pieces) > self._most_bytes:
                raise Unreachable(f"{shown(url)} sent more than {self._most_bytes:,} bytes")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Unreachable(f"{shown(url)} sent something compressed, which nobody asked for")
        return Answer(response.status, headers, bytes(pieces))


def is_this_machine(host: str) -> bool:
    """Return whether *host* is a name of this machine itself: what goes there is read by nobody on the way.

    >>> is_this_machine("127.0.0.1"), is_this_machine("localhost"), is_this_machine("localhost.example")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def shown(url: str) -> str:
    """Return *url* fit to be shown: without its query, which may hold secrets.

    >>> shown("https://login.example/token?code=1")
    'https://login.example/token'
    """
    return url.partition("?")[0].partition("#")[0][:300]


class _Deadline(httpcore2.NetworkBackend):
    """Connects to addresses that were looked at first, and lets nothing take longer than until a moment in all."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise httpcore2.ConnectError(f"there is no host {host}") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        bad = next((each for each in addresses if is_nowhere(each)), None)
        if bad is not None:
            raise httpcore2.ConnectError(f"{host} is at {bad}, where no such server is")
        fault: Exception = httpcore2.ConnectError(f"there is no host {host}")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(address, port, _left(self._until), local_address, socket_options)
                return _DeadlineStream(stream, self._until)
            except httpcore2.ConnectError as error:
                fault = error
        raise fault


class _DeadlineStream(httpcore2.NetworkStream):
    """A stream on which each wait is bounded by what is left of the time for all."""

    def __init__(self, stream: httpcore2.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _DeadlineStream(
            self._stream.start_tls(ssl_context, server_hostname, _left(self._until)), self._until
        )  # fmt: skip

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def is_nowhere(address: str) -> bool:
    """Return whether *address* is one where no server of an administrator is: of a cloud's metadata, of many, of none.

    >>> is_nowhere("169.254.169.254"), is_nowhere("::ffff:169.254.169.254"), is_nowhere("10.0.0.1")
    (True, True, False)
    """
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified or str(parsed) == "255.255.255.255"


def _clock() -> float:
    return time.monotonic()  # noqa: TID251 how long another server may take is measured where it is asked


def _left(until: float) -> float:
    left = until - _clock()
    if left <= 0:
        raise httpcore2.ReadTimeout("the time is up")
    return left
