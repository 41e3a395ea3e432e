"""Names with all parents and URLs with all candidates: ours in batches, against a Python set over what Ada spells."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import ada_url
import numpy as np
import pyarrow as pa

from bench import made_up_indicators
from bench.engine import NAME, URL, Setup, build, kernel, say
from bench.made_up_indicators import Indicators
from bench.report import Row, paired, rounds, seconds, spread, table

INDICATORS, PROBES = 3_000_000, 500_000
LIMIT = 5.0
ADA, BARE = "Ada + set", "set, spelled canonically already"


def measure(setup: Setup) -> list[str]:
    """Measure both; all have to find the same rows."""
    count = min(INDICATORS, setup.rows)
    indicators = made_up_indicators.make(count)
    probes = min(PROBES, count)
    work = {
        NAME: (_names(indicators, probes), _name_peers(set(indicators.names))),
        URL: (_urls(indicators, probes), _url_peers({url.partition("://")[2] for url in indicators.urls})),
    }
    snapshot = None
    if kernel() is not None:
        built = build(setup.folder / f"mixed-{count}.snapshot", indicators.rows())
        snapshot = kernel().Snapshot.open(str(built.path))
    rows = []
    for kind, (values, peers) in work.items():
        rows += _compare(kind, values, peers, snapshot, setup.runs)
    lines = [
        f"### Names with parents, URLs with all candidates, {count:,} mixed indicators, one thread, ns each",
        "",
        f"{probes:,} of each, 1 % of them hits. Candidates of a URL: itself and each shorter path by whole segments,",
        "with and without a slash at the end, for either scheme; the peer leaves the scheme out of its set, so that it",
        "asks half as often.",
        "",
    ]
    return [*lines, *table(rows)]


Peer = Callable[[list[str]], int]


def _compare(kind: int, values: list[str], peers: dict[str, Peer], snapshot: Any, runs: int) -> list[Row]:
    array, count = pa.array(values), len(values)
    found = {name: peer(values) for name, peer in peers.items()}
    work: dict[str, Callable[[], float]] = {
        name: lambda peer=peer: seconds(lambda: peer(values)) / count for name, peer in peers.items()
    }
    if snapshot is not None:
        found["ours"] = len(np.unique(np.asarray(snapshot.match_many(kind, array)[0])))
        work["ours"] = lambda: seconds(lambda: snapshot.match_many(kind, array)) / count
        work["ours, list"] = lambda: seconds(lambda: snapshot.match_many(kind, values)) / count
    assert len(set(found.values())) == 1, found
    figures = rounds(work, runs)
    title = "name with parents" if kind == NAME else "URL with candidates"
    say(f"  {title}:", {name: spread(each, 1e-9, 0) for name, each in figures.items()})
    return [
        Row(
            f"{title}, {'Arrow' if mine == 'ours' else 'list of str'}",
            spread(figures.get(mine, []), 1e-9, 0),
            f"{spread(figures[peer], 1e-9, 0)} {peer}",
            paired(figures, peer, mine),
            LIMIT if peer == ADA and mine == "ours" else None,
        )
        for mine, peer in (("ours", ADA), ("ours, list", ADA), ("ours", BARE))
    ]


def _names(indicators: Indicators, count: int) -> list[str]:
    """Return distinct names of two to five labels."""
    dice = random.Random(41)
    leads = ("", "www.", "cdn1.", "api.eu-west-1.", "mail.")
    return [
        f"x{number:x}.{dice.choice(indicators.names)}"
        if number % 100 == 0
        else f"{dice.choice(leads)}ok{number:x}-{made_up_indicators.name(dice)}"
        for number in range(count)
    ]


def _urls(indicators: Indicators, count: int) -> list[str]:
    """Return distinct URLs: most of sites that nobody knows, some of known sites, some below known folders."""
    dice = random.Random(42)
    folders = [url for url in indicators.urls if url.endswith("/")]
    found = []
    for number in range(count):
        if number % 100 == 0:
            found.append(f"{dice.choice(folders)}{number:x}/b.js?v=1")
        elif number % 100 == 1:
            site = dice.choice(indicators.urls).split("/", 3)[2]
            found.append(f"http://{site}/ok/{number:x}/index.html")
        else:
            made = made_up_indicators.url(dice)
            is_address = made.split("/")[2].replace(".", "").isdigit()
            found.append(f"{made}&{number:x}" if is_address else made.replace("://", f"://ok{number:x}-", 1))
    return found


def _name_peers(known: set[str]) -> dict[str, Peer]:
    def look_up(name: str) -> bool:
        while name:
            if name in known:
                return True
            name = name.partition(".")[2]
        return False

    def with_ada(values: list[str]) -> int:
        spell = ada_url.normalize_url
        return sum(look_up(spell("http://" + name)[7:-1]) for name in values)

    return {ADA: with_ada, BARE: lambda values: sum(map(look_up, values))}


def _url_peers(known: set[str]) -> dict[str, Peer]:
    def look_up(url: str) -> bool:
        found = url.partition("://")[2]
        if found in known:
            return True
        found = found.partition("?")[0]
        at = len(found)
        while at >= 0:
            if found[: at + 1] in known or found[:at] in known:
                return True
            at = found.rfind("/", 0, at)
        return False

    def with_ada(values: list[str]) -> int:
        # One call that spells the whole, then slices: three times as fast as a URL object and its parts.
        spell = ada_url.normalize_url
        return sum(look_up(spell(url)) for url in values)

    return {ADA: with_ada, BARE: lambda values: sum(map(look_up, values))}
