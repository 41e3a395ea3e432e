"""Which sensor reads a file, by its content."""

from __future__ import annotations

import pytest

from indicia.sensors import recognise

HEADS = {
    "zeek-tsv": [
        b"#separator \\x09\n#set_separator\t,\n#path\tdns\n",
        b"\xef\xbb\xbf#fields\tts\tuid\n",
        b"\n#separator \\x09\r\n",
    ],
    "zeek-json": [
        b'{"_path":"known_hosts","_write_ts":"2018-03-24T17:15:20.605656Z","host":"10.0.0.1"}\n',
        b'{"ts":1588205199.8,"uid":"Cvf4","id.orig_h":"10.0.1.6"}\n',
        b'{"ts":1588205199.8,"id":{"orig_h":"10.0.1.6"}}\n',
        b'{"@stream":"conn","ts":1588205199.8,"id_orig_h":"10.0.1.6"}\n',
    ],
    "eve": [
        b'{"timestamp":"2018-03-24T14:37:19.037299-0600","event_type":"alert","src_ip":"192.0.2.1"}\n',
        b'[\n  {\n    "timestamp": "2018-03-24T14:37:19.037299-0600",\n    "event_type": "alert"\n  },\n  {\n',
    ],
    "windows": [
        b'{"@timestamp":"2021-03-14T01:39:32.609Z","winlog":{"event_id":3},"ecs":{"version":"1.8"}}\n',
        b'{"EventID":3,"Channel":"Microsoft-Windows-Sysmon/Operational","Hostname":"a"}\n',
        b'{"Event":{"System":{"EventID":3},"EventData":{}}}\n',
        b'{"System":{"EventID":3},"EventData":{}}\n',
        b'{"@timestamp":"2019-01-01T00:00:00Z","computer_name":"a","event_data":{},"event_id":1}\n',
        b'{"_source":{"winlog":{"event_id":3}}}\n',
    ],
    "defender-json": [
        b'{"Timestamp":"2024-01-01T00:00:00.1234567Z","DeviceId":"a","ActionType":"b"}\n',
        b'{"Schema":[{"Name":"Timestamp"}],"Results":[{"Timestamp":"2024-01-01T00:00:00Z","DeviceName":"a","SHA1":"b"}]}',
        b'{"time":"2024-01-01T00:00:00Z","category":"AdvancedHunting-DeviceEvents","properties":{"DeviceId":"a"}}\n',
    ],
    "defender-csv": [
        b"Timestamp,DeviceId,DeviceName,ActionType,SHA1\n2024-01-01T00:00:00Z,a,b,c,d\n",
        b'"Event Time","Machine Id","Computer Name","Action Type"\n',
        b"\xef\xbb\xbfTimestamp;DeviceName;RemoteUrl\r\n",
    ],
    "ecs": [
        b'{"@timestamp":"2024-01-01T00:00:00Z","ecs":{"version":"8.0"}}\n',
        b'{"@timestamp":"2024-01-01T00:00:00Z","destination.ip":"192.0.2.1"}\n',
        b'{"@timestamp":"2024-01-01T00:00:00Z","source":{"ip":"192.0.2.1"}}\n',
        b'{"_index":"a","_source":{"@timestamp":"2024-01-01T00:00:00Z","ecs.version":"8.0"}}\n',
    ],
    "csv": [b"time,src,dst,host\n1,2,3,4\n", b"time;src\n1;2\n3;4\n", b"time\tsrc\n"],
    "json": [b'{"a":1}\n', b'torn"}\n{"a":1}\n'[6:], b'{"ts":1,"b":2}\n'],
    "text": [
        b"",
        b"\n\n",
        b"Mar  1 10:00:00 host sshd[1]: hello\n",
        b"evil.example,other.example\n192.0.2.1,x\n",
        b"Hello, world\nthis is text\nand more, of it, here\nline\nline\n",
        b"[2024-01-01 00:00:00] INFO a\n",
        b"{not json\n",
        b"\xff\xfe\x00\n",
        b"# a comment\nevil.example\n",
        b"{" * 70_000,
    ],
}


@pytest.mark.parametrize("name, head", [(name, head) for name, heads in HEADS.items() for head in heads])
def test_a_file_is_recognised_by_its_content(name: str, head: bytes) -> None:
    assert recognise(head).name == name


def test_a_torn_first_line_is_no_hindrance() -> None:
    assert recognise(b'rest of a record"}\n{"event_type":"dns","timestamp":"2024"}\n').name == "text"
    assert recognise(b'{"torn":"\n{"event_type":"dns","timestamp":"2024"}\n').name == "eve"


def test_each_file_has_a_sensor_of_its_own() -> None:
    head = b"#fields\ta\n"
    assert recognise(head) is not recognise(head)
