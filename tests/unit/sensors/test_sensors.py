"""What holds for every sensor: any bytes are an event, none or unreadable, and the scanner sees whatever is found."""

from __future__ import annotations

import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.event import Event
from indicia.domain.observable import ObservableType
from indicia.sensors import SENSORS, Sensor, Unreadable, recognise
from indicia.sensors.collecting import Fields
from indicia.sensors.defender import DEFENDER_FIELDS
from indicia.sensors.ecs import ECS_FIELDS
from indicia.sensors.eve import EVE_FIELDS
from indicia.sensors.values import hashes, thumbprint
from indicia.sensors.windows import EVENT_DATA, RECORD_FIELDS
from indicia.sensors.zeek import ZEEK_FIELDS
from tests.unit.sensors.contract import Promise
from tests.unit.sensors.writing import single

EVERY_SENSOR = pytest.mark.parametrize("name", SENSORS)
TABLES: dict[str, Fields] = {
    "defender-json": DEFENDER_FIELDS,
    "ecs": ECS_FIELDS,
    "eve": EVE_FIELDS,
    "windows": {**RECORD_FIELDS, **EVENT_DATA},
    "zeek-json": ZEEK_FIELDS,
}
JSON_SENSORS = [name for name, sensor in SENSORS.items() if sensor.layout.json]
FILES = {
    ObservableType.FILE_MD5,
    ObservableType.FILE_SHA1,
    ObservableType.FILE_SHA256,
    ObservableType.CERTIFICATE_THUMBPRINT,
}
KEYS = sorted({key for table in TABLES.values() for key in table} | {"host", "uri", "url", "id", "AdditionalFields"})
STRUCTURE = [
    *(
        "event_type",
        "src_ip",
        "dest_ip",
        "src_port",
        "dest_port",
        "flow.src_ip",
        "http.hostname",
        "http.url",
        "http.http_port",
    ),
    *("timestamp", "ts", "_path", "@stream", "method", "mime_type", "id.resp_p", "properties", "category", "time"),
    *("winlog.event_data", "winlog.user_data", "Event.EventData", "Event.EventData.Data", "EventData", "System"),
    *(
        "Event.System.TimeCreated.#attributes.SystemTime",
        "UtcTime",
        "url.domain",
        "url.original",
        "url.port",
        "url.scheme",
    ),
]
MORE_KEYS = [
    "winlog",
    "event_data",
    "EventData",
    "Event",
    "System",
    "Data",
    "Name",
    "#text",
    "_source",
    "properties",
    "http",
]

keys = st.sampled_from(KEYS) | st.sampled_from(MORE_KEYS) | single
leaves = single | st.none() | st.booleans() | st.integers(-1, 1 << 70) | st.floats()
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=12
)
records = st.dictionaries(keys, documents, max_size=8)


def read(sensor: Sensor, record: bytes) -> Event | None:
    try:
        return sensor.event(record)
    except Unreadable as error:
        sentence = str(error)
    assert sentence.startswith("the ")
    assert "\n" not in sentence
    return None


def check(event: Event | None, record: bytes, *, json: bool) -> None:
    if event is None:
        return
    assert event.time is None or event.time.tzinfo is UTC
    assert event.device is None or 0 < len(event.device) <= 255
    promise = Promise(record, json=json)
    for subject in event.subjects:
        assert subject
        assert len({seen.observable for seen in subject}) == len(subject)
        assert len({seen.observable.type in FILES for seen in subject}) == 1
        assert [seen for seen in subject if not promise.covers(seen.observable)] == []


@EVERY_SENSOR
@given(lines=st.lists(st.binary(max_size=200), max_size=4))
def test_any_bytes(name: str, lines: list[bytes]) -> None:
    sensor = SENSORS[name]()
    sensor.header(b"a,b")
    for line in lines:
        check(read(sensor, line), line, json=False)


@EVERY_SENSOR
@given(texts=st.lists(single, max_size=6))
def test_any_text(name: str, texts: list[str]) -> None:
    sensor = SENSORS[name]()
    for text in texts:
        line = text.encode("utf-8", "surrogatepass")
        check(read(sensor, line), line, json=False)


