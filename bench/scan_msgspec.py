"""Peer of the scan: the same program around msgspec, which decodes the fields that are looked at and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.scan_python import Holds, Known, TextsOf, by_shape, count, with_texts

Conn = msgspec.defstruct(
    "Conn",
    [("here", str, msgspec.field(name="id.orig_h")), ("there", str, msgspec.field(name="id.resp_h"))],
    gc=False,
)
Dns = msgspec.defstruct("Dns", [("query", str), ("answers", list[str])], bases=(Conn,), kw_only=True, gc=False)
Http = msgspec.defstruct("Http", [("host", str), ("uri", str)], bases=(Conn,), kw_only=True, gc=False)
HttpTexts = msgspec.defstruct(
    "HttpTexts", [("referrer", str), ("user_agent", str)], bases=(Http,), kw_only=True, gc=False
)


class EveDns(msgspec.Struct, gc=False):
    """The part of a record about a question."""

    rrname: str


class EveHttp(msgspec.Struct, gc=False):
    """The part of a record about a request."""

    hostname: str
    url: str


class EveHttpTexts(EveHttp, gc=False):
    """With its texts."""

    http_user_agent: str


class EveTls(msgspec.Struct, gc=False):
    """The part of a record about a handshake."""

    sni: str
    fingerprint: str


class EveTlsTexts(EveTls, gc=False):
    """With its texts."""

    subject: str
    issuerdn: str


class EveFile(msgspec.Struct, gc=False):
    """The part of a record about a file."""

    sha256: str
    sha1: str
    md5: str


class Eve(msgspec.Struct, gc=False):
    """What is needed of a record of Suricata."""

    src_ip: str
    dest_ip: str
    dns: EveDns | None = None
    http: EveHttp | None = None
    tls: EveTls | None = None
    fileinfo: EveFile | None = None


class EveTexts(Eve, gc=False):
    """With its texts."""

    http: EveHttpTexts | None = None
    tls: EveTlsTexts | None = None


class EventData(msgspec.Struct, rename="pascal", gc=False):
    """What is needed of the data of an event."""

    hashes: str | None = None
    source_ip: str = ""
    destination_ip: str | None = None
    query_name: str | None = None
    query_results: str = ""


class EventDataTexts(EventData, rename="pascal", gc=False):
    """With its texts."""

    command_line: str = ""
    parent_command_line: str = ""


class Winlog(msgspec.Struct, gc=False):
    """What is needed of an event."""

    event_data: EventData


class Sysmon(msgspec.Struct, gc=False):
    """What is needed of a record of winlogbeat."""

    winlog: Winlog


class WinlogTexts(msgspec.Struct, gc=False):
    """With its texts."""

    event_data: EventDataTexts


class SysmonTexts(msgspec.Struct, gc=False):
    """With its texts."""

    winlog: WinlogTexts
    message: str


#: By shape of the log, what of a record is decoded: the rest is skipped.
STRUCTS = {
    "zeek-conn": Conn,
    "zeek-dns": Dns,
    "zeek-http": Http,
    "eve": Eve,
    "sysmon": Sysmon,
    "sysmon-escaped": Sysmon,
}


STRUCTS_TEXTS = STRUCTS | {"zeek-http": HttpTexts, "eve": EveTexts}
STRUCTS_TEXTS |= {"sysmon": SysmonTexts, "sysmon-escaped": SysmonTexts}


def for_msgspec(known: Known) -> dict[str, Holds]:
    """Return by shape of the log what looks at a parsed record, a structure."""
    addresses, hashes, holds_name = known.addresses, known.hashes, known.holds_name

    def conn(record: Any) -> bool:
        return record.there in addresses or record.here in addresses

    def dns(record: Any) -> bool:
        if record.there in addresses or record.here in addresses or holds_name(record.query):
            return True
        return any(each in addresses or holds_name(each) for each in record.answers)

    def http(record: Any) -> bool:
        return record.there in addresses or record.here in addresses or known.holds_url(record.host, record.uri)

    def eve(record: Eve) -> bool:
        if record.dest_ip in addresses or record.src_ip in addresses:
            return True
        if record.dns is not None:
            return holds_name(record.dns.rrname)
        if record.http is not None:
            return known.holds_url(record.http.hostname, record.http.url)
        if (tls := record.tls) is not None:
            return holds_name(tls.sni) or tls.fingerprint.replace(":", "") in hashes
        if (file := record.fileinfo) is not None:
            return file.sha256 in hashes or file.sha1 in hashes or file.md5 in hashes
        return False

    return by_shape(conn, dns, http, eve, _sysmon_struct(known))


def _sysmon_struct(known: Known) -> Holds:
    addresses, hashes, holds_name = known.addresses, known.hashes, known.holds_name

    def sysmon(record: Sysmon) -> bool:
        data = record.winlog.event_data
        if data.hashes is not None:
            return any(each.partition("=")[2] in hashes for each in data.hashes.lower().split(","))
        if data.destination_ip is not None:
            return data.destination_ip in addresses or data.source_ip in addresses
        if data.query_name is None:
            return False
        if holds_name(data.query_name):
            return True
        return any(each.removeprefix("::ffff:") in addresses for each in data.query_results.split(";"))

    return sysmon


_TEXTS: dict[str, TextsOf] = {
    "zeek-http": lambda record: (record.referrer, record.user_agent),
    "eve": lambda record: (
        (record.tls.subject, record.tls.issuerdn)
        if record.tls is not None
        else (record.http.http_user_agent,)
        if record.http is not None
        else ()
    ),
    "sysmon": lambda record: (
        record.message,
        record.winlog.event_data.command_line,
        record.winlog.event_data.parent_command_line,
    ),
}


def with_msgspec(known: Known, *, texts: bool) -> Callable[[str, Path], int]:
    """Return what counts the hits of a file with msgspec, in texts too or in fields of one observable only."""
    holds = for_msgspec(known)
    if texts:
        holds = with_texts(holds, _TEXTS, known)
    structs = STRUCTS_TEXTS if texts else STRUCTS
    decoders = {shape: msgspec.json.Decoder(struct).decode for shape, struct in structs.items()}
    return lambda shape, path: count(path, decoders[shape], holds[shape], known)
