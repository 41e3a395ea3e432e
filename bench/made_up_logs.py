"""Logs as sensors write them - Zeek, Suricata, Sysmon by winlogbeat - of any length, one line in a thousand a hit."""

from __future__ import annotations

import ipaddress
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.engine import digests, hexes
from bench.made_up_indicators import Indicators, name

HIT_EVERY = 1000


class Log(NamedTuple):
    """A file that was written, of one shape."""

    path: Path
    shape: str
    size: int
    lines: int
    hits: int
    in_texts: int  # of the hits: in the middle of a text, not the whole value of a field


class _World:
    """What is seen over and over: the machines of an office, the sites that it visits, the files that it runs."""

    def __init__(self, known: Indicators) -> None:
        dice = self.dice = random.Random(7)
        self.known = known
        self.time = 1_770_000_000.0
        names = set(known.names)
        self.names = [made for made in (self._benign() for _ in range(60_000)) if not _under(made, names)]
        self.inside = [f"10.47.{dice.randrange(1, 40)}.{dice.randrange(2, 250)}" for _ in range(2000)]
        self.inside += [f"fe80::{dice.getrandbits(16) | 1:x}:{dice.getrandbits(15) * 2:x}" for _ in range(100)]
        self.outside = [_even_four(dice) for _ in range(40_000)] + [_even_six(dice) for _ in range(6_000)]
        self.files = list(
            zip(
                *(hexes(digests(seed, 20_000, width)) for seed, width in ((31, 32), (32, 20), (33, 16), (34, 16))),
                strict=True,
            )
        )
        self.hosts = [f"WS{number:04d}.corp.example.lan" for number in range(800)]

    def _benign(self) -> str:
        lead = self.dice.choice(("www.", "cdn1.", "", "api.eu-west-1.", "s3.", "mail.", "img.static.", "e12.d.akamai-"))
        return f"{lead}ok-{name(self.dice)}"

    def often(self, values: list[str]) -> str:
        """Return one of *values*, the first ones more often, as traffic is."""
        chance = self.dice.random()
        return values[int(chance * chance * chance * len(values))]

    def uid(self) -> str:
        """Return a number as Zeek gives to connections."""
        return f"C{self.dice.getrandbits(88):x}"[:18]

    def tick(self) -> float:
        """Return the time of the next record."""
        self.time += 0.0137
        return self.time

    def bad(self, values: list[str]) -> str:
        """Return an indicator's value."""
        return values[self.dice.randrange(len(values))]

    def bad_name(self) -> str:
        """Return an indicator's name, every other time one below it."""
        found = self.bad(self.known.names)
        return f"x{self.dice.getrandbits(20):x}.cdn.{found}" if self.dice.random() < 0.5 else found

    def bad_url(self) -> tuple[str, str]:
        """Return authority and the rest of a plain-http URL that is an indicator or lies below one."""
        while not (found := self.bad(self.known.urls)).startswith("http://"):
            pass
        authority, _, rest = found.removeprefix("http://").partition("/")
        return authority, f"/{rest}/next/p.js" if rest and not rest.endswith("/") and "?" not in rest else f"/{rest}"


def _even_four(dice: random.Random) -> str:
    bits = dice.getrandbits(32)
    return f"{24 + bits % 180}.{bits >> 8 & 255}.{bits >> 16 & 255}.{bits >> 24 & 254}"


def _even_six(dice: random.Random) -> str:
    return str(ipaddress.IPv6Address(0x2A00 << 112 | dice.getrandbits(48) << 64 | dice.getrandbits(40) & ~1))


def _under(made: str, names: set[str]) -> bool:
    labels = made.split(".")
    return any(".".join(labels[at:]) in names for at in range(len(labels)))


