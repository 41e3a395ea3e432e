"""Public indicator lists through the real import: nothing crashes, and every record is accounted for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from indicia.services.changesets import undo, verify_chain
from indicia.services.indicators import Wanted, count_indicators
from tests.engines.converters import FEEDS, Feed, patterns
from tests.engines.running import ACTOR, NOW, Result, new_database, run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "real-data.md"
Unpacked = Callable[[Feed], Path]

ALL_OF_MALTRAIL = "maltrail"  # 1.85 million records take minutes: only where INDICIA_ALL_TRAILS says so
OTHERS = [name for name in FEEDS if name != ALL_OF_MALTRAIL]
SMALL = [
    *("ESET, MISP events", "Unit 42, STIX 2.0", "Volexity", "Amnesty, text", "Amnesty, STIX 2.1"),
    "Block List Project, hosts",
    *("ESET, hash lists", "ESET, reports"),
]


def imported(name: str, unpacked: Unpacked, folder: Path) -> Result:
    with new_database(folder) as database:
        return run(FEEDS[name], unpacked(FEEDS[name]), database)


def check(result: Result) -> None:
    outcomes = ("created", "updated", "unchanged", "refused", "held")
    assert sum(map(result.count, outcomes)) == result.records, "every record has exactly one outcome"
    assert result.count("updated") == 0, "nothing was stored before"
    assert len(result.heard.values) == result.count("created") + result.count("held"), "each is stored once"
    assert sum(result.heard.refusals.values()) == result.count("refused"), "every refusal has a reason"
    assert sum(result.heard.held.values()) == result.count("held")
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert result.row() in rows, "counts have changed: look at why, then `python -m tools.real_data_report`"


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_every_record_is_accounted_for(name: str, unpacked: Unpacked, tmp_path: Path) -> None:
    result = imported(name, unpacked, tmp_path)
    check(result)
    if name == "ipsum":  # its lowest level names every address, one a line
        listed = (unpacked(FEEDS[name]) / "levels" / "1.txt").read_text(encoding="utf-8").split()
        assert result.heard.values == {("IpAddress", address) for address in listed}


@pytest.mark.slow
@pytest.mark.skipif("INDICIA_ALL_TRAILS" not in os.environ, reason="takes minutes: INDICIA_ALL_TRAILS=1 runs it")
def test_every_trail_of_maltrail_is_accounted_for(unpacked: Unpacked, tmp_path: Path) -> None:
    check(imported(ALL_OF_MALTRAIL, unpacked, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_list_that_comes_again_changes_nothing_and_can_be_taken_back(
    name: str, unpacked: Unpacked, tmp_path: Path
) -> None:
    root = unpacked(FEEDS[name])
    with new_database(tmp_path) as database:
        first = run(FEEDS[name], root, database)
        again = run(FEEDS[name], root, database)
        assert again.count("created") == again.count("held") == 0
        # The second of two contradicting rows is refused the first time; the second time it says the same again.
        assert again.count("refused") == first.count("refused")
        assert again.report.changeset is None, "nothing was new, so there is no changeset"
        stored = first.count("created") + first.count("held")
        assert count_indicators(database, Wanted(), actor=ACTOR, now=NOW) == stored
        assert first.report.changeset is not None
        assert undo(database, first.report.changeset, actor=ACTOR, now=NOW).deleted == stored
        assert count_indicators(database, Wanted(), actor=ACTOR, now=NOW) == 0
        assert verify_chain(database)[1] == []


@pytest.mark.slow
def test_four_forms_of_one_list_are_one_set(unpacked: Unpacked, tmp_path: Path) -> None:
    """The publisher wrote each list as plain text, AdGuard, dnsmasq and hosts: whoever reads them has to agree."""
    forms = ("plain", "AdGuard", "dnsmasq", "hosts")
    kept = {form: imported(f"Block List Project, {form}", unpacked, tmp_path / form).heard.values for form in forms}
    assert len(kept["plain"]) > 11_000
    assert kept["AdGuard"] == kept["plain"]
    assert kept["dnsmasq"] == kept["plain"]
    # Its crypto list as hosts is two weeks younger than the other forms.
    assert {value for _kind, value in kept["hosts"] ^ kept["plain"]} == LATER_NAMES


LATER_NAMES = {"adiri.tel", "tokenist.com"}


@pytest.mark.slow
def test_the_patterns_of_amnesty_are_as_many_as_its_indicators(unpacked: Unpacked) -> None:
    files = sorted(unpacked(FEEDS["Amnesty, STIX 2.1"]).rglob("*.stix2"))
    assert sum(1 for path in files for _ in patterns(json.loads(path.read_bytes()))) == 4_272
