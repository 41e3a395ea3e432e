"""Nothing that a sensor would find is missed, and nothing else is told: a scan against parsing everything."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.observable import Observable, ObservableType
from indicia.services.unpacking import FOREIGN, GZIP, ZSTD
from tests.integration.scans import Views, agree, drawn, expected, parse_everything, scanned, told
from tests.unit.sensors.writing import single, texts

pytestmark = pytest.mark.sqlite_only("logs are read; of a store there are only the few indicators to look for")

pytest.importorskip("indicia.matcher._kernel", reason="without the kernel every record is parsed anyway")

# -- real telemetry ---------------------------------------------------------------------------------------------------

#: Of each archive, what is scanned: logs, and zips that hold one.
LOGS = re.compile(r".*\.(log|json|log\.gz|json\.gz|zip)")
ARCHIVES = ["zed-sample-data", "suricata-sample-data", "otrf-security-datasets"]


def unpack(archive: Path, folder: Path) -> list[Path]:
    found = []
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and LOGS.fullmatch(member.name):
                stream = tar.extractfile(member)
                assert stream is not None
                data = stream.read()
                name = member.name.replace("/", "_")
                if name.endswith(".zip"):
                    with zipfile.ZipFile(io.BytesIO(data)) as inner:
                        data = b"".join(inner.read(each) for each in inner.namelist() if each.endswith(".json"))
                found.append(folder / name)
                found[-1].write_bytes(data)
    return found


def rewritten(path: Path, chance: random.Random) -> Path:
    """Write some of the lines as other programs would: slashes escaped, hashes in capitals, ports, IPv6, IDN."""
    data = path.read_bytes()
    lines = gzip.decompress(data).split(b"\n") if data[:2] == b"\x1f\x8b" else data.split(b"\n")
    changes: list[Any] = [
        lambda line: line.replace(b"/", b"\\/") if line.startswith(b"{") else line,
        lambda line: re.sub(rb"\b[0-9a-f]{32,64}\b", lambda found: found[0].upper(), line),
        lambda line: re.sub(rb"\b[0-9A-F]{32,64}\b", lambda found: found[0].lower(), line),
        lambda line: re.sub(rb'("(?:\d{1,3}\.){3}\d{1,3})"', rb'\1:443"', line),
        lambda line: re.sub(rb'"((?:\d{1,3}\.){3})(\d{1,3})"', rb'"::ffff:\g<1>\2"', line),
        lambda line: re.sub(rb'"((?:\d{1,3}\.){3})\d{1,3}"', rb'"2001:DB8::\g<1>7"', line),
        lambda line: re.sub(rb'"([a-z]{3,}\.)([a-z]{3,}\.[a-z]{2,})"', "b\u00fccher.\\2".join('""').encode(), line),
        lambda line: re.sub(rb'"([a-z]{3,})\.([a-z]{3,})', rb'"\1\\u002e\2', line),
        lambda line: re.sub(rb'"([a-z]{3,})\.([a-z]{3,}\.[a-z]{2,})"', rb'"HTTPS://\1.\2:8443/A?b"', line),
    ]
    out = path.with_name("rewritten_" + path.name.removesuffix(".gz"))
    out.write_bytes(b"\n".join(chance.choice(changes)(line) if chance.random() < 0.5 else line for line in lines))
    return out


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("archive", ARCHIVES)
def test_on_real_telemetry(archive: str, shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "telemetry" / f"{archive}.tar.xz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    chance = random.Random(archive)
    paths = unpack(file, tmp_path)
    paths += [rewritten(path, chance) for path in paths if path.stat().st_size < 300_000]
    parsed = [each for path in paths for each in parse_everything(path)]
    known = drawn(parsed, chance, 0.05)
    assert agree(paths, parsed, known) > 100


# -- logs at random ---------------------------------------------------------------------------------------------------

_EVE = ["timestamp", "src_ip", "dest_ip", "host", "app_proto", "event_type", "http.hostname", "http.url", "dns.rrname"]
_EVE += ["tls.sni", "tls.fingerprint", "fileinfo.sha256", "fileinfo.md5", "alert.signature", "payload_printable"]
_ECS = ["@timestamp", "host.name", "source.ip", "destination.ip", "destination.domain", "url.full", "file.hash.sha256"]
_ECS += ["file.hash.sha1", "process.command_line", "message", "dns.question.name", "tls.server.hash.sha1", "other"]
_WINDOWS = ["Hostname", "Channel", "Hashes", "DestinationIp", "QueryName", "QueryResults", "CommandLine", "SourceName"]
_WINDOWS += ["DestinationHostname", "Message", "TargetFilename", "Param1"]
_DEFENDER = [
    "Timestamp",
    "DeviceName",
    "DeviceId",
    "RemoteIP",
    "RemoteUrl",
    "SHA1",
    "SHA256",
    "MD5",
    "AdditionalFields",
]
_DEFENDER += ["InitiatingProcessSHA1", "ProcessCommandLine", "FileOriginUrl", "Thumbprint", "CertificateSerialNumber"]
_ZEEK = [
    "ts",
    "uid",
    "id.orig_h",
    "id.resp_h",
    "query",
    "answers",
    "host",
    "uri",
    "server_name",
    "md5",
    "sha1",
    "sha256",
]
_ZEEK += ["certificate.subject", "note", "tx_hosts", "user_agent"]
_ANY = ["a", "name", "ip", "url", "hash", "text.of.it", "evil.example"]
FIELDS = [_EVE, _ECS, _WINDOWS, _DEFENDER, _ZEEK, _ANY]

_cell = single.map(lambda text: text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
_line = _cell.map(lambda text: re.sub(r"[\r\n]", " ", text))


@st.composite
def json_logs(draw: st.DrawFn) -> bytes:
    """A log of JSON, one record a line or an array; any escapes that JSON has."""
    names = draw(st.sampled_from(FIELDS))
    cells = st.one_of(_cell, _cell, st.lists(_cell, max_size=2), st.integers(), st.none())
    records = draw(st.lists(st.dictionaries(st.sampled_from(names), cells, max_size=5), min_size=1, max_size=4))
    marks = {"event_type": "http"} if names is _EVE else {"uid": "C1", "ts": 1.5} if names is _ZEEK else {}
    marks |= {"DeviceId": "d", "Timestamp": "2024-01-01T00:00:00Z"} if names is _DEFENDER else {}
    marks |= {"@timestamp": "2024-01-01T00:00:00Z", "event": {"kind": "event"}} if names is _ECS else {}
    records = [{**marks, **_nested(record)} if draw(st.booleans()) else {**marks, **record} for record in records]
    plain, slashed = draw(st.booleans()), draw(st.booleans())
    texts = [json.dumps(record, ensure_ascii=not plain) for record in records]
    if slashed:
        texts = [text.replace("/", "\\/") for text in texts]
    if draw(st.integers(0, 3)) == 0:
        return ("[" + ",\n".join(texts) + "]").encode()
    return "\n".join(texts).encode() + b"\n"


def _nested(record: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in record.items():
        first, _, rest = name.partition(".")
        if rest and isinstance(nested.setdefault(first, {}), dict):
            nested[first][rest] = value
        else:
            nested[first if not rest else name] = value
    return nested


@st.composite
def table_logs(draw: st.DrawFn) -> bytes:
    """A log of CSV, or of Zeek's tab-separated columns."""
    names = draw(st.sampled_from([_DEFENDER, _ANY[:4], _ZEEK]))
    rows = draw(st.lists(st.lists(_cell, min_size=len(names), max_size=len(names)), min_size=1, max_size=4))
    if names is _ZEEK:
        rows = [[re.sub(r"[\r\n\t]", " ", cell) or "-" for cell in row] for row in rows]
        head = ["#separator \\x09", "#set_separator\t,", "#path\thttp", "#fields\t" + "\t".join(names)]
        head.append("#types\t" + "\t".join("string" for _ in names))
        return ("\n".join([*head, *("\t".join(row) for row in rows)]) + "\n").encode()
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return ("\n".join([",".join(names), *quoted]) + "\n").encode()


