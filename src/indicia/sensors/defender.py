"""Defender's advanced hunting: exports of the portal as CSV, records of its API and of its streams as JSON."""

from __future__ import annotations

from typing import Any, Final

import orjson

from indicia.domain.event import Event
from indicia.sensors.collecting import Collector, Fields, fields
from indicia.sensors.csv_records import Columns, plain_key
from indicia.sensors.records import Record, first_text, leaves, load, take
from indicia.sensors.sensor import Layout
from indicia.sensors.times import first_time
from indicia.sensors.values import address, free_text, hashes, name, thumbprint, url

# Names in small letters, without blanks: the device timeline exports "Remote IP" for RemoteIP.
DEFENDER_FIELDS: Final[Fields] = {
    **fields(hashes, "sha1 sha256 md5", "file"),
    **fields(thumbprint, "signerhash", "file"),
    **fields(hashes, "initiatingprocesssha1 initiatingprocesssha256 initiatingprocessmd5", "initiating process"),
    **fields(hashes, "initiatingprocessparentsha1 initiatingprocessparentsha256", "parent process"),
    **fields(url, "remoteurl", "connection"),
    **fields(address, "remoteip destinationipaddress", "connection"),
    **fields(url, "fileoriginurl", "origin"),
    **fields(address, "fileoriginip", "origin"),
    **fields(url, "fileoriginreferrerurl referrerurl"),
    **fields(url, "url urldomain", "link"),
    **fields(address, "localip requestsourceip publicip ipaddress senderipv4 senderipv6 clientipaddress callerip"),
    **fields(name, "remotedevicename destinationdevicename senderfromdomain sendermailfromdomain targetdevicename"),
    **fields(free_text, "processcommandline initiatingprocesscommandline processcreationcommandline registryvaluedata"),
    **fields(free_text, "previousregistryvaluedata urlchain title subject senderfromaddress sendermailfromaddress"),
    **fields(None, "timestamp eventtime timegenerated deviceid machineid devicename computername reportid tenantid"),
    **fields(None, "filename folderpath previousfilename previousfolderpath initiatingprocessfilename sharename"),
    **fields(
        None, "initiatingprocessfolderpath initiatingprocessparentfilename initiatingprocessversioninfocompanyname"
    ),
    **fields(None, "initiatingprocessversioninfoproductname initiatingprocessversioninfofiledescription"),
    **fields(None, "initiatingprocessversioninfoproductversion initiatingprocessversioninfooriginalfilename"),
    **fields(None, "initiatingprocessversioninfointernalfilename processversioninfoproductversion"),
    **fields(None, "processversioninfocompanyname processversioninfoproductname processversioninfofiledescription"),
    **fields(None, "processversioninfooriginalfilename processversioninfointernalfilename registrykey actiontype"),
    **fields(None, "previousregistrykey processcreationtime initiatingprocesscreationtime crlversion issuerhash"),
    **fields(None, "initiatingprocessparentcreationtime accountname accountdomain accountsid certificateserialnumber"),
    **fields(None, "initiatingprocessaccountname initiatingprocessaccountdomain initiatingprocessaccountsid"),
    **fields(None, "requestaccountname requestaccountdomain requestaccountsid filesize remoteport localport protocol"),
}
_DETAILS: Final = "AdditionalFields"
_TIMES: Final = ("timestamp", "eventtime", "timegenerated", "time")
_DEVICES: Final = ("devicename", "computername", "deviceid", "machineid")


def _event_of(record: Record) -> Event:
    found = Collector()
    details = take(record, _DETAILS) or take(record, "Additional Fields")
    found.read(leaves(record), DEFENDER_FIELDS, plain_key)
    if isinstance(details, str):
        details = _parsed(details)
    if isinstance(details, str):
        found.add(_DETAILS, free_text(details))
    elif details is not None:
        found.read(leaves({_DETAILS: details}), {})
    plain = {plain_key(key[:100]): value for key, value in record.items()}
    return found.event(first_time(plain, _TIMES), first_text(plain, _DEVICES))


def _parsed(text: str) -> Any:
    """Return the JSON that *text* is; where it is none, the text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


class DefenderJson:
    """Reads records of advanced hunting, one a line; also as a stream to a storage account wraps them."""

    name = "defender-json"
    layout = Layout(json=True)

    def header(self, record: bytes) -> None:
        """Nothing names the fields but the records."""

    def event(self, record: bytes) -> Event | None:
        document = load(record)
        if document is None:
            return None
        inner = document.get("properties")
        return _event_of(inner if isinstance(inner, dict) else document)


class DefenderCsv:
    """Reads a CSV export of advanced hunting or of a device's timeline."""

    name = "defender-csv"
    layout = Layout(csv=True)

    def __init__(self) -> None:
        self._columns = Columns()

    def header(self, record: bytes) -> None:
        """Take the names of the columns."""
        self._columns.name(record)

    def event(self, record: bytes) -> Event | None:
        cells = self._columns.record(record)
        return None if cells is None else _event_of(cells)
