"""The cookie, the way back, and who may have sent a form: as browsers and as those who imitate them."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import pytest
from ada_url import URL
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.errors import Forbidden
from indicia.web.session import COOKIE, check_origin, drop_cookie, is_secure, keep_cookie, local_path

BASE = "https://indicia.example/sign-in"


def request(headers: Mapping[str, str], *, scheme: str = "https", host: str = "indicia.example") -> Request:
    sent = {"host": host} | {name.lower(): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": scheme,
        "path": "/",
        "query_string": b"",
        "server": ("127.0.0.1", 8484),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    return Request(scope)


# -- the cookie -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [False, True])
def test_the_cookie_is_for_this_host_alone_and_for_no_script(drop: bool) -> None:
    reply = Response()
    drop_cookie(reply) if drop else keep_cookie(reply, "token")
    header = reply.headers["set-cookie"]
    [morsel] = SimpleCookie(header).values()
    assert morsel.key == COOKIE == "__Host-indicia"
    assert morsel["secure"]
    assert morsel["httponly"]
    assert morsel["path"] == "/"
    assert morsel["samesite"].lower() == "lax"
    assert "domain" not in header.lower()
    assert (morsel["max-age"] == "0") is drop, "kept until the browser is closed"


# -- the way back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/", "/indicators", "/indicators?q=type:ip%20action:block&tab=ips", "/changes/12", "/a%2F%2Fb", "/import/x#y"],
)
def test_somebody_comes_back_to_a_path_of_ours(path: str) -> None:
    assert local_path(path) == path


ELSEWHERE = [
    "",
    "indicators",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "/é",
    "/\0",
    "/x\r\nSet-Cookie: a=b",
    "/" + "x" * 10_000,
    "/sign-in",
    "/sign-in?next=/sign-in",
    "/sign-out",
    "/welcome/token",
    "/assets/x",
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_nobody_is_sent_elsewhere(text: str) -> None:
    assert local_path(text) == "/"


@given(st.text(alphabet=st.sampled_from("/\\:?#@.%abetx \t\r\n\x00\u2044"), max_size=20) | st.text(max_size=30))
def test_whatever_somebody_writes_a_browser_stays_here(text: str) -> None:
    way = local_path(text)
    assert URL(way, base=BASE).hostname == "indicia.example"
    assert urlsplit(urljoin(BASE, way)).netloc == "indicia.example"
    assert way.isprintable()


# -- who sent it ------------------------------------------------------------------------------------------------------

OURS = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {"Origin": "https://indicia.example"},
    {"Origin": "https://INDICIA.example"},
]
THEIRS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://indicia.example"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "Same-Origin "},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "https://indicia.example.evil.example"},
    {"Origin": "https://indicia.example:8443"},
    {"Origin": "https://["},
]


@pytest.mark.parametrize("headers", OURS)
def test_a_page_of_ours_may_send_forms(headers: Mapping[str, str]) -> None:
    check_origin(request(headers))


@pytest.mark.parametrize("headers", THEIRS)
def test_a_page_of_others_may_not(headers: Mapping[str, str]) -> None:
    with pytest.raises(Forbidden):
        check_origin(request(headers))


# -- where a session can be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme, host, headers, secure",
    [
        ("https", "indicia.example", {}, True),
        ("http", "indicia.example", {}, False),
        ("http", "192.0.2.7:8484", {}, False),
        ("http", "localhost.evil.example", {}, False),
        ("http", "indicia.example", {"Sec-Fetch-Site": "none"}, True),  # a proxy of which we know nothing speaks TLS
        ("http", "localhost:8484", {}, True),
        ("http", "127.0.0.1:8484", {}, True),
        ("http", "[::1]:8484", {}, True),
        ("http", "a.localhost:8484", {}, True),
    ],
)
def test_a_browser_keeps_the_cookie_by_https_or_on_its_own_machine(
    scheme: str, host: str, headers: Mapping[str, str], secure: bool
) -> None:
    assert is_secure(request(headers, scheme=scheme, host=host)) is secure
