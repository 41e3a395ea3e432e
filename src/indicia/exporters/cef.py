"""Events in ArcSight's Common Event Format (CEF 0), one to a line, as log collectors take them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

VENDOR: Final = "Indicia"
PRODUCT: Final = "Indicia"
_LONGEST: Final = 1_023
#: Line breaks of every kind: a collector that splits at any of them has to find none.
_BREAKS: Final = {"\n": "\\n", "\r": "\\r", "\x0b": " ", "\x0c": " ", "\x85": " ", "\u2028": " ", "\u2029": " "}


class Event(NamedTuple):
    """What a line tells: the class of the event and its name, how grave it is (0 to 10), and named values."""

    kind: str
    name: str
    severity: int
    fields: Mapping[str, str | int]


def line(event: Event, version: str) -> str:
    r"""Return *event* as a line without its end.

    >>> line(Event("sign-in", "Signed in", 1, {"suser": "a=b|c", "msg": "one\ntwo"}), "1.0")
    'CEF:0|Indicia|Indicia|1.0|sign-in|Signed in|1|suser=a\\=b|c msg=one\\ntwo'
    """
    header = "|".join(
        _in_header(part) for part in (VENDOR, PRODUCT, version, event.kind, event.name, str(event.severity))
    )
    extension = " ".join(f"{name}={_in_extension(str(value))}" for name, value in event.fields.items())
    return f"CEF:0|{header}|{extension}"


def address_fields(address: str) -> dict[str, str]:
    """Return the fields for *address*: CEF has one for IPv4, and a custom one for IPv6.

    >>> address_fields("10.0.0.1"), address_fields("testclient")
    ({'src': '10.0.0.1'}, {'shost': 'testclient'})
    """
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return {"shost": address}
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return {"src": str(parsed.ipv4_mapped)}
        return {"c6a2": str(parsed), "c6a2Label": "Source IPv6 Address"}
    return {"src": str(parsed)}


def milliseconds(at: datetime) -> int:
    """Return *at* as CEF has times: milliseconds since 1970."""
    return round(at.timestamp() * 1_000)


def _in_header(text: str) -> str:
    """Return *text* for a field of the header: a backslash and a pipe are escaped, a line break is a blank."""
    return " ".join(text.splitlines()).replace("\\", "\\\\").replace("|", "\\|")


def _in_extension(text: str) -> str:
    """Return *text* for a value: a backslash and an equals sign are escaped, line breaks are spelled."""
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    text = text.replace("\\", "\\\\").replace("=", "\\=")
    for each, spelled in _BREAKS.items():
        text = text.replace(each, spelled)
    return "".join(each if each >= " " or each == "\t" else " " for each in text)