def _conn(world: _World, hit: int | None) -> str:
    dice, bits = world.dice, world.dice.getrandbits(60)
    there = world.often(world.outside)
    if hit is not None:
        there = world.bad(world.known.addresses) if hit % 3 else world.known.addresses[-1 - bits % 1000]
    return (
        f'{{"ts":{world.tick():.6f},"uid":"{world.uid()}","id.orig_h":"{world.often(world.inside)}",'
        f'"id.orig_p":{1024 + bits % 60000},"id.resp_h":"{there}","id.resp_p":{443 if bits & 3 else 80},'
        f'"proto":"tcp","service":"ssl","duration":{dice.random() * 40:.6f},"orig_bytes":{bits >> 20 & 65535},'
        f'"resp_bytes":{bits >> 12 & 1048575},"conn_state":"SF","local_orig":true,"local_resp":false,"missed_bytes":0,'
        f'"history":"ShADadtFf","orig_pkts":{bits & 63},"orig_ip_bytes":{bits >> 8 & 131071},"resp_pkts":{bits & 127},'
        f'"resp_ip_bytes":{bits >> 9 & 1048575},"community_id":"1:{bits:x}/x5aPq9+=",'
        f'"orig_l2_addr":"00:50:56:9c:2a:1f"}}'
    )


def _dns(world: _World, hit: int | None) -> str:
    bits = world.dice.getrandbits(60)
    query = world.often(world.names)
    answers = [world.often(world.outside) for _ in range(bits & 3)]
    if hit is not None and hit % 3:
        query = world.bad_name()
    elif hit is not None:
        answers = [world.bad(world.known.addresses)]
    listed = "".join(f',"{each}"' for each in answers)
    return (
        f'{{"ts":{world.tick():.6f},"uid":"{world.uid()}","id.orig_h":"{world.often(world.inside)}",'
        f'"id.orig_p":{1024 + bits % 60000},"id.resp_h":"10.47.0.2","id.resp_p":53,"proto":"udp",'
        f'"trans_id":{bits & 65535},"rtt":{world.dice.random() / 50:.6f},"query":"{query}","qclass":1,'
        f'"qclass_name":"C_INTERNET","qtype":1,"qtype_name":"A","rcode":0,"rcode_name":"NOERROR","AA":false,"TC":false,'
        f'"RD":true,"RA":true,"Z":0,"answers":["d{bits >> 40:x}.edge.ok-cdn.net"{listed}],'
        f'"TTLs":[{",".join(["60.0"] * (1 + len(answers)))}],"rejected":false}}'
    )


def _path(world: _World) -> str:
    bits = world.dice.getrandbits(60)
    return (
        f"/assets/{bits & 4095:x}/v{bits >> 20 & 7}.{bits >> 24 & 15}/main.{bits >> 30:x}.js?ver={bits % 97}.2&lang=en"
    )


def _http(world: _World, hit: int | None) -> str:
    bits = world.dice.getrandbits(60)
    host, path, referrer = world.often(world.names), _path(world), f"http://{world.often(world.names)}/start?q=a%20b"
    if hit is not None and _is_in_text("zeek-http", hit):
        referrer = f"https://{world.bad_name()}/landing/{bits:x}.html"
    elif hit is not None:
        host, path = (world.bad_name(), path) if hit % 2 else world.bad_url()
    return (
        f'{{"ts":{world.tick():.6f},"uid":"{world.uid()}","id.orig_h":"{world.often(world.inside)}",'
        f'"id.orig_p":{1024 + bits % 60000},"id.resp_h":"{world.often(world.outside)}","id.resp_p":80,"trans_depth":1,'
        f'"method":"GET","host":"{host}","uri":"{path}","referrer":"{referrer}",'
        f'"version":"1.1","user_agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 '
        f'(KHTML, like Gecko) Chrome/124.0.{bits & 4095}.88 Safari/537.36",'
        f'"request_body_len":0,"response_body_len":{bits >> 12 & 65535},'
        f'"status_code":200,"status_msg":"OK","tags":[],"resp_fuids":["F{bits:x}"],"resp_mime_types":["text/plain"]}}'
    )


_PORTS = (443, 443, 443, 53, 53, 80, 80, 443, 443, 443)


