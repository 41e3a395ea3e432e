"""Records in the Elastic Common Schema: nested objects, keys with dots, or both."""

from __future__ import annotations

from typing import Final

from indicia.domain.event import Event
from indicia.sensors.collecting import Collector, Fields, fields
from indicia.sensors.records import Record, first_text, get, leaves, load
from indicia.sensors.sensor import Layout
from indicia.sensors.times import first_time
from indicia.sensors.values import address, free_text, hashes, joined_url, name, thumbprint, url

#: The way to the hashes of one file -> what they are together.
_FILES: Final = {
    "file": "file",
    "process": "process",
    "process.parent": "parent process",
    "dll": "library",
    "driver": "driver",
    "email.attachments.file": "attachment",
    "winlog.event_data": "file",
}
_CERTIFICATES: Final = ("tls.server", "tls.client", "file", "dll", "process", "tls.server.x509", "file.x509")

#: Public, because winlogbeat adds these fields to the events of Windows.
ECS_FIELDS: Final[Fields] = {
    **{
        f"{way}.hash.{kind}": use
        for way, subject in _FILES.items()
        for kind, use in fields(hashes, "md5 sha1 sha256", subject).items()
    },
    **fields(
        None, " ".join(f"{way}.hash.{kind}" for way in _FILES for kind in ("imphash", "ssdeep", "tlsh", "sha512"))
    ),
    **fields(None, " ".join(f"{way}.pe.imphash" for way in _FILES)),
    **fields(address, "destination.ip server.ip", "connection"),
    **fields(name, "destination.domain server.domain destination.address server.address", "connection"),
    **fields(name, "tls.client.server_name", "connection"),
    **fields(url, "url.full", "connection"),
    **fields(address, "source.ip", "source"),
    **fields(name, "source.domain source.address", "source"),
    **fields(address, "client.ip", "client"),
    **fields(name, "client.domain client.address", "client"),
    **fields(url, "http.request.referrer email.link.url threat.indicator.url.full"),
    **fields(name, "dns.question.name dns.answers.data dns.answers.name"),
    **fields(address, "dns.resolved_ip related.ip destination.nat.ip source.nat.ip network.forwarded_ip"),
    **fields(hashes, "related.hash"),
    **fields(name, "related.hosts"),
    **fields(
        thumbprint,
        "tls.server.hash.sha1 tls.client.hash.sha1 file.code_signature.thumbprint_sha1 "
        "process.code_signature.thumbprint_sha1 dll.code_signature.thumbprint_sha1 "
        "tls.server.x509.fingerprint.sha1 tls.detailed.server_certificate.fingerprint.sha1",
    ),
    **fields(
        name,
        "tls.server.x509.subject.common_name tls.server.x509.alternative_names "
        "tls.client.x509.subject.common_name tls.client.x509.alternative_names",
    ),
    **fields(free_text, "message event.original error.message process.command_line process.parent.command_line"),
    **fields(free_text, "process.args process.parent.args powershell.file.script_block_text log.original"),
    **fields(free_text, "user_agent.original tls.server.subject tls.server.issuer tls.client.subject"),
    **fields(None, "url.original url.domain url.path url.query url.registered_domain url.top_level_domain url.scheme"),
    **fields(None, "dns.question.registered_domain dns.question.top_level_domain dns.question.subdomain"),
    **fields(None, "source.registered_domain destination.registered_domain server.registered_domain"),
    **fields(None, "source.top_level_domain destination.top_level_domain server.top_level_domain"),
    **fields(None, "host.name host.hostname host.ip host.mac host.id host.domain host.architecture host.os.version"),
    **fields(None, "agent.name agent.hostname agent.version agent.id agent.ephemeral_id agent.type"),
    **fields(None, "observer.name observer.hostname observer.ip observer.mac observer.version ecs.version"),
    **fields(None, "file.path file.name file.directory file.target_path file.extension log.file.path log.file.name"),
    **fields(None, "process.executable process.name process.working_directory process.title process.pe.file_version"),
    **fields(None, "process.parent.executable process.parent.name process.parent.title process.entity_id"),
    **fields(None, "process.pe.original_file_name process.pe.product file.pe.original_file_name file.pe.file_version"),
    **fields(
        None, "dll.path dll.name dll.pe.file_version dll.pe.original_file_name driver.path email.attachments.file.name"
    ),
    **fields(None, "tls.server.hash.md5 tls.server.hash.sha256 tls.server.ja3s tls.client.ja3 tls.client.hash.md5"),
    **fields(None, "tls.client.hash.sha256 tls.server.x509.serial_number network.community_id @timestamp @version"),
    **fields(None, "event.created event.ingested event.start event.end event.id event.hash event.module event.dataset"),
}
_TIMES: Final = ("@timestamp", "event.created", "event.start", "event.ingested")
_DEVICES: Final = ("host.name", "host.hostname", "agent.hostname", "agent.name", "host.ip", "observer.name")


def collect_ecs(record: Record, found: Collector, table: Fields = ECS_FIELDS) -> None:
    """Add what *record* holds to *found*; its URL is put together where it does not stand in one piece."""
    found.read(leaves(record), table)
    if not isinstance(get(record, "url.full"), str):
        _add_url(record, found)


def _add_url(record: Record, found: Collector) -> None:
    target = first_text(record, ("url.original", "url.path"))
    host = first_text(record, ("url.domain",))
    if host is None:
        found.add("url.original", url(target) if target and target[0] != "/" else (), "connection")
        return
    port = get(record, "url.port")
    whole = joined_url(host, port, target or "", first_text(record, ("url.scheme",)) or "http")
    found.add("url.original" if target else "url.domain", whole, "connection")


class Ecs:
    """Reads ECS records, one a line; also as Elasticsearch gives them, under `_source`."""

    name = "ecs"
    layout = Layout(json=True)

    def header(self, record: bytes) -> None:
        """Nothing names the fields but the records."""

    def event(self, record: bytes) -> Event | None:
        document = load(record)
        if document is None:
            return None
        inner = document.get("_source")
        if isinstance(inner, dict):
            document = inner
        found = Collector()
        collect_ecs(document, found)
        return found.event(first_time(document, _TIMES), first_text(document, _DEVICES))
