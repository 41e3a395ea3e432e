"""Records of every format whose values are spelled, joined and escaped in ways that few programs use."""

from __future__ import annotations

import json
import random
from typing import Any, Final, NamedTuple

from indicia.sensors import SENSORS, Sensor
from indicia.sensors.defender import DEFENDER_FIELDS
from indicia.sensors.ecs import ECS_FIELDS
from indicia.sensors.eve import EVE_FIELDS
from indicia.sensors.windows import EVENT_DATA
from indicia.sensors.zeek import ZEEK_FIELDS
from tests.integration.hostile_values import NAMES, some_text

JSON_FIELDS: Final[dict[str, list[str]]] = {
    "zeek-json": [*ZEEK_FIELDS, "host", "uri", "host", "uri", "id.resp_p", "method", "zzz"],
    "eve": [*EVE_FIELDS, *("http.hostname", "http.url", "http.http_port", "src_ip", "dest_ip", "zzz") * 4],
    "windows": [*("winlog.event_data." + each for each in EVENT_DATA), *EVENT_DATA, "message"],
    "defender-json": [*DEFENDER_FIELDS, *["AdditionalFields"] * 20, "properties.remoteurl", "zzz"],
    "ecs": [*ECS_FIELDS, *("url.domain", "url.path", "url.port", "url.scheme", "url.original", "url.full") * 6, "zzz"],
    "json": ["url", "sha1", "thumbprint", "message", "zzz", "a.b", "referer", "md5"],
}
COLUMNS: Final[dict[str, list[str]]] = {
    "zeek-tsv": [each for each in JSON_FIELDS["zeek-json"] if " " not in each],
    "defender-csv": [
        "RemoteUrl",
        "RemoteIP",
        "SHA1",
        "SHA256",
        "ProcessCommandLine",
        "AdditionalFields",
        "AdditionalFields",
    ],
    "csv": ["url", "sha1", "thumbprint", "message", "zzz", "other"],
}
_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\"}


class Log(NamedTuple):
    """Records of one file, its header lines first, and the sensor that has heard of them."""

    sensor: Sensor
    header: bytes
    records: list[bytes]


def some_log(chance: random.Random, count: int) -> Log:
    """Return *count* records of one format."""
    name = chance.choice(list(SENSORS))
    sensor = SENSORS[name]()
    if name == "zeek-tsv":
        columns = chance.sample(COLUMNS[name], 3)
        header = "#separator \\x09\n#fields\t{}\n#types\t{}\n".format("\t".join(columns), "set[string]\tstring\taddr")
        for line in header.encode().splitlines():
            sensor.header(line)
        return Log(sensor, header.encode(), [_tsv(chance) for _ in range(count)])
    if name in COLUMNS:
        columns = chance.sample(COLUMNS[name], 3)
        header = ",".join(columns) + "\n"
        sensor.header(header.encode())
        return Log(sensor, header.encode(), [_csv(chance, columns) for _ in range(count)])
    if name == "text":
        return Log(sensor, b"", [_bytes(_one_line(some_text(chance)) or "-") for _ in range(count)])
    return Log(sensor, b"", [_bytes(_json_record(chance, name)) for _ in range(count)])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def _json_text(chance: random.Random, text: str, mode: str) -> str:
    """Return *text* as a string of JSON; *mode* names the letters of what is escaped without need."""
    once = chance.randrange(len(text)) if text and "o" in mode else -1
    written = []
    for at, c in enumerate(text):
        code = ord(c)
        if at == once or ("l" in mode and code < 32) or (code > 127 and "a" in mode) or ("h" in mode and c in "<>&'=+"):
            units = [code] if code < 0x10000 else [0xD7C0 + (code >> 10), 0xDC00 | code & 0x3FF]
            written.append("".join(f"\\u{unit:04{'X' if 'U' in mode else 'x'}}" for unit in units))
        elif c in _SHORT:
            written.append(_SHORT[c])
        elif code < 32:
            written.append(f"\\u{code:04x}")
        else:
            written.append("\\/" if c == "/" and "s" in mode else c)
    return '"' + "".join(written) + '"'


def _mode(chance: random.Random) -> str:
    return chance.choice(["", "", "a", "aU", "s", "as", "h", "l", "hsla", "o", "oa", "oU"])


def _json(chance: random.Random, value: Any, mode: str) -> str:
    colon, comma = chance.choice([(":", ","), (": ", ", "), (" : ", " , ")])
    if isinstance(value, str):
        return _json_text(chance, value, mode)
    if isinstance(value, list):
        return "[" + comma.join(_json(chance, each, mode) for each in value) + "]"
    if isinstance(value, dict):
        return (
            "{" + comma.join(json.dumps(key) + colon + _json(chance, each, mode) for key, each in value.items()) + "}"
        )
    return json.dumps(value)


def _json_record(chance: random.Random, name: str) -> str:
    record: dict[str, Any] = {"uid": "C1"} if chance.random() < 0.3 else {}
    for _ in range(chance.choice([1, 1, 2, 3])):
        path = chance.choice(JSON_FIELDS[name])
        value: Any = some_text(chance)
        if path == "AdditionalFields" and chance.random() < 0.7:
            value = _json(chance, chance.choice([{"k": value}, [value], value]), _mode(chance))
        elif path.endswith(("port", "resp_p")):
            value = chance.choice([80, 443, 8080, "80"])
        elif path in ("url.path", "uri", "http.url") and chance.random() < 0.6:
            value = "/a/" + value
        elif chance.random() < 0.2:
            value = chance.choice([[value, some_text(chance)], {value[:50]: value}, {"k": [{"x": value}]}])
        _put(record, path, value, flat=chance.random() < 0.4)
    if chance.random() < 0.1:
        record[chance.choice(NAMES)] = 1
    return _json(chance, record, _mode(chance))


def _put(record: dict[str, Any], path: str, value: Any, *, flat: bool) -> None:
    way = [] if flat else path.split(".")[:-1]
    for step in way:
        inner = record.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        record = inner
    record[path if flat else path.split(".")[-1]] = value


def _tsv(chance: random.Random) -> bytes:
    cells = []
    for at in range(chance.choice([1, 2, 3, 4])):
        text = some_text(chance)
        mode = chance.choice(["", "", "a", "o", "s"])
        once = chance.randrange(len(text)) if text and mode == "o" else -1
        cell = "".join(
            "".join(f"\\x{b:02x}" for b in _bytes(c))
            if c in "\t\n\r" or i == once or (mode == "a" and ord(c) > 127) or (at == 0 and c == ",")
            else ("\\\\" if c == "\\" and mode == "s" else c)
            for i, c in enumerate(text)
        )
        cells.append(cell)
    return _bytes("\t".join(cells)).lstrip(b"#")


def _csv(chance: random.Random, columns: list[str]) -> bytes:
    cells = []
    for column in [*columns, "more"][: chance.choice([1, 3, 3, 4])]:
        text = some_text(chance)
        if column == "AdditionalFields" and chance.random() < 0.7:
            text = _json(chance, {"k": text, "l": [some_text(chance)]}, _mode(chance))
        if chance.random() < 0.7 or any(c in '",\n' for c in text):
            text = '"' + text.replace('"', '""') + '"'
        cells.append(text)
    return _bytes(",".join(cells))
