"""Events of Windows and Sysmon as JSON: winlogbeat's shape, flat records, and the shape of the event's own XML."""

from __future__ import annotations

import re
from typing import Any, Final

from indicia.domain.event import Event
from indicia.domain.observable import Observable
from indicia.sensors.collecting import Collector, Fields, Use, fields
from indicia.sensors.ecs import ECS_FIELDS
from indicia.sensors.records import Record, first_text, leaves, load, take
from indicia.sensors.sensor import Layout
from indicia.sensors.times import first_time, read_time
from indicia.sensors.values import Found, address, free_text, hashes, name, thumbprint, url


def _query_results(text: str) -> Found:
    """Return what a DNS query was answered with: `type:  5 other.name;::ffff:192.0.2.1;`."""
    found: dict[Observable, None] = {}
    for part in text.split(";"):
        answer = _RECORD_TYPE.sub("", part).strip()
        if answer:
            found.update(dict.fromkeys(name(answer)))
    return tuple(found)


_RECORD_TYPE: Final = re.compile(r"^\s*+type:\s*+[0-9]{1,5}+\s")

EVENT_DATA: Final[Fields] = {
    **fields(hashes, "Hashes Hash FileHash SHA1 SHA256 MD5 Sha1 Sha256 Md5", "file"),
    **fields(hashes, "PreviousHash ParentHashes"),
    **fields(address, "DestinationIp DestAddress DestinationIpAddress", "connection"),
    **fields(name, "DestinationHostname", "connection"),
    **fields(address, "SourceIp SourceAddress", "source"),
    **fields(name, "SourceHostname", "source"),
    **fields(address, "IpAddress ClientAddress ClientIP RemoteAddress RemoteIP CallerAddress ServerAddress"),
    **fields(name, "QueryName TargetServerName RemoteHost RemoteName ServerName HostName RemoteMachineName"),
    **fields(_query_results, "QueryResults"),
    **fields(url, "url Url URL RemoteUrl"),
    **fields(thumbprint, "Thumbprint CertThumbprint CertificateThumbprint"),
    **fields(free_text, "CommandLine ParentCommandLine ProcessCommandLine Message ScriptBlockText Payload ContextInfo"),
    **fields(
        free_text, "Details TaskContent TaskContentNew Properties ServiceFileName ImagePath AdditionalInfo param1"
    ),
    **fields(free_text, "param2 param3 Contents Consumer Query Filter HostApplication TargetInfo Destination"),
    **fields(None, "Image ImageLoaded SourceImage TargetImage ParentImage OriginalFileName TargetFilename Path"),
    **fields(None, "CurrentDirectory ProcessName NewProcessName ParentProcessName CallerProcessName Application"),
    **fields(None, "StartModule StartFunction CallTrace PipeName ShareName ShareLocalPath RelativeTargetName Device"),
    **fields(None, "TargetObject ObjectName ObjectType Product Company Description FileVersion Signature"),
    **fields(None, "UtcTime CreationUtcTime PreviousCreationUtcTime ProcessCreationTime RuleName GrantedAccess"),
    **fields(None, "ProcessGuid SourceProcessGUID TargetProcessGUID SourceProcessGuid TargetProcessGuid LogonGuid"),
    **fields(None, "User SourceUser TargetUser ParentUser SubjectUserName TargetUserName SubjectUserSid LogonId"),
    **fields(None, "ScriptBlockId HandleId ObjectServer AccessList AccessMask AccessReason PrivilegeList NewSd OldSd"),
    **fields(None, "IMPHASH Imphash SubjectDomainName TargetDomainName WorkstationName Workstation"),
}

# What says who wrote the event, where and when; on the record itself or in its System part.
_SYSTEM: Final = (
    "Computer computer_name Hostname TimeCreated TimeCreated.SystemTime TimeCreated.#attributes.SystemTime "
    "TimeCreated.@SystemTime Channel channel log_name SourceName provider_name provider_guid ProviderGuid "
    "Provider.Name Provider.@Name Provider.#attributes.Name Provider.Guid Provider.@Guid Keywords Task task"
)
RECORD_FIELDS: Final[Fields] = {
    **ECS_FIELDS,
    **EVENT_DATA,
    **{way + key: Use(None) for way in ("", "winlog.", "System.", "Event.System.") for key in _SYSTEM.split()},
    **fields(None, "Event.#attributes.xmlns Event.@xmlns Event.xmlns Severity Domain"),
    **fields(None, "host EventTime EventReceivedTime Category SourceModuleName SourceModuleType"),
    **fields(None, "AccountName AccountType UserID ActivityID Opcode EventType type tags beat.hostname beat.name"),
    **fields(None, "beat.version host.os.build host.os.kernel winlog.provider_name winlog.activity_id agent.build"),
}
_DATA: Final = (
    "winlog.event_data",
    "winlog.user_data",
    "Event.EventData",
    "Event.UserData",
    "EventData",
    "UserData",
    "event_data",
    "user_data",
)
_TIMES: Final = (
    "UtcTime",
    "Event.System.TimeCreated.#attributes.SystemTime",
    "Event.System.TimeCreated.@SystemTime",
    "Event.System.TimeCreated.SystemTime",
    "System.TimeCreated.#attributes.SystemTime",
    "System.TimeCreated.@SystemTime",
    "System.TimeCreated.SystemTime",
    "@timestamp",
    "TimeCreated",
    "TimeCreated.SystemTime",
    "EventTime",
)
_DEVICES: Final = (
    "winlog.computer_name",
    "computer_name",
    "Event.System.Computer",
    "System.Computer",
    "Computer",
    "Hostname",
    "host.name",
    "agent.hostname",
    "host",
)


class Windows:
    """Reads events of Windows and Sysmon, one a line."""

    name = "windows"
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
        time = first_time(document, _TIMES)
        for path in _DATA:
            section = _named(take(document, path))
            time = read_time(section.get("UtcTime")) or time  # by Sysmon's own clock, and always UTC
            found.read(leaves(section), EVENT_DATA)
        found.read(leaves(document), RECORD_FIELDS)
        return found.event(time, first_text(document, _DEVICES))


def _named(section: Any) -> Record:
    """Return event data as fields: converters of the XML write lists of names and texts instead."""
    if isinstance(section, list):
        section = {"Data": section}
    if not isinstance(section, dict):
        return {}
    inner = section.get("Data")
    if not isinstance(inner, list):
        return section
    fields_of = {key: value for key, value in section.items() if key != "Data"}
    for at, item in enumerate(inner, 1):
        key = _first_of(item, _NAMES)
        if isinstance(key, str):
            fields_of[key] = _first_of(item, _TEXTS)
        else:
            fields_of[f"Data {at}"] = item
    return fields_of


def _first_of(item: Any, words: tuple[str, ...]) -> Any:
    return next((item[word] for word in words if word in item), None) if isinstance(item, dict) else None


_NAMES: Final = ("@Name", "Name", "name", "_Name")
_TEXTS: Final = ("#text", "text", "Value", "value", "$", "content", "__text", "_")
