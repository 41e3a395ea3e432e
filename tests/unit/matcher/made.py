"""Indicators and things seen that are close to each other, so that much of it matches."""

from __future__ import annotations

from hypothesis import strategies as st

from indicia.domain.observable import Observable, ObservableType, canonical

HASH_LENGTHS = {
    ObservableType.FILE_SHA256: 64,
    ObservableType.FILE_SHA1: 40,
    ObservableType.FILE_MD5: 32,
    ObservableType.CERTIFICATE_THUMBPRINT: 40,
}
LABELS = st.sampled_from(["a", "b", "evil", "www", "x-1", "_dmarc", "xn--bcher-kva", "e" * 63, "a1", "0"])
LAST = st.sampled_from(["example", "com", "co", "xn--p1ai", "e2"])
NAMES = st.builds(lambda labels, last: ".".join([*labels, last]), st.lists(LABELS, max_size=4), LAST).filter(
    lambda name: len(name) <= 253
)
V4 = st.one_of(
    st.sampled_from(["10.1.2.3", "10.1.2.4", "10.1.3.0", "203.0.113.7", "0.0.0.0", "255.255.255.255"]),
    st.ip_addresses(v=4).map(str),
)
V6 = st.one_of(
    st.sampled_from(["2001:db8::1", "2001:db8::", "::1", "::", "fe80::1:2", "2001:db8:1:2:3:4:5:6", "1::2:0:0:0"]),
    st.ip_addresses(v=6).map(str),
)
ADDRESSES = st.one_of(V4, V6).map(lambda text: canonical(ObservableType.IP_ADDRESS, text))
SEGMENTS = st.lists(st.sampled_from(["a", "b", "A", "%41", "", "x.y", "login.php", "~"]), max_size=5)


@st.composite
def networks(draw: st.DrawFn) -> str:
    address = draw(ADDRESSES)
    bits = draw(st.integers(0, 128 if ":" in address else 32))
    return canonical(ObservableType.IP_RANGE, f"{address}/{bits}")


@st.composite
def urls(draw: st.DrawFn) -> str:
    host = draw(st.one_of(NAMES, ADDRESSES.map(lambda a: f"[{a}]" if ":" in a else a)))
    port = draw(st.sampled_from(["", "", "", ":80", ":443", ":8080"]))
    query = draw(st.sampled_from(["", "", "?", "?q=1", "?a=/b?c"]))
    path = "/".join(draw(SEGMENTS))
    return canonical(ObservableType.URL, f"{draw(st.sampled_from(['http', 'https']))}://{host}{port}/{path}{query}")


def _digests(length: int) -> st.SearchStrategy[str]:
    return st.one_of(
        st.sampled_from(["0" * length, "ab" * (length // 2), "f" * length]),
        st.binary(min_size=length // 2, max_size=length // 2).map(bytes.hex),
    )


VALUES: dict[ObservableType, st.SearchStrategy[str]] = {
    **{kind: _digests(length) for kind, length in HASH_LENGTHS.items()},
    ObservableType.IP_ADDRESS: ADDRESSES,
    ObservableType.IP_RANGE: networks(),
    ObservableType.DOMAIN_NAME: NAMES,
    ObservableType.URL: urls(),
}
OBSERVABLES = st.one_of(*[values.map(lambda v, k=kind: Observable(k, v)) for kind, values in VALUES.items()])
