"""The sample file: Defender's twelve columns, and a row for each type that Defender takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from indicia.domain.indicator import Action, Category, Indicator, Severity
from indicia.domain.observable import Observable, ObservableType
from indicia.exporters.defender_csv import CsvWriter


def sample_csv(now: datetime) -> bytes:
    """Return a CSV that can be imported at *now*; its values are those that documentation may use."""
    writer = CsvWriter()
    return "".join([writer.header(), *writer.lines(sample_indicators(now))]).encode()


def sample_indicators(now: datetime) -> Iterator[Indicator]:
    """Yield the rows of the sample; they expire 90 days after *now*."""
    expires = (now + timedelta(days=90)).replace(hour=0, minute=0, second=0, microsecond=0)
    malware = (Category.MALWARE, ("T1204.002",), "Isolate the device and look for the file elsewhere.")
    network = (Category.COMMAND_AND_CONTROL, ("T1071.001",), "Find out which program made the connection.")
    phishing = (Category.INITIAL_ACCESS, ("T1566.002",), "Reset the password of whoever opened it.")
    kinds = ObservableType
    rows = (
        (kinds.FILE_SHA1, "0123456789abcdef0123456789abcdef01234567", Action.AUDIT, Severity.INFORMATIONAL, malware),
        (kinds.FILE_SHA256, "0123456789abcdef" * 4, Action.BLOCK_AND_REMEDIATE, Severity.HIGH, malware),
        (kinds.IP_ADDRESS, "192.0.2.17", Action.AUDIT, Severity.LOW, network),
        (kinds.DOMAIN_NAME, "malware.example", Action.BLOCK, Severity.HIGH, network),
        (kinds.URL, "https://phishing.example/login", Action.WARN, Severity.MEDIUM, phishing),
    )
    for kind, value, action, severity, (category, techniques, advice) in rows:
        yield Indicator(
            type=kind,
            canonical=Observable.parse(kind, value).value,
            value=value,
            action=action,
            title=f"Sample: {kind} to {action}",
            description="A row of the sample file; delete it when you have seen how it works.",
            severity=severity,
            category=category,
            mitre_techniques=techniques,
            recommended_actions=advice,
            expires_at=expires,
            generate_alert=True,
        )
