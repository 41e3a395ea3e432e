"""Telemetry of no known format: CSV, JSON and text; what looks like an observable is one."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from indicia.domain.event import Event
from indicia.sensors.collecting import Collector, Fields, fields
from indicia.sensors.csv_records import Columns, plain_key
from indicia.sensors.records import MARK, Record, first_text, leaves, load
from indicia.sensors.sensor import Layout
from indicia.sensors.times import first_time, read_time
from indicia.sensors.values import free_text, hashes, thumbprint, url

#: By the last part of a path, in small letters: what the names of files are called wherever they occur, and the like.
_PLAIN_FIELDS: Final[Fields] = {
    **fields(None, "path filepath fullpath filename folderpath folder directory image imageloaded executable"),
    **fields(None, "processname processpath parentimage originalfilename targetfilename cwd currentdirectory"),
    **fields(None, "timestamp @timestamp time ts datetime date eventtime version @version useragentversion"),
    **fields(None, "imphash ssdeep ja3 ja3s hassh authentihash serialnumber"),
    **fields(
        free_text, "message msg commandline cmdline processcommandline parentcommandline script log useragent raw"
    ),
    **fields(url, "url uri requesturl referer referrer"),
    **fields(hashes, "sha1 sha256 md5 filehash filesha1 filesha256 filemd5"),
    **fields(thumbprint, "thumbprint certificatethumbprint certsha1"),
}
_TIMES: Final = ("@timestamp", "timestamp", "time", "ts", "datetime", "eventtime", "eventTime", "_time", "date")
_DEVICES: Final = (
    "device.name",
    "host.name",
    "devicename",
    "deviceName",
    "device",
    "hostname",
    "computername",
    "computer",
    "host",
)


def _last_key(path: str) -> str:
    return plain_key(path.rpartition(".")[2])


def _event_of(record: Record) -> Event:
    found = Collector()
    found.read(leaves(record), _PLAIN_FIELDS, _last_key)
    plain = {**{plain_key(key[:100]): value for key, value in record.items()}, **record}
    return found.event(first_time(plain, _TIMES, zone=True), first_text(plain, _DEVICES))


class Json:
    """Reads JSON of unknown shape, one object a line."""

    name = "json"
    layout = Layout(json=True)

    def header(self, record: bytes) -> None:
        """Nothing names the fields but the records."""

    def event(self, record: bytes) -> Event | None:
        document = load(record)
        return None if document is None else _event_of(document)


class Csv:
    """Reads CSV of unknown columns, named by its first record."""

    name = "csv"
    layout = Layout(csv=True)

    def __init__(self) -> None:
        self._columns = Columns()

    def header(self, record: bytes) -> None:
        """Take the names of the columns."""
        self._columns.name(record)

    def event(self, record: bytes) -> Event | None:
        cells = self._columns.record(record)
        return None if cells is None else _event_of(cells)


# --- text -------------------------------------------------------------------------------------------------------------

_LOOKED_AT: Final = 256
_ISO: Final = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:[.,][0-9]{1,9})?")
_ZONE: Final = re.compile(r" ?(Z|[+-][0-9]{2}:?[0-9]{2})(?![0-9])")
_WEB_SERVER: Final = re.compile(r"\[([0-3][0-9]/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4})\]")
_SYSLOG: Final = re.compile(r"<[0-9]{1,3}>1 [^ ]{1,40} ([^ ]{1,255}) ")
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"


class Text:
    """Reads lines of text: every log is at least that."""

    name = "text"
    layout = Layout()

    def header(self, record: bytes) -> None:
        """There are no columns."""

    def event(self, record: bytes) -> Event | None:
        text = record.removeprefix(MARK).decode("utf-8", "surrogateescape")
        if not text.strip():
            return None
        found = Collector()
        found.add("text", free_text(text))
        start = text[:_LOOKED_AT]
        syslog = _SYSLOG.match(start)
        return found.event(_time_in(start), syslog[1] if syslog and syslog[1] != "-" else None)


def _time_in(text: str) -> datetime | None:
    """Return the first time in *text* that has a zone: as ISO 8601 writes it, or as web servers do."""
    iso = _ISO.search(text)
    zone = _ZONE.match(text, iso.end()) if iso else None
    if iso and zone:
        return read_time(iso[0].replace(",", ".") + zone[1])
    web = _WEB_SERVER.search(text)
    return _web_time(web[1]) if web else None


def _web_time(text: str) -> datetime | None:
    """Return the time in `10/Oct/2000:13:55:36 -0700`. Not by strptime, whose months depend on the machine."""
    month = _MONTHS.find(text[3:6])
    if month % 3:  # also where it is none: -1
        return None
    return read_time(f"{text[7:11]}-{month // 3 + 1:02}-{text[:2]}T{text[12:20]}{text[21:]}", zone=True)
