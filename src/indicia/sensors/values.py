"""From the text of a field to observables: as the field says, by looking at the whole value, or out of free text.

What is found here is part of a contract with the scanner of raw bytes, which has to name every record in which anything
is found (docs/reference/sensors.md, "What is found in text"). Everything is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final, TypeAlias

from indicia.domain.observable import Observable, ObservableType, detect
from indicia.domain.spelling import BLANK, HASH_OF_LENGTH, IS_CANONICAL, LONGEST_URL, SPELLINGS

Found: TypeAlias = tuple[Observable, ...]
Reader: TypeAlias = Callable[[str], Found]

#: No more than this of one field is looked at.
LONGEST_TEXT: Final = 1 << 20
_NOTHING: Final[Found] = ()
_EMPTY: Final = frozenset({"", "-", "(empty)", "N/A", "n/a", "null"})
_DOTS: Final = ".\u3002\uff0e\uff61"  # of Latin and of Chinese and Japanese, as IDNA has them
_LONGEST_NAME: Final = 1024  # what IDNA may still shorten
# Last labels of file names that are no top-level domain: in free text they are not worth a look-up.
_ENDINGS: Final = (
    "exe dll sys ini tmp dat log xml txt json config mui ps1 psm1 psd1 vbs js hta lnk evtx pdb cpp hpp html htm php "
    "asp aspx jsp css png jpg jpeg gif ico svg pdf doc docx xls xlsx ppt pptx csv bat jar msi inf manifest etl"
)
_FILE_ENDINGS: Final = frozenset(_ENDINGS.split())

_SPACED: Final = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) in ".-_")}
_OF_TOKENS: Final = "".join(chr(code) for code in range(128) if code not in _SPACED) + ":"
_HEX: Final = re.compile("[0-9A-Fa-f]++").fullmatch
_PRINTED_SHA1: Final = re.compile("(?:[0-9A-Fa-f]{2}:){19}[0-9A-Fa-f]{2}").fullmatch
_NUMBERS: Final = re.compile("[0-9A-Fa-f:.]++").fullmatch
_QUAD: Final = re.compile(r"[0-9]{1,3}+(?:\.[0-9]{1,3}+){3}").fullmatch
_NAME: Final = re.compile(r"(?:[A-Za-z0-9_-]{1,63}+\.)++([A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{1,59})").fullmatch
# Beside letters of Latin, Greek and Cyrillic an ASCII run is part of a word; beside quotes, dashes, Chinese it is not.
_WORDS: Final = "\u00c0-\u052f\u1e00-\u1fff"
_ASCII_RUNS: Final = re.compile(f"(?<![A-Za-z0-9._{_WORDS}-])[A-Za-z0-9._-]++(?![{_WORDS}])").findall
_HAS_BLANK: Final = re.compile(r"\s").search

_BEFORE_PATH: Final = re.compile("[^/:?#]*+").match

# Where a URL ends: blank, quote of any kind, angle bracket, control.
_URL: Final = re.compile("https?://[^\\s\"'<>`\x00-\x20\x7f\u2018\u2019\u201c\u201d]++", re.IGNORECASE | re.ASCII)
_SCHEME: Final = re.compile("https?://", re.IGNORECASE | re.ASCII)
# One that begins another URL inside a URL: behind a word, the word before would be cut short.
_INNER: Final = re.compile("(?<![A-Za-z0-9._-])https?://", re.IGNORECASE | re.ASCII)
_AFTER_URL: Final = ".,;:!?)]}'\""
# What follows a drive or another part of a path: a folder, a file or an account (CORP\j.doe), never a host. The host of
# \\host\share follows no path.
_IN_PATH: Final = re.compile(r"(?:(?<=[A-Za-z0-9_.~%)$-])\\++|(?<=:)\\(?!\\))[A-Za-z0-9._-]*+")
# Two colons with at most one group between: every IPv6 address and every thumbprint has them, most texts do not.
_COLONS: Final = re.compile(":(?::|[0-9A-Fa-f]{1,4}:)").search
_COLON_RUN: Final = re.compile("(?<![0-9A-Fa-f:.])[0-9A-Fa-f.]*+:[0-9A-Fa-f.]*+:[0-9A-Fa-f:.]*+")
_IMPHASH: Final = re.compile(r"IMPHASH=[0-9A-Fa-f]{32}(?=[\s,;\"']|\Z)")
_LONGEST_RUN: Final = 63  # a thumbprint has 59, and a little around it
_IS_WORD: Final = re.compile("[A-Za-z0-9_-]").fullmatch
_HOST_AND_PORT: Final = re.compile(r"([^:\[\]]{1,1024}+|\[[0-9A-Fa-f:.]{2,45}+\])(?::([0-9]{1,5}))?").fullmatch
_PREFIXED_HASH: Final = re.compile(r"(?:([A-Za-z0-9]{1,32}+)[=:])?[ \t\n\r\f\v]*+([0-9A-Fa-f]{32,64}+)").fullmatch
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FILE_HASHES: Final = frozenset({"", "md5", "sha1", "sha256"})


def _spelled(kind: ObservableType, text: str) -> Observable | None:
    """Return what `Observable.parse` would, None instead of a reason, which nobody reads here."""
    spelling = text if IS_CANONICAL[kind](text) else SPELLINGS[kind](text.strip(BLANK))
    return Observable(kind, spelling) if spelling else None


# --- typed fields -----------------------------------------------------------------------------------------------------


def _address(text: str) -> Observable | None:
    return _spelled(ObservableType.IP_ADDRESS, text) if _NUMBERS(text) else None


def _host(text: str) -> Observable | None:
    """Return the address or name that *text* is; a name in other letters than ASCII needs a dot inside."""
    found = _address(text)
    if found or len(text) > _LONGEST_NAME or not (text.isascii() or _has_dot(text)):
        return found
    return _spelled(ObservableType.DOMAIN_NAME, text)


def _has_dot(text: str) -> bool:
    return any(dot in text.strip(_DOTS) for dot in _DOTS)


def address(text: str) -> Found:
    """Return the address that *text* is; what is no address is free text.

    >>> [each.value for each in address("::ffff:192.0.2.1")]
    ['192.0.2.1']
    """
    text = text.strip(BLANK)
    found = None if text in _EMPTY else _address(text)
    return (found,) if found else free_text(text)


def name(text: str) -> Found:
    """Return the address or name that *text* is; with a port, or anything else around it, it is free text."""
    text = text.strip(BLANK)
    found = None if text in _EMPTY else _host(text)
    return (found,) if found else free_text(text)


def url(text: str) -> Found:
    """Return the URL, name or address that *text* is; any other text is free text.

    >>> [each.value for each in url("evil.example/a")]
    ['http://evil.example/a']
    """
    text = text.strip(BLANK)
    if _SCHEME.match(text):
        found = _url_or_host(text)
        return (found,) if found else free_text(text)
    if "/" in text:
        whole = detect(text) if text.isascii() else None
        if whole and whole.type is ObservableType.URL:
            return (whole,)
        return free_text(text)
    return name(text)


def joined_url(host: str, port: object, target: str, scheme: str = "http") -> Found:
    """Return the URL of a request for *target* at *host*, which may bring a port of its own; else the host alone.

    >>> [each.value for each in joined_url("evil.example", 8080, "/a")]
    ['http://evil.example:8080/a']
    """
    if _SCHEME.match(target):
        return url(target)
    parts = _HOST_AND_PORT(host.strip(BLANK))
    at = _host(parts[1].strip("[]")) if parts else None
    if parts is None or at is None:
        return name(host)
    if scheme not in _DEFAULT_PORTS or target[:1] != "/":
        return (at,)
    written = int(parts[2]) if parts[2] else port
    place = f"[{at.value}]" if ":" in at.value else at.value
    if isinstance(written, int) and 0 < written != _DEFAULT_PORTS[scheme]:
        place = f"{place}:{written}"
    return (_url_or_host(f"{scheme}://{place}{target}") or at,)


def _url_or_host(text: str) -> Observable | None:
    """Return the URL that *text* is: without its query where that makes it too long, its host where it is none."""
    found = _spelled(ObservableType.URL, text)
    if found is None and len(text) > LONGEST_URL:
        found = _spelled(ObservableType.URL, text.partition("?")[0])
    if found is None:
        authority = re.split(r"[/?#\\]", text[: LONGEST_URL * 2].partition("://")[2], maxsplit=1)[0]
        parts = _HOST_AND_PORT(authority.rpartition("@")[2])
        return _host(parts[1].strip("[]")) if parts else None
    return found


def hashes(text: str) -> Found:
    """Return the file hashes in *text*: bare, or `MD5=…,SHA256=…` as Sysmon writes; others, as IMPHASH, are none.

    >>> [each.type.value for each in hashes("MD5=" + "a" * 32 + ",IMPHASH=" + "b" * 32)]
    ['FileMd5']
    """
    found = []
    for part in text.split(",", 16)[:16]:
        parts = _PREFIXED_HASH(part.strip(BLANK))
        if parts and (parts[1] or "").lower() in _FILE_HASHES:
            one = _hash(parts[2])
            if one:
                found.append(one)
    return tuple(found)


def _hash(text: str) -> Observable | None:
    kind = HASH_OF_LENGTH.get(len(text))
    return Observable(kind, text.lower()) if kind and _HEX(text) else None


def thumbprint(text: str) -> Found:
    """Return the SHA-1 thumbprint of a certificate, in one run or with colons; other fingerprints cannot match."""
    text = text.strip(BLANK)
    if _PRINTED_SHA1(text) or (len(text) == 40 and _HEX(text)):
        return (Observable(ObservableType.CERTIFICATE_THUMBPRINT, text.replace(":", "").lower()),)
    return _NOTHING


# --- fields of unknown meaning ----------------------------------------------------------------------------------------


def anything(text: str) -> Found:
    """Return what the whole value is; with a blank, ``://`` or a bracket of JSON in it, what it holds as free text.

    >>> [each.value for each in anything("evil.example")], anything("1.2.3.0/24"), anything("ntdll.dll")
    (['evil.example'], (), ())
    """
    if not ("." in text or ":" in text or len(text) in HASH_OF_LENGTH):
        return _NOTHING
    if "://" in text or text[0] in "{[" or _HAS_BLANK(text):
        return free_text(text)
    if len(text) > LONGEST_URL or not (text.isascii() or _has_dot(_before_path(text))):
        return _NOTHING
    if _PRINTED_SHA1(text):
        return thumbprint(text)
    found = detect(text)
    if found is None or found.type is ObservableType.IP_RANGE or _is_file_name(found):
        return _NOTHING
    return (found,)


def _before_path(text: str) -> str:
    match = _BEFORE_PATH(text)
    return match[0] if match else ""


def _is_file_name(found: Observable) -> bool:
    return found.type is ObservableType.DOMAIN_NAME and found.value.rpartition(".")[2] in _FILE_ENDINGS


# --- free text --------------------------------------------------------------------------------------------------------


def free_text(text: str) -> Found:
    r"""Return the URLs, addresses, names with a dot, hashes and thumbprints with colons in *text*, each once.

    >>> [each.value for each in free_text("curl -s http://evil.example/a, then 192.0.2.1:443 (ntdll.dll).")]
    ['http://evil.example/a', '192.0.2.1']
    >>> [each.value for each in free_text(r"C:\Windows\Microsoft.NET\a.exe \\\\files.example\share as CORP\j.doe")]
    ['files.example']
    """
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT].rstrip(_OF_TOKENS)  # a part of a token is another token
    found: dict[Observable, None] = {}
    if "://" in text:
        text = _take_urls(text, found)
    if "IMPHASH=" in text:  # Sysmon's messages have it beside the hashes of the file, whose length it has
        text = _IMPHASH.sub("IMPHASH", text)
    if _COLONS(text):
        _take_colon_runs(text, found)
    if "\\" in text:
        text = _IN_PATH.sub(" ", text)
    for token in text.translate(_SPACED).split(" "):
        if "." in token or len(token) in HASH_OF_LENGTH:
            _take_token(token, found)
    return tuple(found)


def _take_urls(text: str, found: dict[Observable, None]) -> str:
    """Put the URLs of *text* into *found* and return the rest. A URL inside another one is found, too."""

    def take(match: re.Match[str]) -> str:
        whole = match[0].rstrip(_AFTER_URL)
        starts = [inner.start() for inner in _INNER.finditer(whole, 1)]
        inner_ones = [whole[start:end] for start, end in pairwise([*starts, len(whole)])]
        for piece in [whole, *inner_ones]:
            one = _url_or_host(piece.rstrip(_AFTER_URL))
            if one:
                found[one] = None
        return whole.partition(":")[0] + " "  # what is glued to its front stays so, and is no token of its own

    return _URL.sub(take, text)


def _take_colon_runs(text: str, found: dict[Observable, None]) -> None:
    for match in _COLON_RUN.finditer(text):
        one = _colon_run(match[0], text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1])
        if one:
            found[one] = None


def _colon_run(run: str, before: str, after: str) -> Observable | None:
    """Return the address or thumbprint that *run* is; dots and one colon at its ends may belong to the text around it.

    Where a word goes on without such a colon (`std::cafe`), it is neither.
    """
    if len(run) > _LONGEST_RUN:
        return None
    core = run.strip(".")
    left, right = core[:1] == ":" != core[1:2], core[-1:] == ":" != core[-2:-1]
    if (_IS_WORD(before) and not left) or (_IS_WORD(after) and not right):
        return None
    core = core[left : len(core) - right]
    printed = thumbprint(core)
    return printed[0] if printed else _address(core)


def _take_token(token: str, found: dict[Observable, None]) -> None:
    token = token.strip(".")
    one = _hash(token)
    if one is None and "." in token:
        if not token.isascii():
            _take_mixed_token(token, found)
            return
        one = _dotted(token)
    if one:
        found[one] = None


def _dotted(token: str) -> Observable | None:
    """Return the IPv4 address or the plausible name that a token with a dot inside is."""
    if len(token) > 253:
        return None
    if _QUAD(token):
        return _spelled(ObservableType.IP_ADDRESS, token)
    plausible = _NAME(token)
    if plausible is None or plausible[1].lower() in _FILE_ENDINGS:
        return None
    return _spelled(ObservableType.DOMAIN_NAME, token)


def _take_mixed_token(token: str, found: dict[Observable, None]) -> None:
    """Take an internationalised name, and what stands in ASCII between marks or letters of other kinds."""
    if len(token) <= _LONGEST_NAME:
        whole = detect(token)
        if whole and whole.type is ObservableType.DOMAIN_NAME:
            found[whole] = None
    for run in _ASCII_RUNS(token):
        one = _dotted(run.strip("."))
        if one:
            found[one] = None
