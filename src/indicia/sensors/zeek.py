"""Zeek's logs, as tab-separated values with header lines, and as JSON."""

from __future__ import annotations

import re
from typing import Final

from indicia.domain.event import Event
from indicia.sensors.collecting import Collector, Fields, fields
from indicia.sensors.records import MARK, Record, first_text, get, leaves, load
from indicia.sensors.sensor import Layout
from indicia.sensors.times import first_time
from indicia.sensors.values import address, anything, free_text, hashes, joined_url, name, thumbprint, url

# All logs in one table: what they share has the same meaning, but for the few words of the table after it.
_DOTTED: Final[Fields] = {
    **fields(address, "id.resp_h", "connection"),
    **fields(
        address, "id.orig_h src dst tx_hosts rx_hosts san.ip client_addr server_addr assigned_addr requested_addr"
    ),
    **fields(address, "data_channel.orig_h data_channel.resp_h x_originating_ip bound.host remote_ip"),
    **fields(name, "server_name", "connection"),
    **fields(name, "query answers san.dns helo host_name domain seen.host request.host san_dns tunnel_client"),
    **fields(name, "server_dns_computer_name server_tree_name domainname client_fqdn bound.name request.name"),
    **fields(hashes, "md5 sha1 sha256", "file"),
    **fields(
        thumbprint, "fingerprint cert_chain_fps client_cert_chain_fps resp_certificate_sha1 client_certificate_sha1"
    ),
    **fields(url, "referrer origin san.uri"),
    **fields(
        free_text, "certificate.subject certificate.issuer subject issuer client_subject client_issuer issuer_subject"
    ),
    **fields(
        free_text, "msg sub message failure_reason user_agent last_reply reply_msg arg mailfrom rcptto from to cc"
    ),
    **fields(free_text, "reply_to received first_received second_received proxied client_header_values san.email"),
    **fields(free_text, "request_from request_to response_from response_to uri_vars unparsed_version cookie"),
    **fields(None, "id.orig_p id.resp_p uid fuid conn_uids tunnel_parents orig_l2_addr resp_l2_addr mac host_key"),
    **fields(None, "ts _write_ts ts_delta duration _path @stream @system @proc _system_name peer node peer_descr"),
    **fields(None, "filename extracted orig_filenames resp_filenames named_pipe share_type native_file_system"),
    **fields(None, "ja3 ja3s ja4 hassh hasshServer issuerNameHash issuerKeyHash serialNumber ocsp_hash serial"),
    **fields(None, "certificate.serial certificate.exponent cert_chain_fuids client_cert_chain_fuids section_names"),
    **fields(None, "history proto service conn_state version cipher curve last_alert next_protocol mime_type"),
    **fields(None, "resp_fuids orig_fuids resp_mime_types orig_mime_types qclass_name qtype_name rcode_name TTLs TTL"),
    **fields(None, "method status_msg password username user ssl_history validation_status community_id"),
    **fields(None, "certificate.key_alg certificate.sig_alg certificate.key_type certificate.curve"),
    **fields(None, "certificate.not_valid_before certificate.not_valid_after compile_ts"),
}
# Some writers of JSON have id_orig_h for id.orig_h.
ZEEK_FIELDS: Final[Fields] = {**{key.replace(".", "_"): use for key, use in _DOTTED.items()}, **_DOTTED}

# What a word means in one log alone. Elsewhere a path or a name is one of a file.
_OF_FILES: Final[Fields] = {**ZEEK_FIELDS, **fields(None, "path name prev_name")}
_OF_LOG: Final = {
    "smtp": {**ZEEK_FIELDS, **fields(address, "path")},
    "intel": {**ZEEK_FIELDS, **fields(anything, "seen.indicator seen_indicator")},
}
_TIMES: Final = ("ts", "_write_ts")
_DEVICES: Final = ("id.orig_h", "id_orig_h", "rx_hosts", "host", "src")
_SERVERS: Final = ("id.resp_p", "id_resp_p")