def _eve(world: _World, hit: int | None) -> str:
    bits = world.dice.getrandbits(60)
    at = f"2026-03-{1 + bits % 28:02d}T{bits % 24:02d}:{bits % 60:02d}:07.{bits % 999999:06d}+0000"
    there = world.often(world.outside)
    kind = bits % 10 if hit is None else (0, 3, 5, 5, 7, 9)[hit % 6]
    if hit is not None and kind == 0:
        there = world.bad(world.known.addresses)
    head = (
        f'{{"timestamp":"{at}","flow_id":{bits >> 4},"in_iface":"ens192","src_ip":"{world.often(world.inside)}",'
        f'"src_port":{1024 + bits % 60000},"dest_ip":"{there}","dest_port":{_PORTS[kind]},'
        f'"proto":"TCP",'
    )
    if kind < 3:
        return head + (
            f'"event_type":"flow","app_proto":"tls","flow":{{"pkts_toserver":{bits & 255},"pkts_toclient":{bits & 127},'
            f'"bytes_toserver":{bits & 65535},"bytes_toclient":{bits >> 8 & 1048575},"start":"{at}","end":"{at}",'
            f'"age":{bits & 63},"state":"closed","reason":"timeout","alerted":false}},"community_id":"1:{bits:x}="}}'
        )
    if kind < 5:
        asked = world.often(world.names) if hit is None else world.bad_name()
        return head + (
            f'"event_type":"dns","dns":{{"type":"query","id":{bits & 65535},"rrname":"{asked}","rrtype":"A","tx_id":0,'
            f'"opcode":0}},"pcap_cnt":{bits & 1048575},"community_id":"1:{bits:x}="}}'
        )
    if kind < 7:
        host, path = (world.often(world.names), _path(world)) if hit is None else world.bad_url()
        if bits >> 20 & 7 == 0:
            path = path.replace("/", "\\/")  # many a forwarder writes JSON so
        return head + (
            f'"event_type":"http","tx_id":0,"http":{{"hostname":"{host}","url":"{path}","http_user_agent":"Wget/1.21.'
            f'{bits & 7} (linux-gnu)","http_content_type":"application/javascript","http_method":"GET",'
            f'"protocol":"HTTP/1.1","status":200,"length":{bits & 65535}}},"app_proto":"http"}}'
        )
    if kind < 9:
        sni = world.often(world.names) if hit is None else world.bad_name()
        print_ = ":".join(f"{bits >> shift & 255:02x}" for shift in range(0, 40, 2))
        return head + (
            f'"event_type":"tls","tls":{{"subject":"CN=*.{world.often(world.names)}, O=Ok Ltd, C=GB","issuerdn":"C=US, '
            f'O=DigiCert Inc, CN=DigiCert TLS RSA SHA256 2020 CA1","serial":"0A:{bits & 255:02X}",'
            f'"fingerprint":"{print_}",'
            f'"sni":"{sni}","version":"TLS 1.3","ja3":{{"hash":"{world.dice.choice(world.files)[2]}"}}}}}}'
        )
    file = world.dice.choice(world.files)
    sha256 = file[0] if hit is None else world.bad(world.known.sha256)
    return head + (
        f'"event_type":"fileinfo","fileinfo":{{"filename":"\\/downloads\\/setup_{bits & 255}.msi","state":"CLOSED",'
        f'"md5":"{file[2]}","sha1":"{file[1]}","sha256":"{sha256}","stored":false,"size":{bits & 1048575}}}}}'
    )


def _is_in_text(shape: str, hit: int) -> bool:
    """Return whether the hit of this number is in the middle of a text, not the whole value of a field."""
    if shape == "zeek-http":
        return hit % 4 == 3
    return shape.startswith("sysmon") and hit % 6 == 0


def _sysmon(world: _World, hit: int | None) -> str:
    # Winlogbeat writes UTF-8; a few of its records have been through something that escapes what is not ASCII.
    return _sysmon_as(world, hit, escaped=world.dice.random() < 0.02)


def _sysmon_escaped(world: _World, hit: int | None) -> str:
    return _sysmon_as(world, hit, escaped=True)


