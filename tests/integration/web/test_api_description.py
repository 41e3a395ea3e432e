"""Our own API is as it is described: the OpenAPI document, the pages under /docs, the codes of problems."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import integers
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from indicia.domain.access import Role
from indicia.domain.guard import GuardReason
from indicia.web import problem_codes
from tests.integration.web.test_api_imports import GOOD, send
from tests.integration.web.test_api_indicators import create
from tests.integration.web.two_people import person
from tests.wire.doors import Door, indicator

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "src" / "indicia").rglob("*.py"))
KEBAB = re.compile(r"[a-z]+(?:-[a-z]+)*")
MAKERS = frozenset({"Problem", "_problem", "_warning", "Unspellable", "Fault", "Refusal"})


# -- codes ------------------------------------------------------------------------------------------------------------


def codes_in_the_source() -> Iterator[str]:
    """Yield every code that the source spells out, or makes of parts."""
    for file in SOURCES:
        if file.parts[-2] == "web" and file.name.startswith("defender"):
            continue  # the compat API has codes of its own, Defender's
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                maker = getattr(node.func, "id", getattr(node.func, "attr", ""))
                place = 1 if maker == "Refusal" or (maker == "Fault" and file.parent.name == "web") else 0
                if maker in MAKERS and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    code = node.args[place].value  # type: ignore[attr-defined]  # looked at in the line above
                    if isinstance(code, str) and KEBAB.fullmatch(code):
                        yield code
    yield from (f"invalid-{name}" for name in ("type", "action", "severity", "category"))
    documented = re.search(r"The codes are (.*?)\.", GuardReason.__doc__ or "", re.DOTALL)
    assert documented is not None
    yield from (f"held-{code}" for code in re.findall(r"[a-z]+(?:-[a-z]+)*", documented[1].replace(" and ", " ")))


def test_every_code_is_explained() -> None:
    explained = problem_codes.REPLIES.keys() | problem_codes.ENTRIES.keys()
    assert not set(codes_in_the_source()) - explained, "say in web/problem_codes.py what it means and what to do"
    assert not problem_codes.REPLIES.keys() & problem_codes.ENTRIES.keys(), "one anchor a code"
    assert list(problem_codes.ENTRIES) == sorted(problem_codes.ENTRIES)
    assert list(problem_codes.REPLIES) == sorted(problem_codes.REPLIES)


def test_the_reference_of_problems_is_up_to_date() -> None:
    file = ROOT / "docs" / "reference" / "problems.md"
    made = problem_codes.as_markdown()
    assert file.read_text("utf-8") == made, "run `python -m tools.problems > docs/reference/problems.md`"


# -- pages ------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page links to, loads and names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        assert not [name for name in found if name.startswith("on") or name == "style"]
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if tag == "a" else []
        self.loads += [found["href"] or ""] if tag == "link" else []
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", ["/docs", "/docs/problems"])
def test_pages_need_nothing_from_elsewhere_and_no_script(door: Door, path: str) -> None:
    reply = door.http.get(path)
    page = Page(reply.text)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert page.loads == ["/docs/docs.css"]
    assert door.http.get("/docs/docs.css").headers["content-type"].startswith("text/css")
    assert not page.tags & {"script", "img", "style", "iframe", "form", "object"}
    assert not page.open
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert link.startswith("/")
            assert door.http.get(link).status_code == 200


def test_every_type_of_a_problem_leads_to_its_explanation(door: Door) -> None:
    page = Page(door.http.get("/docs/problems").text)
    assert set(page.ids) == problem_codes.REPLIES.keys() | problem_codes.ENTRIES.keys()


def test_the_page_shows_every_operation(door: Door) -> None:
    text = door.http.get("/docs").text
    for path in door.get("/openapi.json").json()["paths"]:
        assert path in text


# -- the document -----------------------------------------------------------------------------------------------------


OPERATIONS = 52
STREAMS = ("application/json", "application/x-ndjson")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1"):
                yield path, method, operation


def test_the_document_says_of_each_operation_what_it_answers(door: Door) -> None:
    document = door.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    found = list(operations(document))
    assert len(found) == OPERATIONS
    for path, method, operation in found:
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert {"400", "401", "403", "503"} <= operation["responses"].keys(), where
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            if int(status) >= 400:
                assert content == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
                }, where
            elif status not in ("204", "304"):
                assert any(kind in content for kind in STREAMS), where
                assert all(each["schema"] for each in content.values()), where
        parameters = {each["name"] for each in operation.get("parameters", [])}
        assert ("428" in operation["responses"]) == ("If-Match" in parameters), where
        if "requestBody" in operation:
            assert all("example" in content for content in operation["requestBody"]["content"].values()), where


def administrator(door: Door) -> None:
    """Let *door* be spoken to by somebody who may do everything, and has keys of their own."""
    door.headers = person(door, "Root", Role.ADMINISTRATOR)


def made_for(door: Door, path: str, number: int) -> dict[str, str]:
    """Make what an operation on *path* is about; return what its parts `{…}` stand for, and the plan of a proposal."""
    match path.split("/")[2]:
        case "proposals":  # somebody else proposed it, if it is not to be withdrawn
            who = door.headers if path.endswith("withdraw") else door.as_client("Ti.ReadWrite.All")
            body = indicator(indicatorValue=f"{number}.example")
            made = door.post("/v1/indicators?propose=true", body, headers=who).json()
            return {"id": made["id"], "plan": made["plan"]}
        case "devices":
            return {"id": door.post("/v1/devices", {"name": f"pc-{number}"}).json()["machineId"]}
        case "groups":
            return {"name": door.post("/v1/groups", {"name": f"Group {number}"}).json()["name"]}
        case "keys":
            return {"key_id": door.post("/v1/keys", {"name": f"key {number}"}).json()["id"]}
        case "clients":
            body = {"name": f"client {number}", "permissions": ["Ti.Read.All"]}
            return {"client_id": door.post("/v1/clients", body).json()["clientId"]}
        case "people":
            return {"id": door.post("/v1/people", {"name": f"person {number}"}).json()["id"]}
        case part:
            made = create(door, indicatorValue="com" if path.endswith("release") else f"{number}.example")
            return {"id": str(made["changeset" if part == "changesets" else "id"])}


def test_the_examples_of_the_document_work(door: Door) -> None:
    administrator(door)
    tried = 0
    for path, method, operation in operations(door.get("/openapi.json").json()):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            target = made_for(door, path, tried)
            query = {"dryRun": "true"} if path == "/v1/imports" else {}
            if kind == "text/plain":
                query |= {"action": "Block", "title": "t", "description": "d"}
            example = content["example"]
            if "plan" in target and "plan" in example:
                example = example | {"plan": target["plan"]}  # a digest that was shown, not known beforehand
            body = example if isinstance(example, str) else orjson.dumps(example)
            headers = door.headers | {"Content-Type": kind, "If-Match": "*"}
            if method == "put" and "indicators" in path:  # that of the example was created by the one of POST
                door.post("/v1/indicators/delete", {"filter": f"indicatorValue eq '{example['indicatorValue']}'"})
            address = re.sub(r"\{(\w+)\}", lambda name, known=target: known[name[1]], path)
            reply = door.http.request(method, address, params=query, headers=headers, content=body)
            assert reply.status_code in (200, 201), (method, address, reply.text)
            answers = reply.content.splitlines() if "ndjson" in reply.headers["content-type"] else [reply.content]
            for answer in map(orjson.loads, answers):
                assert answer.get("applicable", True), reply.text
                assert "problem" not in answer, reply.text
                assert not answer.get("refused"), reply.text
            tried += 1
    assert tried == 29


# -- schemathesis -----------------------------------------------------------------------------------------------------


EXAMPLES = 10
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


def try_operation(door: Door, operation: Any, mode: GenerationMode, known: dict[str, str], examples: int) -> None:
    """Send what the document says of *operation*, or what it forbids, and look at the answers."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), number=integers(0, 9))
    def try_it(case: Any, number: int) -> None:
        for name in case.path_parameters or {}:
            if number < 7:  # else nearly all would lead nowhere
                case.path_parameters[name] = known.get(operation.path.split("/")[2], str(number))
        case.validate_response(case.call(headers=door.headers), checks=CHECKS)

    with suppress(Unsatisfiable):  # an operation without anything that could be sent wrongly
        try_it()