def _event_of(record: Record, log: str | None) -> Event:
    """Return the event of one record, by whichever way it was written."""
    found = Collector()
    target = get(record, "uri")
    host = get(record, "host")
    if isinstance(host, str):
        if isinstance(target, str):
            found.add("uri", joined_url(host, _port(record), target), "connection")
        else:
            found.add("host", name(host), "connection" if "method" in record else None)
    elif isinstance(target, str):
        found.add("uri", url(target) if target[:1] != "/" else (), "connection")
    table = _OF_LOG.get(log or "", _OF_FILES)
    found.read((leaf for leaf in leaves(record) if leaf[0] not in ("host", "uri")), table)
    if _is_certificate(record):
        digest = get(record, "sha1")
        found.add("sha1", thumbprint(digest) if isinstance(digest, str) else ())
    return found.event(first_time(record, _TIMES), first_text(record, _DEVICES))


def _port(record: Record) -> int | None:
    for path in _SERVERS:
        port = get(record, path)
        if isinstance(port, int):
            return port
        if isinstance(port, str) and port.isascii() and port.isdigit() and len(port) < 6:
            return int(port)
    return None


def _is_certificate(record: Record) -> bool:
    """Return whether this is the record of a certificate in files.log: the SHA-1 of that file is its thumbprint."""
    kind = get(record, "mime_type")
    return isinstance(kind, str) and kind.startswith("application/x-x509")


class ZeekJson:
    """Reads Zeek's JSON, one record a line; which log it is from stands in the record, or does not matter."""

    name = "zeek-json"
    layout = Layout(json=True)

    def header(self, record: bytes) -> None:
        """Nothing names the fields but the records."""

    def event(self, record: bytes) -> Event | None:
        document = load(record)
        if document is None:
            return None
        return _event_of(document, first_text(document, ("_path", "@stream")))


# --- tab-separated ----------------------------------------------------------------------------------------------------

# A separator may be anything in the header; one that could stand inside a value would cut observables out of values.
_SAFE_SEPARATOR: Final = re.compile(r"[\x00-\x2c/;-@\[-^`{-\x7f]{1,8}").fullmatch
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(\\))")


class ZeekTsv:
    """Reads Zeek's own format; its header lines may come again, where files were put together."""

    name = "zeek-tsv"
    layout = Layout(comments=True)

    def __init__(self) -> None:
        self._separator = "\t"
        self._set_separator = ","
        self._empty = ("-", "(empty)", "")
        self._path: str | None = None
        self._columns: list[str] = []
        self._sets: frozenset[int] = frozenset()

    def header(self, record: bytes) -> None:
        """Take a header line; they come to `event`, too."""
        self.event(record)

    def event(self, record: bytes) -> Event | None:
        text = record.removeprefix(MARK).decode("utf-8", "surrogateescape").rstrip("\r\n")
        if text.startswith("#"):
            self._take_header(text)
            return None
        if not text.strip():
            return None
        return _event_of(self._record(text), self._path)

    def _take_header(self, line: str) -> None:
        if line.startswith("#separator"):
            self._separator = _safe(_unescaped(line.removeprefix("#separator").strip(" ")), "\t")
            return
        word, *values = line.split(self._separator)
        value = values[0] if values else ""
        if word == "#fields":
            self._columns, self._sets = [column[:100] for column in values], frozenset()
        elif word == "#types":
            self._sets = frozenset(at for at, kind in enumerate(values) if kind.startswith(("set[", "vector[")))
        elif word == "#set_separator":
            self._set_separator = _safe(_unescaped(value), ",")
        elif word == "#empty_field":
            self._empty = (self._empty[0], value, "")
        elif word == "#unset_field":
            self._empty = (value, self._empty[1], "")
        elif word == "#path":
            self._path = value

    def _record(self, text: str) -> Record:
        """Return the columns that hold anything; one that the header does not name is known by its number."""
        record: Record = {}
        for at, cell in enumerate(text.split(self._separator)):
            if cell in self._empty:
                continue
            column = self._columns[at] if at < len(self._columns) else f"column {at + 1}"
            if at in self._sets:
                record[column] = [_unescaped(each) for each in cell.split(self._set_separator)]
            else:
                record[column] = _unescaped(cell) if "\\" in cell else cell
        return record


def _safe(separator: str, otherwise: str) -> str:
    return separator if _SAFE_SEPARATOR(separator) else otherwise


def _unescaped(text: str) -> str:
    r"""Return *text* with ``\xNN`` as the bytes that they are."""
    if "\\" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    plain = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", raw)
    return plain.decode("utf-8", "surrogateescape")
