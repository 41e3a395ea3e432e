"""What public clients of Defender's API do, as they do it: SPEC 10, item by item."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.wire.doors import ORIGIN, SCOPE, Door, error_of, indicator, open_door

SHA256 = "a" * 64


# -- 1. token ---------------------------------------------------------------------------------------------------------


def test_a_client_of_version_1_gets_strings(door: Door) -> None:
    made = door.credentials
    reply = door.http.post(
        f"/{made.tenant_id}/oauth2/token",
        data={
            "resource": "https://api.securitycenter.windows.com",
            "client_id": made.client_id,
            "client_secret": made.client_secret,
            "grant_type": "client_credentials",
        },
    )
    body = reply.json()
    assert reply.status_code == 200
    assert all(isinstance(value, str) for value in body.values())
    assert (body["token_type"], body["expires_in"]) == ("Bearer", "3599")
    assert int(body["expires_on"]) - int(body["not_before"]) == 3599
    assert body["resource"] == "https://api.securitycenter.windows.com"
    assert door.http.get("/api/indicators", headers=bearer(body["access_token"])).status_code == 200


def test_a_client_of_version_2_gets_numbers(door: Door) -> None:
    made = door.credentials
    form = (
        f"grant_type=client_credentials&client_id={made.client_id}&client_secret={made.client_secret}"
        f"&scope={quote(SCOPE, safe='')}&something=else"
    )
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}):
        reply = door.http.post(f"/{made.tenant_id}/oauth2/v2.0/token", content=form, headers=headers)
        body = reply.json()
        assert reply.status_code == 200
        assert set(body) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
        assert (body["token_type"], body["expires_in"], body["ext_expires_in"]) == ("Bearer", 3599, 3599)
        assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["oauth2/token", "oauth2/v2.0/token", "OAuth2/V2.0/Token/"])
@pytest.mark.parametrize("where", ["body", "query", "basic"])
def test_a_token_by_get_and_by_basic_authentication(door: Door, path: str, where: str) -> None:
    made = door.credentials
    fields = {"grant_type": "client_credentials", "scope": SCOPE}
    secrets = {"client_id": made.client_id, "client_secret": made.client_secret}
    url = f"/{made.tenant_id}/{path}"
    if where == "basic":
        pair = base64.b64encode(f"{made.client_id}:{made.client_secret}".encode()).decode()
        reply = door.http.request("GET", url, data=fields, headers={"Authorization": f"Basic {pair}"})
    elif where == "body":
        reply = door.http.request("GET", url, data=fields | secrets)
    else:
        reply = door.http.get(url, params=fields | secrets)
    assert reply.status_code == 200
    assert made.client_secret not in door.log.getvalue()
    assert reply.json()["access_token"] not in door.log.getvalue()


def test_the_token_is_a_jwt_with_the_claims_that_clients_read(door: Door) -> None:
    claims = json.loads(base64.urlsafe_b64decode(door.token().split(".")[1] + "=="))
    assert claims["appid"] == door.credentials.client_id
    assert claims["aud"] == "https://api.securitycenter.microsoft.com"
    assert claims["tid"] == door.tenant
    assert claims["roles"] == ["Ti.ReadWrite.All"]
    assert claims["exp"] - claims["iat"] == 3599
    assert {"iss", "nbf", "sub", "oid", "ver"} <= set(claims)


def test_discovery_leads_to_the_endpoint_and_to_the_key(door: Door) -> None:
    found = door.http.get(f"/{door.tenant}/v2.0/.well-known/openid-configuration").json()
    assert found["token_endpoint"] == f"{ORIGIN}/{door.tenant}/oauth2/v2.0/token"
    keys = door.http.get(found["jwks_uri"]).json()["keys"]
    assert [set(key) for key in keys] == [{"kty", "n", "e", "kid", "use", "alg"}]
    header = json.loads(base64.urlsafe_b64decode(door.token().split(".")[0] + "=="))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": keys[0]["kid"]}


# -- 2. paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/indicators",
        "/api/indicators/",
        "/api/indicators?",
        "/api/indicators/?$top=5",
        "/api/v1.0/indicators",
        "/API/V1.0/Indicators/",
        "//api//indicators",
    ],
)
def test_spellings_of_the_list(door: Door, path: str) -> None:
    door.submitted()
    reply = door.http.request("GET", f"{ORIGIN}{path}", headers=door.headers | {"Content-Type": "application/json"})
    assert reply.status_code == 200
    assert [each["indicatorValue"] for each in reply.json()["value"]] == ["evil.example"]


@pytest.mark.parametrize("name", ["BatchDelete", "batchDelete", "batchdelete", "BATCHDELETE/"])
def test_spellings_of_batch_delete(door: Door, name: str) -> None:
    made = door.submitted()
    assert door.post(f"/api/indicators/{name}", {"indicatorids": [made["id"]]}).status_code == 204


@pytest.mark.parametrize("name", ["import", "Import", "batchUpdate", "batchupdate", "BatchUpdate"])
@pytest.mark.parametrize("key", ["Indicators", "indicators", "INDICATORS"])
def test_spellings_of_import(door: Door, name: str, key: str) -> None:
    reply = door.post(f"/api/indicators/{name}", {key: [indicator()]})
    assert reply.status_code == 200
    assert reply.json()["value"][0]["isFailed"] is False


def test_names_of_properties_match_in_any_case(door: Door) -> None:
    body = {name.upper(): value for name, value in indicator().items()}
    assert door.post("/api/indicators", body).json()["indicatorValue"] == "evil.example"


# -- 3. submit --------------------------------------------------------------------------------------------------------


def test_a_submission_answers_200_with_the_whole_entity_for_create_and_update(door: Door) -> None:
    for title in ("first", "second"):
        reply = door.post("/api/indicators", indicator(title=title))
        assert reply.status_code == 200
        assert reply.headers["content-type"] == (
            "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
        )
        assert reply.headers["odata-version"] == "4.0"
        body = reply.json()
        assert next(iter(body)) == "@odata.context"
        assert body["@odata.context"] == f"{ORIGIN}/api/$metadata#Indicators/$entity"
        assert (body["id"], body["title"]) == ("1", title)
    assert body["lastUpdatedBy"] == door.credentials.client_id


def test_a_body_as_clients_send_it(door: Door) -> None:
    body = door.submitted(
        id="77",
        createdBy="somebody",
        creationTimeDateTimeUtc="2020-01-01T00:00:00Z",
        severity=None,
        application=None,
        recommendedActions=None,
        rbacGroupNames=None,
        rbacGroupIds=[],
        mitreTechniques=[],
        generateAlert="True",
        category="Malware",
        somethingElse={"a": [1]},
        expirationTime="9999-12-31T23:59:59.9999999Z",
    )
    assert body["id"] == "1"
    assert body["createdBy"] == door.credentials.client_id
    assert body["generateAlert"] is True
    assert body["category"] == 12
    assert body["severity"] == "Informational"
    assert body["expirationTime"] == "9999-12-31T23:59:59Z"
    assert "somethingElse" not in body


@pytest.mark.parametrize(
    "given, kept",
    [
        ("2035-01-01T00:00:00Z", "2035-01-01T00:00:00Z"),
        ("2035-01-01T00:00:00.0Z", "2035-01-01T00:00:00Z"),
        ("2035-01-01T02:00:00.9999999+02:00", "2035-01-01T00:00:00Z"),
        (None, None),
        ("", None),
    ],
)
def test_dates_as_clients_write_them(door: Door, given: str | None, kept: str | None) -> None:
    assert door.submitted(expirationTime=given)["expirationTime"] == kept


@pytest.mark.parametrize("category, kept", [(None, 1), (1, 1), ("1", 1), ("None", 1), ("Malware", 12), (12, 12)])
def test_categories_by_name_and_by_number(door: Door, category: object, kept: int) -> None:
    assert door.submitted(category=category)["category"] == kept


@pytest.mark.parametrize("legacy, action", [("Alert", "Audit"), ("AlertAndBlock", "BlockAndRemediate")])
def test_actions_of_the_past(door: Door, legacy: str, action: str) -> None:
    body = door.submitted(indicatorType="FileSha256", indicatorValue=SHA256, action=legacy)
    assert (body["action"], body["generateAlert"]) == (action, True)
    assert door.values(f"$filter=action+eq+'{legacy}'") == [SHA256]


# -- 4. import --------------------------------------------------------------------------------------------------------


def test_an_import_answers_each_item_in_order_and_no_bad_one_fails_the_batch(door: Door) -> None:
    items = [
        indicator(indicatorValue="One.Example"),
        indicator(indicatorValue="not a name"),
        "nonsense",
        indicator(indicatorValue="two.example", action="Blok"),
        indicator(indicatorValue="three.example", id="5", unknown=1),
        indicator(indicatorValue="four.example", expirationTime="2001-01-01T00:00:00Z"),
    ]
    reply = door.post("/api/indicators/import", {"Indicators": items})
    rows = reply.json()["value"]
    assert reply.status_code == 200
    assert [set(row) for row in rows] == [{"id", "indicator", "isFailed", "failureReason"}] * len(items)
    assert [row["isFailed"] for row in rows] == [False, True, True, True, False, True]
    assert [row["indicator"] for row in rows] == [
        "One.Example",
        "not a name",
        None,
        "two.example",
        "three.example",
        "four.example",
    ]
    assert [row["id"] for row in rows] == ["1", None, None, None, "2", None]
    assert rows[0]["failureReason"] is None
    assert "Block" in rows[3]["failureReason"]
    assert rows[2]["failureReason"] == "the item is not a JSON object"


@pytest.mark.parametrize("count, status", [(0, 400), (1, 200), (500, 200), (501, 400)])
def test_the_size_of_an_import(door: Door, count: int, status: int) -> None:
    items = [indicator(indicatorValue=f"h{number}.example") for number in range(count)]
    reply = door.post("/api/indicators/import", {"Indicators": items})
    assert reply.status_code == status
    if status == 200:
        assert [row["id"] for row in reply.json()["value"]] == [str(number + 1) for number in range(count)]
    elif count:
        error = error_of(reply)
        assert error["code"] == "MaximumBatchSizeExceeded"
        assert "Received: 501, allowed: 500" in error["message"]


def test_an_import_with_one_identity_twice_answers_both_items(door: Door) -> None:
    items = [indicator(title="first"), indicator(indicatorValue="EVIL.example", title="second")]
    rows = door.post("/api/indicators/import", {"Indicators": items}).json()["value"]
    assert [(row["id"], row["indicator"]) for row in rows] == [("1", "evil.example"), ("1", "EVIL.example")]
    assert door.get("/api/indicators/1").json()["title"] == "second"


# -- 5. delete and get ------------------------------------------------------------------------------------------------


def test_deleting_answers_204_and_nothing_else(door: Door) -> None:
    ids = [door.submitted(indicatorValue=f"h{number}.example")["id"] for number in range(3)]
    replies = [
        door.delete(f"/api/indicators/{ids[0]}", headers=door.headers | {"Content-Type": "application/json"}),
        door.post("/api/indicators/BatchDelete", {"IndicatorIds": [ids[1], int(ids[2])]}),
    ]
    for reply in replies:
        assert reply.status_code == 204
        assert reply.content == b""
        assert "content-type" not in reply.headers
    assert door.values() == []
    assert error_of(door.delete("/api/indicators/1"))["code"] == "ResourceNotFound"


def test_batch_delete_is_all_or_nothing(door: Door) -> None:
    kept = door.submitted()["id"]
    reply = door.post("/api/indicators/BatchDelete", {"IndicatorIds": [kept, "998", "999"]})
    assert reply.status_code == 404
    assert "998, 999" in error_of(reply)["message"]
    assert door.values() == ["evil.example"]


@pytest.mark.parametrize(
    "ids", [[], ["x"], [None], [1.5], [True], ["-1"], ["٣"], ["1"] * 501, "1", None, ["9" * 19], [{}]]
)
def test_batch_delete_refuses_what_are_no_ids(door: Door, ids: object) -> None:
    door.submitted()
    reply = door.post("/api/indicators/BatchDelete", {"IndicatorIds": ids})
    assert reply.status_code == 400
    error_of(reply)
    assert door.values() == ["evil.example"]


def test_one_indicator_comes_bare(door: Door) -> None:
    made = door.submitted()
    reply = door.get(f"/api/indicators/{made['id']}")
    assert reply.status_code == 200
    assert reply.json() == {name: value for name, value in made.items() if name != "@odata.context"}
    for unknown in ("2", "x", "9" * 30, "-1", "%00"):
        assert door.get(f"/api/indicators/{unknown}").status_code == 404


# -- 6. list ----------------------------------------------------------------------------------------------------------


def test_pages_lead_on_with_the_same_question_on_the_origin_of_the_client(door: Door) -> None:
    items = [indicator(indicatorValue=f"h{number}.example", severity="High") for number in range(7)]
    door.post("/api/indicators/import", {"Indicators": [*items, indicator(indicatorValue="other.example")]})
    url: str | None = "/api/indicators?$top=3&filter=severity eq 'High'&$orderby="
    seen: list[str] = []
    pages = 0
    while url is not None and pages < 10:
        pages += 1
        reply = door.get(str(url)).json()
        assert reply["@odata.context"] == f"{ORIGIN}/api/$metadata#Indicators"
        seen += [each["indicatorValue"] for each in reply["value"]]
        url = reply.get("@odata.nextLink")
        assert url is None or url.startswith(f"{ORIGIN}/api/indicators?")
    assert pages == 3
    assert seen == [f"h{number}.example" for number in range(7)]


def test_pages_in_an_order_of_the_client(door: Door) -> None:
    for number in (3, 1, 2):
        door.submitted(indicatorValue=f"h{number}.example", title=f"t{number}")
    reply = door.get("/api/indicators?$orderby=title desc&$top=2").json()
    assert [each["title"] for each in reply["value"]] == ["t3", "t2"]
    rest = door.get(reply["@odata.nextLink"]).json()
    assert [each["title"] for each in rest["value"]] == ["t1"]
    assert "@odata.nextLink" not in rest


def test_what_is_deleted_between_two_pages_hides_no_other(door: Door) -> None:
    ids = [door.submitted(indicatorValue=f"h{number}.example")["id"] for number in range(4)]
    first = door.get("/api/indicators?$top=2").json()
    door.delete(f"/api/indicators/{ids[0]}")
    rest = door.get(first["@odata.nextLink"]).json()
    assert [each["id"] for each in rest["value"]] == ids[2:]


def test_top_skip_and_count(door: Door) -> None:
    for number in range(5):
        door.submitted(indicatorValue=f"h{number}.example")
    assert door.values("$top=2&$skip=3") == ["h3.example", "h4.example"]
    assert door.values("top=1&skip=1") == ["h1.example"]
    assert door.values("$skip=99") == []
    body = door.get("/api/indicators?$count=true&$top=0").json()
    assert (body["@odata.count"], body["value"]) == (5, [])
    assert "@odata.nextLink" not in body
    assert "@odata.count" not in door.get("/api/indicators?$count=false").json()
    reply = door.get("/api/indicators/$count?$filter=indicatorValue eq 'h1.example'")
    assert (reply.status_code, reply.text) == (200, "1")
    assert reply.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query",
    ["$top=10001", "$top=-1", "$top=x", "$skip=-1", "$skip=1e3", "$count=maybe", "$top=1&top=2", "$skiptoken=x"],
)
def test_options_that_make_no_sense(door: Door, query: str) -> None:
    reply = door.get(f"/api/indicators?{query}")
    assert reply.status_code == 400
    assert error_of(reply)["code"] == "ODataError"


def test_other_parameters_are_ignored(door: Door) -> None:
    door.submitted()
    assert door.values("$expand=evidence&api-version=1&$select=id&x") == ["evil.example"]


# -- 7. filter --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, found",
    [
        ("$filter=indicatorValue eq 'a.example'", "a"),
        ("$filter=indicatorValue+eq+'a.example'", "a"),
        ("$filter=indicatorValue%20eq%20%27a.example%27", "a"),
        ("%24filter=indicatorValue%20eq%20'A.Example'", "a"),
        ("filter=indicatorValue eq 'a.example'", "a"),
        ("$Filter=IndicatorValue EQ 'a.example'", "a"),
        ("$filter=indicatorValue ne 'a.example'", "b"),
        ("$filter=title eq 'it''s a'", "a"),
        ("$filter=indicatorValue in ('a.example','x')", "a"),
        ("$filter=indicatorValue in ['a.example','b.example']", "ab"),
        ("$filter=contains(title,'is') or startswith(title,'it')", "ab"),
        ("$filter=endswith(title,'b')", "b"),
        ("$filter=not (severity eq 'High')", "b"),
        ("$filter=(severity eq 'High' and action eq 'Block') and generateAlert eq false", "a"),
        ("$filter=creationTimeDateTimeUtc gt 2018-08-01Z", "ab"),
        ("$filter=creationTimeDateTimeUtc le 2018-08-01T00:00:00Z", ""),
        ("$filter=expirationTime eq null", "ab"),
        ("$filter=", "ab"),
    ],
)
def test_filters_as_clients_write_them(door: Door, query: str, found: str) -> None:
    door.submitted(indicatorValue="a.example", title="it's a", severity="High")
    door.submitted(indicatorValue="b.example", title="this is b")
    assert door.values(query) == [f"{name}.example" for name in found]


def test_a_filter_by_the_caller(door: Door) -> None:
    door.submitted()
    assert door.values(f"$filter=createdBy eq '{door.credentials.client_id}'") == ["evil.example"]


@pytest.mark.parametrize(
    "text, position, token",
    [
        ("severity eq", 11, "''"),
        ("bogus eq 1", 0, "'bogus'"),
        ("title eq 'a", 9, '"\'a"'),
        ("title like 'a'", 6, "'like'"),
    ],
)
def test_a_bad_filter_names_position_and_token(door: Door, text: str, position: int, token: str) -> None:
    reply = door.get("/api/indicators", params={"$filter": text})
    error = error_of(reply)
    assert (reply.status_code, error["code"]) == (400, "ODataError")
    assert f"position {position}" in error["message"]
    assert token in error["message"]
    assert error_of(door.get("/api/indicators/$count", params={"filter": text}))["code"] == "ODataError"


# -- 8. round trip ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, value",
    [
        ("DomainName", "EVIL.Example."),
        ("IpAddress", "2001:4860:4860:0:0:0:0:8889"),
        ("Url", "HTTP://Evil.Example:80/a/../b?c#d"),
        ("FileSha256", "ABCDEF0123" * 6 + "ABCD"),
        ("FileSha1", "b" * 40),
        ("FileMd5", "C" * 32),
        ("CertificateThumbprint", "d" * 40),
    ],
)
def test_values_come_back_as_they_were_sent(door: Door, kind: str, value: str) -> None:
    made = door.submitted(indicatorType=kind, indicatorValue=value, externalId="Ext-ID é'\"")
    for entity in (
        made,
        door.get(f"/api/indicators/{made['id']}").json(),
        door.get("/api/indicators").json()["value"][0],
    ):
        assert entity["indicatorValue"] == value
        assert entity["externalId"] == "Ext-ID é'\""


def test_device_groups_by_name_and_by_number(door: Door) -> None:
    servers, laptops = door.group("Servers"), door.group("Laptops")
    both = {"rbacGroupNames": ["Servers", "Laptops"], "rbacGroupIds": [str(servers), str(laptops)]}
    for given in (
        both,
        {"rbacGroupNames": ["Servers", "Laptops"]},
        {"rbacGroupNames": "Servers, Laptops"},
        {"rbacGroupIds": [servers, str(laptops)]},
        {"RbacGroupIds": f"{servers},{laptops}", "rbacGroupNames": None},
        {"rbacGroupNames": ["Servers"], "rbacGroupIds": [laptops]},
    ):
        body = door.submitted(**given)
        assert {name: body[name] for name in both} == both
    assert door.values("$filter=rbacGroupNames/any(g: g eq 'Servers')") == ["evil.example"]
    for given in ({"rbacGroupNames": ["Nobody"]}, {"rbacGroupIds": [99]}, {"rbacGroupIds": {"a": 1}}):
        reply = door.post("/api/indicators", indicator(**given))
        assert (reply.status_code, error_of(reply)["code"]) == (400, "InvalidInput")


def test_every_documented_key_is_there_in_the_order_of_a_live_reply(door: Door) -> None:
    door.submitted()
    keys = list(door.get("/api/indicators").json()["value"][0])
    assert keys[:31] == [
        *("id", "indicatorValue", "indicatorType", "action", "createdBy", "severity", "category", "application"),
        *("educateUrl", "bypassDurationHours", "title", "description", "recommendedActions"),
        *("creationTimeDateTimeUtc", "expirationTime", "lastUpdateTime", "lastUpdatedBy", "rbacGroupNames"),
        *("rbacGroupIds", "notificationId", "notificationBody", "version", "mitreTechniques"),
        *("historicalDetection", "lookBackPeriod", "generateAlert", "additionalInfo", "createdByDisplayName"),
        *("externalId", "createdBySource", "certificateInfo"),
    ]


# -- 9. errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"indicatorType": "FileSha256", "indicatorValue": "xyz"}, "InvalidHashValue"),
        ({"indicatorType": "CertificateThumbprint", "indicatorValue": "xyz"}, "InvalidHashValue"),
        ({"indicatorValue": "not a name"}, "InvalidDomainName"),
        ({"indicatorType": "IpAddress", "indicatorValue": "1.2.3.4/24"}, "InvalidIpAddress"),
        ({"indicatorType": "Url", "indicatorValue": "ftp://evil.example"}, "InvalidUrl"),
        ({"indicatorType": "IpRange", "indicatorValue": "1.2.3.0/24"}, "InvalidInput"),
        ({"title": None}, "MissingRequiredParameter"),
        ({"indicatorValue": " "}, "MissingRequiredParameter"),
        ({"expirationTime": "2001-01-01T00:00:00Z"}, "InvalidInput"),
        ({"expirationTime": "soon"}, "InvalidInput"),
        ({"action": "BlockAndRemediate"}, "InvalidInput"),
        ({"action": "Audit"}, "InvalidInput"),
        ({"title": "a\x00b"}, "InvalidInput"),
        ({"title": 5}, "InvalidInput"),
        ({"generateAlert": "perhaps"}, "InvalidInput"),
        ({"category": "Suspicious Activity"}, "InvalidInput"),
    ],
)
def test_codes_of_what_is_wrong_with_an_indicator(door: Door, changes: dict[str, object], code: str) -> None:
    reply = door.post("/api/indicators", indicator(**changes))
    error = error_of(reply)
    assert (reply.status_code, error["code"]) == (400, code)
    assert error["target"] == reply.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"nonsense", b"[]", b"5", b"null", b'"text"', b"\xff", b'{"a":NaN}', b'{"a":"\\ud800"}'),
        *(b"[" * 50_000, b'{"a":' * 40 + b"1" + b"}" * 40, b'{"id":' + b"9" * 5000 + b"}"),
    ],
)
@pytest.mark.parametrize("path", ["", "/import", "/BatchDelete"])
def test_bodies_that_are_no_json_object(door: Door, body: bytes, path: str) -> None:
    reply = door.http.post(f"/api/indicators{path}", content=body, headers=door.headers)
    assert (reply.status_code, error_of(reply)["code"]) == (400, "InvalidRequestBody")


def test_a_byte_order_mark_and_numbers_without_end_do_no_harm(door: Door) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(indicator(x="{[" * 99)).encode()[:-1] + b',"id":' + b"9" * 50 + b"}"
    assert door.http.post("/api/indicators", content=body, headers=door.headers).status_code == 200


def test_what_http_refuses_has_the_same_shape(door: Door, tmp_path: Path) -> None:
    for reply, status, code in (
        (door.http.get("/api/indicators"), 401, "Unauthorized"),
        (door.get("/api/indicators", headers=bearer("x.y.z")), 401, "Unauthorized"),
        (door.get("/api/nothing"), 404, "ResourceNotFound"),
        (door.http.put("/api/indicators", headers=door.headers), 405, "MethodNotAllowed"),
        (door.delete("/api/indicators/5"), 404, "ResourceNotFound"),
    ):
        assert (reply.status_code, error_of(reply)["code"]) == (status, code)
        if status == 401:
            assert reply.headers["www-authenticate"].startswith("Bearer ")
    (tmp_path / "small").mkdir()
    with open_door(tmp_path / "small", max_body_bytes=2000) as small:
        for headers in ({}, {"Transfer-Encoding": "chunked"}):
            content = iter([b" " * 1500] * 2) if headers else b" " * 3000
            reply = small.http.post("/api/indicators", content=content, headers=small.headers)
            assert (reply.status_code, error_of(reply)["code"]) == (413, "RequestEntityTooLarge")


# -- 10. connection tests ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?$top=1", "?$expand=evidence"])
def test_what_vendors_call_to_test_a_connection(door: Door, query: str) -> None:
    number = door.group("Servers")
    for name in ("alerts", "incidents", "machines"):
        body = door.get(f"/api/{name}{query}").json()
        assert body == {"@odata.context": f"{ORIGIN}/api/$metadata#{name.capitalize()}", "value": []}
        assert door.http.get(f"/api/{name}{query}").status_code == 401
    assert door.get(f"/api/exposureScore{query}").json()["score"] == 0
    [row] = door.get(f"/api/exposurescore/bymachinegroups{query}").json()["value"]
    assert (row["rbacGroupName"], row["rbacGroupId"], row["score"]) == ("Servers", number, 0)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
