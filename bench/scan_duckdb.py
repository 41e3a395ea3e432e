"""Peer of the scan: DuckDB's read_json with explicit columns, then joins of each field that can hold an observable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.made_up_indicators import Indicators

_ZEEK_COLUMNS = "'id.orig_h': 'VARCHAR', 'id.resp_h': 'VARCHAR'"
_EVE = (
    "src_ip: 'VARCHAR', dest_ip: 'VARCHAR', dns: 'STRUCT(rrname VARCHAR)', "
    "fileinfo: 'STRUCT(sha256 VARCHAR, sha1 VARCHAR, md5 VARCHAR)'"
)
_DATA = '"Hashes" VARCHAR, "SourceIp" VARCHAR, "DestinationIp" VARCHAR, "QueryName" VARCHAR, "QueryResults" VARCHAR'
#: What is read of each line: nothing but the fields that are joined.
_COLUMNS = {
    "zeek-conn": _ZEEK_COLUMNS,
    "zeek-dns": f"{_ZEEK_COLUMNS}, query: 'VARCHAR', answers: 'VARCHAR[]'",
    "zeek-http": f"{_ZEEK_COLUMNS}, host: 'VARCHAR', uri: 'VARCHAR'",
    "eve": f"{_EVE}, http: 'STRUCT(hostname VARCHAR, url VARCHAR)', tls: 'STRUCT(sni VARCHAR, fingerprint VARCHAR)'",
    "sysmon": f"winlog: 'STRUCT(event_data STRUCT({_DATA}))'",
}
_COLUMNS_TEXTS = {
    "zeek-http": f"{_COLUMNS['zeek-http']}, referrer: 'VARCHAR', user_agent: 'VARCHAR'",
    "eve": (
        f"{_EVE}, http: 'STRUCT(hostname VARCHAR, url VARCHAR, http_user_agent VARCHAR)', "
        "tls: 'STRUCT(sni VARCHAR, fingerprint VARCHAR, subject VARCHAR, issuerdn VARCHAR)'"
    ),
    "sysmon": (
        f'winlog: \'STRUCT(event_data STRUCT({_DATA}, "CommandLine" VARCHAR, "ParentCommandLine" VARCHAR))\', '
        "message: 'VARCHAR'"
    ),
}
#: How the columns are taken apart before they are joined, and the texts put together.
_FLAT = {
    "eve": (
        "src_ip, dest_ip, dns.rrname AS query, http.hostname AS host, http.url AS uri, tls.sni AS sni, "
        "replace(tls.fingerprint, ':', '') AS thumbprint, fileinfo.sha256 AS sha256, fileinfo.sha1 AS sha1, "
        "fileinfo.md5 AS md5"
    ),
    "sysmon": "unnest(winlog.event_data)",
}
_TEXTS = {
    "zeek-http": "concat_ws(' ', referrer, user_agent)",
    "eve": "concat_ws(' ', http.http_user_agent, tls.subject, tls.issuerdn)",
    "sysmon": 'concat_ws(\' \', message, winlog.event_data."CommandLine", winlog.event_data."ParentCommandLine")',
}
_TOKENS = (
    r"https?://[^\s\"''<>]+|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+|[0-9A-Fa-f]{32,64}"
    r"|[0-9A-Fa-f]*:[0-9A-Fa-f:]+:[0-9A-Fa-f.:]*"
)
_ZEEK = ('"id.orig_h"', '"id.resp_h"')
#: By shape, the fields that hold addresses, names, hashes.
_ADDRESSES = {"zeek-conn": _ZEEK, "zeek-dns": _ZEEK, "zeek-http": _ZEEK, "eve": ("src_ip", "dest_ip")}
_ADDRESSES["sysmon"] = '"SourceIp"', '"DestinationIp"'
_NAMES = {"zeek-dns": ("query",), "zeek-http": ("host",), "eve": ("query", "host", "sni"), "sysmon": ('"QueryName"',)}
_HASHES = {"eve": ("sha256", "sha1", "md5", "thumbprint")}
_URLS = ("zeek-http", "eve")
#: By shape, the list in a field: of addresses and names, of hashes.
_LISTS = {
    "zeek-dns": "answers",
    "sysmon": "list_transform(string_split(\"QueryResults\", ';'), lambda x: ltrim(x, ':f'))",
}
_HASH_LISTS = {
    "sysmon": "list_transform(string_split(lower(\"Hashes\"), ','), lambda x: split_part(x, '=', 2))",
}


def open_known(indicators: Indicators) -> Any:
    """Return a connection with one thread and the indicators in tables of its own."""
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_progress_bar = false")
    kinds = {"addresses": indicators.addresses, "names": indicators.names}
    kinds["hashes"] = [*indicators.sha256, *indicators.sha1, *indicators.md5]
    for name, values in kinds.items():
        connection.register("values_", pa.table({"v": values}))
        connection.execute(f"CREATE TABLE {name} AS SELECT v FROM values_")
    connection.register("values_", pa.table({"url": [url.partition("://")[2] for url in indicators.urls]}))
    connection.execute(
        "CREATE TABLE urls AS "
        "SELECT split_part(url, '/', 1) AS site, substr(url, strpos(url, '/')) AS path FROM values_"
    )
    return connection


def statements(shape: str, path: Path, *, texts: bool) -> tuple[list[str], str]:
    """Return what reads the fields of a file, and what counts the lines that hold anything that is known."""
    shape = shape.removesuffix("-escaped")
    texts = texts and shape in _TEXTS
    columns = (_COLUMNS | _COLUMNS_TEXTS if texts else _COLUMNS)[shape]
    flat = _FLAT.get(shape, "*") + (f", {_TEXTS[shape]} AS text_" if texts else "")
    source = f"read_json('{path}', format = 'newline_delimited', columns = {{{columns}}})"
    read = [f"CREATE OR REPLACE TEMP TABLE lines AS SELECT {flat} FROM {source}"]
    found = [_joined(field, "addresses") for field in _ADDRESSES[shape]]
    found += [_joined(field, "hashes") for field in _HASHES.get(shape, ())]
    found += [_named("lines", field) for field in _NAMES.get(shape, ())]
    if shape in _LISTS:
        listed = f"(SELECT rowid AS line, unnest({_LISTS[shape]}) AS item FROM lines)"
        found.append(f"SELECT line FROM {listed} SEMI JOIN addresses ON v = item")
        if shape == "zeek-dns":
            found.append(_named(f"(SELECT line AS rowid, item FROM {listed})", "item"))
    if shape in _HASH_LISTS:
        listed = f"(SELECT rowid AS line, unnest({_HASH_LISTS[shape]}) AS item FROM lines)"
        found.append(f"SELECT line FROM {listed} SEMI JOIN hashes ON v = item")
    if shape in _URLS:
        found.append(_below("(SELECT rowid, host, uri FROM lines)"))
    if texts:
        read.append(
            "CREATE OR REPLACE TEMP TABLE tokens AS SELECT line, lower(token) AS token, token AS written FROM "
            f"(SELECT rowid AS line, unnest(regexp_extract_all(text_, '{_TOKENS}')) AS token FROM lines)"
        )
        found += [f"SELECT line FROM tokens SEMI JOIN {kind} ON v = token" for kind in ("addresses", "hashes")]
        found.append(_named("(SELECT line AS rowid, token FROM tokens)", "token"))
        urls = "split_part(written, '://', 2) AS url FROM tokens WHERE starts_with(token, 'http')"
        sites = f"(SELECT line AS rowid, split_part(url, '/', 1) AS host, url FROM (SELECT line, {urls}))"
        found.append(_below(f"(SELECT rowid, host, substr(url, length(host) + 1) AS uri FROM {sites})"))
        found.append(_named(sites, "host"))
    return read, f"SELECT count(DISTINCT line) FROM ({' UNION ALL '.join(found)})"


def _below(source: str) -> str:
    """Return what finds the lines whose URL is known or lies below a known one: the site is joined, then compared."""
    return (
        f"SELECT l.rowid AS line FROM {source} l JOIN urls u ON u.site = l.host WHERE l.uri = u.path OR "
        "(starts_with(split_part(l.uri, '?', 1) || '/', u.path) AND (u.path[-1] = '/' "
        "OR split_part(l.uri, '?', 1)[length(u.path) + 1] IN ('', '/')))"
    )


def _joined(field: str, table: str) -> str:
    return f"SELECT rowid AS line FROM lines SEMI JOIN {table} ON v = {field}"


def _named(source: str, field: str) -> str:
    """Return what finds lines whose *field* is a known name or below one: each distinct name is split once."""
    return (
        f"SELECT rowid AS line FROM {source} SEMI JOIN ("
        f"SELECT name FROM (SELECT name, unnest(list_transform(range(1, len(parts) + 1), "
        f"lambda i: array_to_string(parts[i:], '.'))) AS above FROM "
        f"(SELECT name, string_split(name, '.') AS parts FROM (SELECT DISTINCT {field} AS name FROM {source}))) "
        f"SEMI JOIN names ON v = above) AS bad ON bad.name = {field}"
    )


def with_duckdb(indicators: Indicators, *, texts: bool) -> Callable[[str, Path], int]:
    """Return what counts the hits of a file with DuckDB, in texts too or in fields of one observable only."""
    connection = open_known(indicators)

    def count(shape: str, path: Path) -> int:
        read, query = statements(shape, path, texts=texts)
        for each in read:
            connection.execute(each).fetchall()
        return int(connection.execute(query).fetchall()[0][0])

    return count
