"""Searches at random: terms that mean something, and whatever else somebody may type."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from indicia.domain.search_qualifiers import QUALIFIERS, SORTS

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
GROUPS = ("Servers", "servers", "it's", "100%", "Ungrouped")
#: What may follow each qualifier.
VALUES = {
    "type": ["ip", "domain", "file", "sha256", "cert", "Url", "IpRange"],
    "action": ["block", "Allow", "warn", "BlockAndRemediate"],
    "severity": ["high", ">=medium", "<high", "info", "<=low", ">informational"],
    "category": ["none", "malware", '"command and control"', "Initial-Access"],
    "is": ["held", "active", "expiring"],
    "has": ["alert", "expiry", "scope", "technique", "category", "external"],
    "expires": ["never", "<7d", ">300d", "2024-02", "2024-02-29", ">=2024-02-29", "2024-02..2024-12", "today", "2024"],
    "created": ["<7d", ">1d", "2024-02-29", "<=2024-02-29", "2024-03..2025-01", "1y", "yesterday"],
    "updated": ["<7d", ">1d", "2024-02-29", ">2024-02-29", "2024-01..2024-02", "12h"],
    "title": ["a", '"a b"', "100%", "_", "İ", "ß", "\\", '"it""s"'],
    "description": ["a", "AB", '"a b"', "日", "%"],
    "value": ["evil", "EXAMPLE", "1.2.3", "%b"],
    "in": ["1.0.0.0/8", "1.2.3.4", "1.2.2.0/23", "0.0.0.0/1", "10.0.0.0/8", "2001:db8::/32", "1.2.3.0/24", "8.0.0.0/5"],
    "scope": ["all", "Servers", '"it\'s"', "100%"],
    "technique": ["T1059", "t1059.001"],
    "source": ["portal", "api", "feed", "cli"],
    "by": ["a", "it's", "100%", "ä"],
    "app": ["a", "ab", '"a b"'],
    "external": ["a", "ba", "1"],
    "id": ["5", ">100", "<=17", "1"],
}
WORDS = ["a", "AB", '"a b"', "evil.example", "EVIL[.]example", "1.2.3.4", "hxxp://evil.example", "%", "a" * 64, "İ"]


@st.composite
def _qualified(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(VALUES)))
    values = draw(st.lists(st.sampled_from(VALUES[name]), min_size=1, max_size=3))
    return f"{name}:{','.join(values)}"


_terms = st.one_of(_qualified(), _qualified(), st.sampled_from(WORDS))
_signed = st.one_of(_terms, _terms, _terms.map("-{}".format), _terms.map("not {}".format))


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=2, max_size=3)
    return several.map(" ".join) | several.map(" or ".join) | inner.map("({})".format) | inner.map("-({})".format)


#: Texts that can be read.
SEARCHES = st.recursive(_signed, _joined, max_leaves=4)
SORTED = st.one_of(
    SEARCHES, st.builds("{} sort:{}{}".format, SEARCHES, st.sampled_from(["", "-"]), st.sampled_from(sorted(SORTS)))
)
_pieces = st.one_of(
    SORTED,
    st.text('-():,"<>=. \t\nabäß日\0/[]@#%_', max_size=6),
    st.text(max_size=8),
    st.sampled_from([f"{name}:" for name in QUALIFIERS]),
    st.sampled_from(
        ["typ:ip", "sort:", "sort:x", "in:300.0.0.0/8", "expires:9999-12", "created:99999y", "id:" + "9" * 30]
    ),
)
#: Texts of which many cannot.
ANYTHING = st.lists(_pieces, max_size=4).map(" ".join) | st.lists(_pieces, max_size=4).map("".join)