def _sysmon_as(world: _World, hit: int | None, *, escaped: bool) -> str:
    bits = world.dice.getrandbits(60)
    kind = (1, 7, 3, 22)[bits & 3] if hit is None else (1, 3, 22)[hit % 3]
    image = (
        f"C:\\Program Files\\Vendor {bits % 300}\\bin\\{('svc', 'upd', 'host', 'agent')[bits >> 8 & 3]}{bits % 90}.exe"
    )
    data = {
        "RuleName": "-",
        "UtcTime": f"2026-03-{1 + bits % 28:02d} {bits % 24:02d}:{bits % 60:02d}:07.{bits % 999:03d}",
        "ProcessGuid": f"{{{bits & 0xFFFFFFFF:08x}-7291-5f92-2317-{bits >> 12:012x}}}",
        "ProcessId": str(bits & 65535),
        "Image": image,
        "User": f"CORP\\müller{bits % 700}" if bits >> 30 & 15 == 0 else f"CORP\\user{bits % 700}",
    }
    if kind in (1, 7):
        file = list(world.dice.choice(world.files))
        in_text = hit is not None and _is_in_text("sysmon", hit)
        if hit is not None and not in_text:
            place, values = ((0, world.known.sha256), (1, world.known.sha1), (2, world.known.md5))[hit // 6 % 3]
            file[place] = world.bad(values)
        shown = ("SHA1", file[1]), ("MD5", file[2]), ("SHA256", file[0]), ("IMPHASH", file[3])
        data["FileVersion"] = f"10.0.{bits & 32767}.1 (WinBuild.160101.0800)"
        data["Company"] = "Microsoft® Corporation"
        data["Hashes"] = ",".join(f"{label}={value.upper()}" for label, value in shown)
        data |= (
            {"ImageLoaded": "C:\\Windows\\System32\\edputil.dll", "Signed": "true", "SignatureStatus": "Valid"}
            if kind == 7
            else {
                "CommandLine": f'"{image}" --serve /p:{bits & 4095} -Path C:\\ProgramData\\cache{bits % 77}'
                + (f" -Uri https://{world.bad_name()}/{bits & 255:x}" if in_text else ""),
                "ParentImage": "C:\\Windows\\System32\\services.exe",
                "ParentCommandLine": "C:\\Windows\\System32\\services.exe",
                "IntegrityLevel": "High",
            }
        )
    elif kind == 3:
        there = world.often(world.outside) if hit is None else world.bad(world.known.addresses)
        data |= {"Protocol": "tcp", "Initiated": "true", "SourceIp": world.often(world.inside), "SourcePort": "60868"}
        data |= {"DestinationIp": there, "DestinationHostname": "-", "DestinationPort": "443"}
    else:
        data["QueryName"] = world.often(world.names) if hit is None else world.bad_name()
        data["QueryStatus"] = "0"
        data["QueryResults"] = f"type:  5 e.ok-cdn.net;::ffff:{_even_four(world.dice)};"
    record = {
        "@timestamp": f"2026-03-{1 + bits % 28:02d}T{bits % 24:02d}:{bits % 60:02d}:07.{bits % 999:03d}Z",
        "event": {"code": str(kind), "kind": "event", "provider": "Microsoft-Windows-Sysmon", "module": "sysmon"},
        "host": {"name": world.dice.choice(world.hosts), "os": {"family": "windows", "version": "10.0"}},
        "agent": {"type": "winlogbeat", "version": "8.12.2", "id": f"{bits:x}"},
        "winlog": {
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "event_id": kind,
            "provider_guid": "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",
            "event_data": data,
            "record_id": bits & 1048575,
        },
        "message": "Sysmon event:\r\n" + "\r\n".join(f"{label}: {value}" for label, value in data.items()),
    }
    return json.dumps(record, ensure_ascii=escaped, separators=(",", ":"))


SHAPES: dict[str, Callable[[_World, int | None], str]] = {
    "zeek-conn": _conn,
    "zeek-dns": _dns,
    "zeek-http": _http,
    "eve": _eve,
    "sysmon": _sysmon,
    "sysmon-escaped": _sysmon_escaped,
}
#: Written by .NET or Python, every (R) and every umlaut of it escaped: told apart, not part of the whole.
APART = "sysmon-escaped"


def write(folder: Path, known: Indicators, size: int) -> list[Log]:
    """Write a file of about *size* bytes of every shape; the same bytes for the same arguments."""
    world = _World(known)
    return [_write(folder / f"{shape}.json", shape, world, size) for shape in SHAPES]


def _write(path: Path, shape: str, world: _World, size: int) -> Log:
    line, lines, written, hits = SHAPES[shape], 0, 0, 0
    with path.open("wb") as file:
        while written < size:
            hit = lines % HIT_EVERY == HIT_EVERY // 2
            text = line(world, hits if hit else None).encode() + b"\n"
            hits += hit
            lines += 1
            written += file.write(text)
    return Log(path, shape, written, lines, hits, sum(_is_in_text(shape, number) for number in range(hits)))