@pytest.mark.slow
def test_whatever_the_document_allows_gets_a_documented_answer(door: Door) -> None:
    """Whatever it does not allow, too: half of what is sent is wrong on purpose."""
    administrator(door)
    for n in range(5):
        create(door, indicatorValue="com" if n == 1 else f"{n}.example")
    known = {"imports": send(door, GOOD, "dryRun=true").json()["id"]}
    for part in ("devices", "groups", "keys", "clients", "people", "proposals"):
        [known[part]] = [value for name, value in made_for(door, f"/v1/{part}", 9).items() if name != "plan"]
    document = schemathesis.openapi.from_asgi("/openapi.json", door.http.app).include(path_regex="^/v1/")
    labels = []
    for result in document.get_all_operations():
        operation = result.ok()
        labels.append(operation.label)
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            try_operation(door, operation, mode, known, EXAMPLES)
    assert len(labels) == OPERATIONS
    assert door.get("/v1/verification").json()["intact"] is True


def test_the_reference_names_every_operation_and_parameter(door: Door) -> None:
    text = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    for path, method, operation in operations(door.get("/openapi.json").json()):
        assert f"`{method.upper()} {path}`" in text
        for parameter in operation.get("parameters", []):
            assert parameter["in"] == "path" or f"`{parameter['name']}" in text, parameter["name"]