LOGS_AT_RANDOM = st.one_of(
    json_logs(),
    table_logs(),
    st.lists(texts, min_size=1, max_size=6).map(lambda lines: "\n".join(lines).encode("utf-8", "replace")),
    st.lists(
        st.one_of(texts.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=20)), max_size=6
    ).map(b" ".join),
)


#: How files begin that are no log, or one that is packed: hypothesis reads our sources and finds out.
PACKED = (GZIP, ZSTD, *FOREIGN, b"PAR1", b"ARROW1", b"\xff\xfe", b"\xfe\xff", b"\0", b"*M\x18", b"\xef\xbb\xbf")


def is_broken_document(data: bytes) -> bool:
    """Tell whether *data* begins as an array of objects does and is no JSON: the oracle cannot read it."""
    begin = data.lstrip()
    if not (begin.startswith(b"[") and begin[1:].lstrip().startswith(b"{")):
        return False
    try:
        json.loads(data)
    except ValueError:
        return True
    return False


def check(data: bytes, seed: int, folder: Path) -> None:
    path = folder / "some.log"
    path.write_bytes(data)
    if not data or data.startswith(PACKED) or is_broken_document(data):
        return
    parsed = list(parse_everything(path))
    chance = random.Random(seed)
    known = drawn(parsed, chance, 0.7)
    known.append(Observable(ObservableType.DOMAIN_NAME, "example"))
    views = Views([one for one in known if chance.random() < 0.7])
    assert sorted(told(scanned(path, views)), key=str) == expected(parsed, views.reference)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@settings(max_examples=150)
@given(data=LOGS_AT_RANDOM, seed=st.integers(0, 1_000))
def test_on_logs_at_random(data: bytes, seed: int, folder: Path) -> None:
    check(data, seed, folder)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
# The same ten thousand each time: `test_on_logs_at_random` looks for new ones.
@settings(max_examples=10_000, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=LOGS_AT_RANDOM, seed=st.integers(0, 1_000))
def test_on_ten_thousand_logs_at_random(data: bytes, seed: int, folder: Path) -> None:
    check(data, seed, folder)