@pytest.mark.parametrize("name", JSON_SENSORS)
@given(record=records, ascii_only=st.booleans())
def test_any_json(name: str, record: dict[str, object], ascii_only: bool) -> None:
    line = json.dumps(record, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    check(read(SENSORS[name](), line), line, json=True)


@pytest.mark.parametrize("name", JSON_SENSORS)
@pytest.mark.parametrize(
    "value", [[], {}, [[]], [{}], {"a": []}, 5, -1e300, True, None, [None, 1], "", "[", "0", [""], {"Data": [1]}]
)
def test_values_of_any_type_in_any_field(name: str, value: object) -> None:
    more = {part for key in STRUCTURE + KEYS[::20] for part in (key, key.partition(".")[0], key.rpartition(".")[0])}
    for key in sorted(more - {""}):
        nested: object = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        for record in ({key: value}, nested):
            line = json.dumps(record).encode()
            check(read(SENSORS[name](), line), line, json=True)
            assert recognise(line).name in SENSORS


@pytest.mark.parametrize("name", ["csv", "defender-csv"])
@given(columns=st.lists(keys, min_size=1, max_size=5), cells=st.lists(single, max_size=6))
def test_any_csv(name: str, columns: list[str], cells: list[str]) -> None:
    sensor = SENSORS[name]()
    header, record = (
        ",".join('"{}"'.format(cell.replace('"', '""')) for cell in row).encode("utf-8", "surrogatepass")
        for row in (columns, cells)
    )
    sensor.header(header)
    check(read(sensor, record), record, json=False)


@given(
    separator=st.sampled_from(["\\x09", "\\x2c", "\\x61", "a", "\\x2e", "", ":"]) | single,
    columns=st.lists(keys, max_size=6),
    kinds=st.lists(st.sampled_from(["string", "addr", "set[string]", "vector[addr]", "time"]), max_size=6),
    cells=st.lists(single, max_size=7),
    set_separator=st.sampled_from([",", "\\x7c", "b", "."]),
)
def test_any_zeek(separator: str, columns: list[str], kinds: list[str], cells: list[str], set_separator: str) -> None:
    sensor = SENSORS["zeek-tsv"]()
    tab = "," if separator == "\\x2c" else "\t"
    lines = [f"#separator {separator}", f"#set_separator{tab}{set_separator}", tab.join(["#fields", *columns])]
    for line in [*lines, tab.join(["#types", *kinds]), tab.join(cells)]:
        raw = line.encode("utf-8", "surrogatepass")
        check(read(sensor, raw), raw, json=False)


@given(
    head=st.binary(max_size=500)
    | st.lists(single, max_size=6).map(lambda texts: "\n".join(texts).encode("utf-8", "replace"))
)
def test_any_head_is_recognised_as_something(head: bytes) -> None:
    assert recognise(head).name in SENSORS


@pytest.mark.parametrize("name", JSON_SENSORS)
@pytest.mark.parametrize(
    "line",
    [
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'{"a":' * 900 + b'"evil.example"' + b"}" * 900,
        b'{"' + b"k" * 500_000 + b'":{' + b",".join(b'"%d":"evil.example"' % n for n in range(10_000)) + b"}}",
        b"{" + b",".join(b'"%d":"%d.evil.example"' % (n, n) for n in range(20_000)) + b"}",
    ],
    ids=["torn", "brackets", "deep", "long keys", "many names"],
)
def test_hostile_shapes_cost_little(name: str, line: bytes) -> None:
    event = read(SENSORS[name](), line)
    assert event is None or len(event.subjects) <= 10_000
    assert recognise(line).name


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_one_word_means_files_or_the_network_in_a_table(table: Fields) -> None:
    of_files = {use.subject for use in table.values() if use.read in (hashes, thumbprint)} - {None}
    of_network = {use.subject for use in table.values() if use.read not in (hashes, thumbprint, None)} - {None}
    assert of_files & of_network == set()


@pytest.mark.parametrize("name", SENSORS)
def test_a_sensor_is_called_what_it_is_asked_for_by(name: str) -> None:
    assert SENSORS[name]().name == name
    assert SENSORS[name]().event(b"") is None


@pytest.mark.parametrize("line", [b"not JSON", b"[1]", b'"a"', b"{", b"\xff{}", b'{"a":1e'])
@pytest.mark.parametrize("name", JSON_SENSORS)
def test_what_is_no_object_is_unreadable(name: str, line: bytes) -> None:
    with pytest.raises(Unreadable, match="the record is"):
        SENSORS[name]().event(line)


@pytest.mark.parametrize("name", JSON_SENSORS)
@pytest.mark.parametrize(
    "line",
    [
        b'{"x":"a.evil.example \\ud800"}',
        b'{"x":"a.evil.example \xff"}',
        b'{"x":"a.evil.example","y":NaN}',
        b'{"x":"a.evil.example\t "}',
        b'{"x":"a.evil.example","y":' + b"1" * 5000 + b"}",
        b'\xef\xbb\xbf{"x":"a.evil.example"},\r',
    ],
)
def test_json_as_real_programs_write_it_is_read(name: str, line: bytes) -> None:
    event = SENSORS[name]().event(line)
    assert event is not None
    assert [seen.observable.value for subject in event.subjects for seen in subject] == ["a.evil.example"]
