"""Conflict notes: who will win over whom is told when it is written, whichever way the winners are looked up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicia.domain.draft import Draft
from indicia.domain.indicator import Action, Indicator
from indicia.domain.observable import ObservableType, canonical
from indicia.domain.verdict import NetworkPrecedence
from indicia.services import indicators, writing
from indicia.services.groups import add_group
from indicia.services.verdicts import explain
from indicia.services.writing import Placed, Policy, Writing
from indicia.store.changesets import Header
from indicia.store.database import Database
from tests.integration.stores import ADMIN, BLOCK, CLIENT, EVERYTHING, NOW, OTHER, codes, guard, run_import, submit

T = ObservableType


def draft(kind: T, value: str, action: str = "Block", **more: Any) -> Draft:
    return BLOCK._replace(type=kind.value, value=value, action=action, **more)


def notes(database: Database, new: Draft, **more: Any) -> list[str]:
    """Return the codes of the notes about *new*, which both doors give alike; writes nothing."""
    (written,) = submit(database, new, dry_run=True, **more)
    report = run_import(database, [new], dry_run=True, **more)
    found = [problem.code for problem in written.problems]
    assert found == [code for _, code in codes(report, warnings=True)]
    assert report.total("conflicts") == (1 if found else 0)
    return found


WIDER = [
    (draft(T.DOMAIN_NAME, "example.org", "Allowed"), draft(T.DOMAIN_NAME, "a.b.example.org")),
    (draft(T.DOMAIN_NAME, "a.example.org", "Allowed"), draft(T.URL, "https://a.example.org:8443/x?y")),
    (draft(T.DOMAIN_NAME, "example.org", "Warn"), draft(T.URL, "http://a.example.org/x")),
    (draft(T.IP_ADDRESS, "185.220.101.7", "Allowed"), draft(T.URL, "http://185.220.101.7/x")),
    (draft(T.IP_ADDRESS, "2a00:1450::1", "Allowed"), draft(T.URL, "http://[2a00:1450:0::1]:81/x")),
    (draft(T.IP_RANGE, "185.220.101.0/24", "Allowed"), draft(T.IP_ADDRESS, "185.220.101.7")),
    (draft(T.IP_RANGE, "185.220.101.0/24", "Warn"), draft(T.IP_RANGE, "185.220.101.128/25")),
    (draft(T.IP_RANGE, "185.220.101.0/24", "Allowed"), draft(T.URL, "http://185.220.101.7/x")),
    (draft(T.IP_RANGE, "2a00:1450::/32", "Allowed"), draft(T.IP_ADDRESS, "2a00:1450::1")),
]


@pytest.mark.parametrize("precedence", NetworkPrecedence)
@pytest.mark.parametrize("wide, narrow", WIDER)
def test_notes_say_what_verdicts_will_be(
    database: Database, wide: Draft, narrow: Draft, precedence: NetworkPrecedence
) -> None:
    assert notes(database, narrow, policy=Policy(precedence=precedence)) == []
    submit(database, wide, narrow)
    given = {"actor": ADMIN, "now": NOW, "guard": guard(), "precedence": precedence}
    (found,) = explain(database, [str(narrow.value)], **given).verdicts  # type: ignore[arg-type] # of a test
    told = notes(database, narrow._replace(title="another"), policy=Policy(precedence=precedence))
    assert told == (["conflict-parent"] if found.verdict.action == wide.action else [])
    assert found.verdict.action == (wide.action if precedence is NetworkPrecedence.ACTION else narrow.action)


@pytest.mark.parametrize("wide, narrow", WIDER)
def test_a_wider_indicator_that_wins_is_told(database: Database, wide: Draft, narrow: Draft) -> None:
    submit(database, wide)
    assert notes(database, narrow) == ["conflict-parent"]
    (written,) = submit(database, narrow, dry_run=True)
    assert f"{wide.type} {wide.value} is {wide.action} (indicator 1)" in written.problems[0].message
    # What wins over nothing is not told: the narrow one does not cover the wide one.
    assert notes(database, narrow._replace(action="Audit", generate_alert=True)) == []
    assert notes(database, narrow._replace(action="Allowed")) == []


@pytest.mark.parametrize("wide, narrow", WIDER)
def test_nobody_wins_over_those_that_it_does_not_cover(database: Database, wide: Draft, narrow: Draft) -> None:
    submit(database, narrow._replace(action="Allowed"))
    assert notes(database, wide._replace(action="Block")) == []


def test_the_same_value_with_another_action_is_told_with_the_winner(database: Database) -> None:
    submit(database, draft(T.DOMAIN_NAME, "a.example.org", "Allowed"), draft(T.FILE_SHA256, "ab" * 32, "Allowed"))
    (domain, file) = submit(database, draft(T.DOMAIN_NAME, "a.example.org"), draft(T.FILE_SHA256, "ab" * 32))
    assert [problem.code for problem in (*domain.problems, *file.problems)] == ["conflict-same-value"] * 2
    assert "Allowed wins" in domain.problems[0].message
    assert "this one wins" in file.problems[0].message
    assert all(problem.warning for problem in (*domain.problems, *file.problems))


def test_scopes_that_share_no_device_do_not_conflict(database: Database) -> None:
    for name in ("Servers", "Clients"):
        add_group(database, name, None, actor=ADMIN, now=NOW)
    submit(
        database,
        draft(T.DOMAIN_NAME, "example.org", "Allowed", rbac_group_names="Servers"),
        draft(T.IP_RANGE, "185.220.101.0/24", "Allowed", rbac_group_names="Servers"),
    )
    for narrow in (
        draft(T.DOMAIN_NAME, "example.org"),
        draft(T.DOMAIN_NAME, "a.example.org"),
        draft(T.IP_ADDRESS, "185.220.101.7"),
    ):
        assert notes(database, narrow._replace(rbac_group_names="Clients")) == []
        assert len(notes(database, narrow._replace(rbac_group_names="Servers,Clients"))) == 1
        assert len(notes(database, narrow)) == 1


def test_what_has_expired_wins_over_nothing(database: Database) -> None:
    soon = NOW + timedelta(minutes=1)
    submit(
        database,
        draft(T.DOMAIN_NAME, "example.org", "Allowed", expires=soon.isoformat()),
        draft(T.IP_RANGE, "185.220.101.0/24", "Allowed", expires=soon.isoformat()),
    )
    narrow = [
        draft(T.DOMAIN_NAME, "example.org"),
        draft(T.URL, "http://a.example.org/"),
        draft(T.IP_ADDRESS, "185.220.101.7"),
    ]
    assert [len(notes(database, each)) for each in narrow] == [1, 1, 1]
    assert [len(notes(database, each, now=soon)) for each in narrow] == [0, 0, 0]


def test_a_client_that_sees_only_its_own_hears_nothing_of_others(database: Database) -> None:
    submit(database, draft(T.DOMAIN_NAME, "example.org", "Allowed"), actor=OTHER)
    assert notes(database, draft(T.DOMAIN_NAME, "example.org"), actor=CLIENT) == []
    assert notes(database, draft(T.DOMAIN_NAME, "a.example.org"), actor=CLIENT) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_an_earlier_file_of_the_import_allows_is_told(database: Database, dry_run: bool) -> None:
    first = list(dict.fromkeys(wide for wide, _ in WIDER if wide.action == "Allowed"))
    then = list(dict.fromkeys(narrow for wide, narrow in WIDER if wide.action == "Allowed"))
    report = run_import(database, first, then, dry_run=dry_run)
    assert [file.conflicts for file in report.files] == [0, len(then)]
    again = run_import(database, first, then, dry_run=True)
    assert again.files[1].conflicts == len(then)


# -- the two ways to look winners up ----------------------------------------------------------------------------------

POOL = [each for pair in WIDER for each in pair]
_some = st.lists(
    st.builds(
        lambda each, action, groups: each._replace(action=action, rbac_group_names=groups),
        st.sampled_from(POOL),
        st.sampled_from(["Allowed", "Warn", "Block"]),
        st.sampled_from([None, "Servers", "Clients"]),
    ),
    max_size=8,
)


def placed(drafts: list[Draft]) -> list[Placed]:
    found = []
    for line, each in enumerate(drafts, 2):
        kind = T(each.type)
        groups = (each.rbac_group_names,) if each.rbac_group_names else ()
        new = Indicator(
            kind, canonical(kind, each.value), each.value, Action(each.action), "t", "d", rbac_group_names=groups
        )
        found.append(Placed(line, new))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(_some, _some)
def test_winners_in_memory_and_winners_looked_up_agree(
    database: Database, before: list[Draft], batch: list[Draft]
) -> None:
    """And so they do where there are too many to keep."""
    indicators.delete_matching(database, EVERYTHING, actor=ADMIN, now=NOW)
    with database.transaction() as tx:
        store = Writing(tx, ADMIN, NOW)
        store.apply(store.plan(placed(before)))
        store.finish(Header(ADMIN, "import", NOW))
    told = []
    for few, most in ((0, 200_000), (1_000, 200_000), (0, 2)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writing, "FEW_ROWS", few)
            patch.setattr(writing, "WINNERS_IN_MEMORY", most)
            with database.snapshot() as tx:
                steps = Writing(tx, ADMIN, NOW).plan(placed(batch)).steps
            told.append([[str(note) for note in sorted(step.notes, key=str)] for step in steps])
    assert told[0] == told[1] == told[2]
