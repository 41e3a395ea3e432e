"""Suricata's EVE records: alerts, and what its protocol parsers tell of flows, requests, names, certificates, files."""

from __future__ import annotations

from typing import Any, Final

from indicia.domain.event import Event
from indicia.sensors.collecting import Collector, Fields, fields
from indicia.sensors.records import Record, first_text, get, leaves, load
from indicia.sensors.sensor import Layout
from indicia.sensors.times import first_time
from indicia.sensors.values import address, free_text, hashes, joined_url, name, thumbprint, url

EVE_FIELDS: Final[Fields] = {
    **fields(name, "tls.sni quic.sni", "connection"),
    **fields(thumbprint, "tls.fingerprint"),
    **fields(name, "tls.subjectaltname"),
    **fields(hashes, "fileinfo.md5 fileinfo.sha1 fileinfo.sha256", "file"),
    **fields(hashes, "files.md5 files.sha1 files.sha256", "file"),
    # DNS as version 1 writes it (dns.rrname), version 2 (query and answers, or grouped by type), version 3 (queries).
    **fields(name, "dns.rrname dns.rdata dns.query.rrname dns.queries.rrname dns.answers.rrname dns.answers.rdata"),
    **fields(name, "dns.answer.rrname dns.answer.rdata dns.answer.answers.rrname dns.answer.answers.rdata"),
    **fields(name, "dns.grouped.A dns.grouped.AAAA dns.grouped.CNAME dns.grouped.NS dns.grouped.PTR dns.grouped.MX"),
    **fields(name, "dns.authorities.rrname dns.authorities.rdata dns.additionals.rrname dns.additionals.rdata"),
    **fields(name, "smtp.helo"),
    **fields(address, "xff http.xff"),
    **fields(url, "http.http_refer http.redirect http.location email.url"),
    **fields(free_text, "smtp.mail_from smtp.rcpt_to email.from email.to email.cc email.subject"),
    **fields(free_text, "tls.subject tls.issuerdn http.http_user_agent payload_printable"),
    **fields(free_text, "http.http_response_body_printable http.http_request_body_printable dns.grouped.TXT"),
    **fields(None, "src_ip dest_ip http.hostname http.url timestamp flow.start flow.end flow.src_ip flow.dest_ip"),
    **fields(None, "payload packet http.http_response_body http.http_request_body tls.certificate tls.chain"),
    **fields(
        None, "tls.serial tls.ja3.hash tls.ja3.string tls.ja3s.hash tls.ja3s.string tls.ja4 tls.notbefore tls.notafter"
    ),
    **fields(
        None,
        "quic.ja3.hash quic.ja3s.hash ssh.client.hassh.hash ssh.server.hassh.hash email.body_md5 email.subject_md5",
    ),
    **fields(None, "fileinfo.filename files.filename smb.filename ftp_data.filename email.attachment smb.share"),
    **fields(None, "event_type proto app_proto in_iface alert.signature alert.category alert.action community_id"),
    **fields(None, "http.http_method http.protocol http.http_content_type"),
}
# In these records the packet may have gone either way; in all others it goes from the client to the server.
_EITHER_WAY: Final = frozenset({"alert", "anomaly", "drop", "fileinfo", "http_response"})
_SITE: Final = ("http.hostname",)
_TARGET: Final = ("http.url",)


class Eve:
    """Reads EVE, one record a line."""

    name = "eve"
    layout = Layout(json=True)

    def header(self, record: bytes) -> None:
        """Nothing names the fields but the records."""

    def event(self, record: bytes) -> Event | None:
        document = load(record)
        if document is None:
            return None
        found = Collector()
        client, server, port = _ends(document)
        _add_request(document, port, found)
        found.read(leaves(document), EVE_FIELDS)
        found.add(server, address(_text(document, server)), "connection")
        found.add(client, address(_text(document, client)))
        return found.event(first_time(document, ("timestamp", "flow.start")), first_text(document, (client,)))


def _text(record: Record, field: str) -> str:
    value = record.get(field)
    return value if isinstance(value, str) else ""


def _ends(record: Record) -> tuple[str, str, Any]:
    """Return which field holds the client's address, which the server's, and the server's port."""
    source, target = record.get("src_port"), record.get("dest_port")
    turned = False
    if _text(record, "event_type") in _EITHER_WAY:
        began = get(record, "flow.src_ip")
        if isinstance(began, str):
            turned = began == record.get("dest_ip") and began != record.get("src_ip")
        else:  # the lower port is the server's
            turned = isinstance(source, int) and isinstance(target, int) and source < target and source < _EPHEMERAL
    return ("dest_ip", "src_ip", source) if turned else ("src_ip", "dest_ip", target)


_EPHEMERAL: Final = 1024


def _add_request(record: Record, port: Any, found: Collector) -> None:
    host, target = first_text(record, _SITE), first_text(record, _TARGET)
    own = get(record, "http.http_port")
    if host:
        whole = joined_url(host, own if isinstance(own, int) else port, target or "")
        found.add("http.url" if target else "http.hostname", whole, "connection")
    elif target:
        found.add("http.url", url(target) if target[0] != "/" else (), "connection")
