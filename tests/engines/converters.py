"""Public indicator lists made readable: what an analyst's own small script would do, and nothing cleverer.

A converter takes values out of somebody's format; it never mends, judges or drops one. Lists that are one value a line
already are given as they are. Nothing here resolves or fetches a name.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from indicia.services.imports import Format

COLUMNS: Final = ("IndicatorType", "IndicatorValue", "Action", "Title", "Description", "Severity")


class Part(NamedTuple):
    """One file as the importer gets it, and how many things in the original the converter has no words for."""

    name: str
    data: bytes
    passed_over: int = 0


class Row(NamedTuple):
    """One typed value of somebody's format."""

    type: str
    value: str
    description: str = "from a public list"
    severity: str = ""


@dataclass(frozen=True)
class Feed:
    """A public list in one of its forms, and how to read it."""

    name: str
    archive: str
    format: Format
    convert: Callable[[Path], Iterator[Part]]
    how: str


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack *archive* under *folder* and return where its files are; does nothing where that was done before."""
    target = folder / archive.name.removesuffix(".tar.xz")
    if not target.is_dir():
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    return target


def files(root: Path, *endings: str) -> list[Path]:
    """Return the files under *root* with one of *endings*, in order."""
    found = (path for path in root.rglob("*") if path.is_file() and path.name.endswith(endings))
    return sorted(path for path in found if path.name not in ("LICENSE.txt", "README.md"))


# -- the simplest: one value a line already ---------------------------------------------------------------------------


def as_it_is(*endings: str) -> Callable[[Path], Iterator[Part]]:
    """Return a converter that hands the files over untouched."""

    def convert(root: Path) -> Iterator[Part]:
        for path in files(root, *endings):
            yield Part(str(path.relative_to(root)), path.read_bytes())

    return convert


# -- maltrail ---------------------------------------------------------------------------------------------------------

_WITH_PORT: Final = re.compile(r"^(?:((?:\d{1,3}\.){3}\d{1,3})|\[([0-9a-f:.]+)\]):\d{1,5}(?=\s|$)", re.MULTILINE)


def maltrail(root: Path) -> Iterator[Part]:
    """Yield the trails with ``address:port`` cut to the address; names, paths and comments stay as they are."""
    for path in files(root, ".txt"):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        yield Part(str(path.relative_to(root)), _WITH_PORT.sub(r"\1\2", text).encode("utf-8", "surrogateescape"))


# -- ESET -------------------------------------------------------------------------------------------------------------


def asciidoc(root: Path) -> Iterator[Part]:
    """Yield the lines of listing blocks, and the single words of bullets and table cells, without their backticks."""
    for path in files(root, ".adoc"):
        found, listing = [], False
        for line in path.read_text(encoding="utf-8", errors="surrogateescape").split("\n"):
            text = line.strip()
            if text.startswith("----"):
                listing = not listing
            elif listing:
                found.append(text)
            elif text.startswith("|") and not text.startswith("|=="):
                found += [cell for cell in map(_bare, text.strip("|").split("|")) if cell and " " not in cell]
            elif text.startswith(("- ", "* ")) and " " not in _bare(text[2:]):
                found.append(_bare(text[2:]))
        data = "".join(f"{value}\n" for value in found).encode("utf-8", "surrogateescape")
        yield Part(str(path.relative_to(root)), data)


def _bare(text: str) -> str:
    return text.strip().strip("`").strip()


_MISP: Final = {
    "md5": "FileMd5",
    "sha1": "FileSha1",
    "sha256": "FileSha256",
    "x509-fingerprint-sha1": "CertificateThumbprint",
    "ip-src": "IpAddress",
    "ip-dst": "IpAddress",
    "domain": "DomainName",
    "hostname": "DomainName",
    "url": "Url",
    "uri": "Url",
}


def misp(root: Path) -> Iterator[Part]:
    """Yield the attributes of MISP events, those of objects too; ``a|b`` is taken apart; other types are counted."""
    for path in files(root, ".json"):
        rows, passed = [], 0
        try:
            document = json.loads(path.read_bytes().decode("utf-8-sig"))
        except ValueError:
            yield Part(f"{path.relative_to(root)} (not JSON)", _csv([]), 1)
            continue
        for kind, value in _attributes(document):
            kinds, values = kind.split("|"), value.split("|")
            known = [(_MISP[k], v) for k, v in zip(kinds, values, strict=False) if k in _MISP]
            rows += [Row(*pair) for pair in known]
            passed += not known
        yield Part(str(path.relative_to(root)), _csv(rows), passed)


def _attributes(node: Any) -> Iterator[tuple[str, str]]:
    """Yield type and value of every attribute, however deep: events come bare, in lists and in ``response``."""
    if isinstance(node, list):
        for item in node:
            yield from _attributes(item)
    elif isinstance(node, dict):
        for name, child in node.items():
            if name == "Attribute":
                yield from ((each["type"], each["value"]) for each in child)
            elif name in ("Event", "Object", "response"):
                yield from _attributes(child)


# -- STIX -------------------------------------------------------------------------------------------------------------

_COMPARISON: Final = re.compile(r"([\w-]+):([\w.'-]+)\s*(=)\s*'((?:[^'\\]|\\.)*)'")
_STIX: Final = {
    "file:hashes.md5": "FileMd5",
    "file:hashes.sha1": "FileSha1",
    "file:hashes.sha256": "FileSha256",
    "x509certificate:hashes.sha1": "CertificateThumbprint",
    "ipv4addr:value": "IpAddress",
    "ipv6addr:value": "IpAddress",
    "domainname:value": "DomainName",
    "url:value": "Url",
}


def stix(ending: str) -> Callable[[Path], Iterator[Part]]:
    """Return a converter for the patterns of STIX indicators: each comparison with ``=`` is one value."""

    def convert(root: Path) -> Iterator[Part]:
        for path in files(root, ending):
            rows, passed = [], 0
            for pattern in patterns(json.loads(path.read_bytes().decode("utf-8-sig"))):
                known = []
                for kind, prop, _sign, value in _COMPARISON.findall(pattern):
                    name = f"{kind}:{prop}".lower().replace("-", "").replace("'", "")
                    if name in _STIX:
                        known.append(Row(_STIX[name], re.sub(r"\\(.)", r"\1", value)))
                rows += known
                passed += not known
            yield Part(str(path.relative_to(root)), _csv(rows), passed)

    return convert


def patterns(document: Any) -> Iterator[str]:
    """Yield the pattern of every indicator of a bundle, or of a list of bundles."""
    bundles = document if isinstance(document, list) else [document]
    for bundle in bundles:
        for item in bundle.get("objects", ()):
            if item.get("type") == "indicator":
                yield item["pattern"]


# -- CSV of others ----------------------------------------------------------------------------------------------------

_VALUES_IN: Final = re.compile(r"sha-?256|sha-?1|md5|hash|domain|\bc2\b|url|\bip\b|indicator", re.IGNORECASE)
_NOT_IN: Final = re.compile(r"use|type|size|rsa|web uri|count", re.IGNORECASE)


def foreign_csv(root: Path) -> Iterator[Part]:
    """Yield the cells of columns whose heading names a value; every cell where there is no heading."""
    for path in files(root, ".csv"):
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        places = [n for n, name in enumerate(rows[0]) if _VALUES_IN.search(name) and not _NOT_IN.search(name)]
        headed = bool(places)
        found = [
            value
            for row in rows[headed:]
            for n, cell in enumerate(row)
            if not headed or n in places
            for value in cell.split("\n")
        ]
        data = "".join(f"{value.strip()}\n" for value in found if value.strip())
        yield Part(str(path.relative_to(root)), data.encode("utf-8", "surrogateescape"))


_HASH_TYPES: Final = {32: "FileMd5", 40: "FileSha1", 64: "FileSha256"}
_ENTITIES: Final = {"hostname": "DomainName", "domain": "DomainName", "ipaddress": "IpAddress", "url": "Url"}


def volexity(root: Path) -> Iterator[Part]:
    """Yield the values of ``value,entity_type,description``; a file has up to three hashes in one cell."""
    for path in files(root, ".csv"):
        rows, passed = [], 0
        text = path.read_bytes().decode("utf-8-sig")
        for cells in csv.reader(io.StringIO(text, newline="")):
            if len(cells) < 2 or "value" in (cells[0], cells[1]):
                continue
            cells = cells if len(cells) > 2 else [*cells, ""]
            value, kind = (cells[0], cells[1]) if cells[1] in {*_ENTITIES, "file"} else (cells[1], cells[0])
            typed = _volexity_values(kind, value)
            rows += [Row(each, one, cells[2] or "from a public list") for each, one in typed]
            passed += not typed
        yield Part(str(path.relative_to(root)), _csv(rows), passed)


def _volexity_values(kind: str, value: str) -> list[tuple[str, str]]:
    if kind in _ENTITIES:
        return [(_ENTITIES[kind], value)]
    hashes = [each.strip() for each in value.split(",")]
    return [(_HASH_TYPES[len(each)], each) for each in hashes if kind == "file" and len(each) in _HASH_TYPES]


def ipsum(root: Path) -> Iterator[Part]:
    """Yield the addresses with a severity by the number of lists that name them."""
    rows = []
    for line in (root / "ipsum.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            address, score = line.split("\t")
            severity = "High" if int(score) >= 5 else "Medium" if int(score) >= 3 else "Low"
            rows.append(Row("IpAddress", address, f"on {score} lists", severity))
    yield Part("ipsum.txt", _csv(rows))


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow((row.type, row.value, "Block", "A public list", row.description, row.severity))
    return text.getvalue().encode("utf-8", "surrogateescape")


# -- blocklistproject: the same lists in four forms -------------------------------------------------------------------

_ADGUARD: Final = re.compile(r"^\|\|(.+)\^$", re.MULTILINE)
_DNSMASQ: Final = re.compile(r"^server=/(.+)/$", re.MULTILINE)


def adguard(root: Path) -> Iterator[Part]:
    """Yield ``||name^`` as the name."""
    for path in files(root / "adguard", ".txt"):
        yield Part(path.name, _ADGUARD.sub(r"\1", path.read_text(encoding="utf-8")).encode())


def dnsmasq(root: Path) -> Iterator[Part]:
    """Yield ``server=/name/`` as the name."""
    for path in files(root / "dnsmasq-version", ".txt"):
        yield Part(path.name, _DNSMASQ.sub(r"\1", path.read_text(encoding="utf-8")).encode())


def plain(root: Path) -> Iterator[Part]:
    """Yield the plain lists as they are."""
    for path in files(root / "alt-version", ".txt"):
        yield Part(path.name, path.read_bytes())


def hosts(root: Path) -> Iterator[Part]:
    """Yield the hosts files as they are: the reader knows ``0.0.0.0 name``."""
    for path in sorted(root.glob("*.txt")):
        yield Part(path.name, path.read_bytes())


def _every(step: int, convert: Callable[[Path], Iterator[Part]]) -> Callable[[Path], Iterator[Part]]:
    def some(root: Path) -> Iterator[Part]:
        yield from (part for number, part in enumerate(convert(root)) if number % step == 0)

    return some


_TRAILS: Final = "`address:port` cut to the address"
_FEEDS: Final = (
    Feed("maltrail", "maltrail", Format.TEXT, maltrail, _TRAILS),
    Feed("maltrail, every 20th file", "maltrail", Format.TEXT, _every(20, maltrail), _TRAILS),
    Feed("ESET, hash lists", "eset-malware-ioc", Format.TEXT, as_it_is(".md5", ".sha1", ".sha256"), "as they are"),
    Feed("ESET, reports", "eset-malware-ioc", Format.TEXT, asciidoc, "listing blocks, words of bullets and cells"),
    Feed("ESET, MISP events", "eset-malware-ioc", Format.CSV, misp, "attributes that are values"),
    Feed("Unit 42, text", "pan-unit42-iocs", Format.TEXT, as_it_is(".txt", ".text", ".md"), "as they are, prose too"),
    Feed("Unit 42, CSV", "pan-unit42-iocs", Format.TEXT, foreign_csv, "cells under headings that name a value"),
    Feed("Unit 42, STIX 2.0", "pan-unit42-iocs", Format.CSV, stix(".json"), "comparisons of patterns"),
    Feed("Volexity", "volexity-threat-intel", Format.CSV, volexity, "cells of several hashes taken apart"),
    Feed("Amnesty, text", "amnesty-investigations", Format.TEXT, as_it_is(".txt"), "as they are, e-mail addresses too"),
    Feed("Amnesty, STIX 2.1", "amnesty-investigations", Format.CSV, stix(".stix2"), "comparisons of patterns"),
    Feed("ipsum", "stamparm-ipsum", Format.CSV, ipsum, "severity by score"),
    Feed("Block List Project, hosts", "blocklistproject-lists", Format.TEXT, hosts, "as they are"),
    Feed("Block List Project, plain", "blocklistproject-lists", Format.TEXT, plain, "as they are"),
    Feed(
        "Block List Project, AdGuard",
        "blocklistproject-lists",
        Format.TEXT,
        adguard,
        "the marks around the names taken off",
    ),
    Feed(
        "Block List Project, dnsmasq", "blocklistproject-lists", Format.TEXT, dnsmasq, "`server=/name/` cut to the name"
    ),
    Feed("Block List Project, addresses", "blocklistproject-lists", Format.TEXT, as_it_is(".ip"), "as they are"),
)
FEEDS: Final[Mapping[str, Feed]] = {feed.name: feed for feed in _FEEDS}
