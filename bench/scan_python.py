"""Peer of the scan: a program around orjson and Python sets, as tuned as somebody would write it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from bench.made_up_indicators import Indicators

#: URLs, and whatever may be an address, a name or a hash with its neighbours: what it is, is asked of each one once.
_TOKENS = re.compile(r"https?://[^\s\"'<>]+|[0-9A-Za-z_.:-]{4,}")
#: Whether a parsed record holds anything that is known.
Holds = Callable[[Any], bool]
#: The texts of a parsed record.
TextsOf = Callable[[Any], tuple[str, ...]]


class Known:
    """The indicators as Python sets; answers about names are remembered, for logs name the same ones over and over."""

    def __init__(self, indicators: Indicators) -> None:
        self.hashes = {*indicators.sha256, *indicators.sha1, *indicators.md5}
        self.addresses = set(indicators.addresses)
        self.names = set(indicators.names)
        self.urls = {url.partition("://")[2] for url in indicators.urls}
        self.sites = {url.partition("/")[0] for url in self.urls}
        self._told: dict[str, bool] = {}

    def holds_name(self, name: str) -> bool:
        """Return whether a name or one above it is known."""
        told = self._told.get(name)
        if told is None:
            told = self._told[name] = self._look_up(name)
        return told

    def forget(self) -> None:
        """Forget what was remembered: of each file anew, as of a file that was never read before."""
        self._told.clear()

    def _look_up(self, name: str) -> bool:
        while name:
            if name in self.names:
                return True
            name = name.partition(".")[2]
        return False

    def holds_url(self, site: str, path: str) -> bool:
        """Return whether a plain-http URL, a prefix of it by whole segments, or the name of its site is known."""
        if site in self.sites:
            found = site + path
            if found in self.urls:
                return True
            at = len(found := found.partition("?")[0])
            while at >= 0:
                if found[: at + 1] in self.urls or found[:at] in self.urls:
                    return True
                at = found.rfind("/", 0, at)
        return self.holds_name(site.partition(":")[0])

    def holds_text(self, text: str) -> bool:
        """Return whether anything in a text is known."""
        told = self._told.get
        for token in _TOKENS.findall(text):
            found = told(token)
            if found is None:
                found = self._told[token] = self._look_up_token(token)
            if found:
                return True
        return False

    def _look_up_token(self, token: str) -> bool:
        if token.startswith("http"):
            site, slash, path = token.partition("://")[2].partition("/")
            return self.holds_url(site, slash + path)
        token = token.lower().strip(".:-_")
        if token in self.hashes or token in self.addresses:
            return True
        return "." in token and any(self._look_up(part) or part in self.addresses for part in token.split(":"))


def for_orjson(known: Known) -> dict[str, Holds]:
    """Return by shape of the log what looks at a parsed record, a dictionary."""
    addresses, hashes, holds_name = known.addresses, known.hashes, known.holds_name

    def conn(record: Any) -> bool:
        return record["id.resp_h"] in addresses or record["id.orig_h"] in addresses

    def dns(record: Any) -> bool:
        if conn(record) or holds_name(record["query"]):
            return True
        return any(each in addresses or holds_name(each) for each in record["answers"])

    def http(record: Any) -> bool:
        return conn(record) or known.holds_url(record["host"], record["uri"])

    def eve(record: Any) -> bool:
        if record["dest_ip"] in addresses or record["src_ip"] in addresses:
            return True
        match record["event_type"]:
            case "dns":
                return holds_name(record["dns"]["rrname"])
            case "http":
                return known.holds_url(record["http"]["hostname"], record["http"]["url"])
            case "tls":
                tls = record["tls"]
                return holds_name(tls["sni"]) or tls["fingerprint"].replace(":", "") in hashes
            case "fileinfo":
                file = record["fileinfo"]
                return file["sha256"] in hashes or file["sha1"] in hashes or file["md5"] in hashes
        return False

    return by_shape(conn, dns, http, eve, _sysmon_dict(known))


def _sysmon_dict(known: Known) -> Holds:
    addresses, hashes, holds_name = known.addresses, known.hashes, known.holds_name

    def sysmon(record: Any) -> bool:
        winlog = record["winlog"]
        data = winlog["event_data"]
        match winlog["event_id"]:
            case 1 | 7:
                return any(each.partition("=")[2] in hashes for each in data["Hashes"].lower().split(","))
            case 3:
                return data["DestinationIp"] in addresses or data["SourceIp"] in addresses
            case 22:
                if holds_name(data["QueryName"]):
                    return True
                return any(each.removeprefix("::ffff:") in addresses for each in data["QueryResults"].split(";"))
        return False

    return sysmon


def by_shape(conn: Holds, dns: Holds, http: Holds, eve: Holds, sysmon: Holds) -> dict[str, Holds]:
    found = {"zeek-conn": conn, "zeek-dns": dns, "zeek-http": http, "eve": eve}
    return found | {"sysmon": sysmon, "sysmon-escaped": sysmon}


def count(path: Path, loads: Callable[[bytes], Any], holds: Holds, known: Known) -> int:
    """Return how many lines of a file hold anything that is known."""
    known.forget()
    with path.open("rb", buffering=1 << 20) as file:
        return _count(file, loads, holds)


def _count(lines: Iterable[bytes], loads: Callable[[bytes], Any], holds: Holds) -> int:
    hits = 0
    for line in lines:
        if holds(loads(line)):
            hits += 1
    return hits


#: By shape, the texts that ours looks through besides.
_TEXTS: dict[str, TextsOf] = {
    "zeek-http": lambda record: (record["referrer"], record["user_agent"]),
    "eve": lambda record: (
        (record["tls"]["subject"], record["tls"]["issuerdn"])
        if "tls" in record
        else (record["http"]["http_user_agent"],)
        if "http" in record
        else ()
    ),
    "sysmon": lambda record: (
        record["message"],
        record["winlog"]["event_data"].get("CommandLine", ""),
        record["winlog"]["event_data"].get("ParentCommandLine", ""),
    ),
}


def with_texts(
    holds: dict[str, Holds], texts: dict[str, Callable[[Any], tuple[str, ...]]], known: Known
) -> dict[str, Holds]:
    """Return what looks at the fields that *holds* looks at, and at *texts*."""

    def both(typed: Holds, texts_of: TextsOf) -> Holds:
        return lambda record: typed(record) or any(map(known.holds_text, texts_of(record)))

    texts = {**texts, "sysmon-escaped": texts["sysmon"]}
    return {shape: both(typed, texts[shape]) if shape in texts else typed for shape, typed in holds.items()}


def with_orjson(known: Known, *, texts: bool) -> Callable[[str, Path], int]:
    """Return what counts the hits of a file with orjson, in texts too or in fields of one observable only."""
    holds = for_orjson(known)
    if texts:
        holds = with_texts(holds, _TEXTS, known)
    return lambda shape, path: count(path, orjson.loads, holds[shape], known)
