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

from indicia.domain.guard import GuardReason
from indicia.web import problem_codes
from tests.integration.web.test_api_imports import GOOD, send
from tests.integration.web.test_api_indicators import create
from tests.wire.doors import Door

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


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1"):
                yield path, method, operation


def test_the_document_says_of_each_operation_what_it_answers(door: Door) -> None:
    document = door.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    found = list(operations(document))
    assert len(found) == 22
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
                assert content["application/json"]["schema"], where
        parameters = {each["name"] for each in operation.get("parameters", [])}
        assert ("428" in operation["responses"]) == ("If-Match" in parameters), where
        if "requestBody" in operation:
            assert all("example" in content for content in operation["requestBody"]["content"].values()), where


def test_the_examples_of_the_document_work(door: Door) -> None:
    tried = 0
    for path, method, operation in operations(door.get("/openapi.json").json()):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            value = f"{tried}.example" if not path.endswith("release") else "com"
            target = create(door, indicatorValue=value)
            id = target["changeset"] if path.startswith("/v1/changesets") else target["id"]
            query = {"dryRun": "true"} if path == "/v1/imports" else {}
            if kind == "text/plain":
                query |= {"action": "Block", "title": "t", "description": "d"}
            example = content["example"]
            body = example if isinstance(example, str) else orjson.dumps(example)
            headers = door.headers | {"Content-Type": kind, "If-Match": "*"}
            if method == "put":  # the indicator of the example was created by the one of POST
                door.post("/v1/indicators/delete", {"filter": f"indicatorValue eq '{example['indicatorValue']}'"})
            address = path.replace("{id}", str(id))
            reply = door.http.request(method, address, params=query, headers=headers, content=body)
            assert reply.status_code in (200, 201), (method, address, reply.text)
            answers = reply.content.splitlines() if "ndjson" in reply.headers["content-type"] else [reply.content]
            for answer in map(orjson.loads, answers):
                assert answer.get("applicable", True), reply.text
                assert "problem" not in answer, reply.text
            tried += 1
    assert tried == 13


# -- schemathesis -----------------------------------------------------------------------------------------------------


EXAMPLES = 10
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


def try_operation(door: Door, operation: Any, mode: GenerationMode, known_id: str, examples: int) -> None:
    """Send what the document says of *operation*, or what it forbids, and look at the answers."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), number=integers(0, 9))
    def try_it(case: Any, number: int) -> None:
        if "id" in (case.path_parameters or {}) and number < 7:  # else nearly all would lead nowhere
            case.path_parameters["id"] = known_id or str(number)
        case.validate_response(case.call(headers=door.headers), checks=CHECKS)

    with suppress(Unsatisfiable):  # an operation without anything that could be sent wrongly
        try_it()


@pytest.mark.slow
def test_whatever_the_document_allows_gets_a_documented_answer(door: Door) -> None:
    """Whatever it does not allow, too: half of what is sent is wrong on purpose."""
    for n in range(5):
        create(door, indicatorValue="com" if n == 1 else f"{n}.example")
    plan = send(door, GOOD, "dryRun=true").json()
    document = schemathesis.openapi.from_asgi("/openapi.json", door.http.app).include(path_regex="^/v1/")
    labels = []
    for result in document.get_all_operations():
        operation = result.ok()
        labels.append(operation.label)
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            try_operation(door, operation, mode, plan["id"] if "imports" in operation.path else "", EXAMPLES)
    assert len(labels) == 22
    assert door.get("/v1/verification").json()["intact"] is True


def test_the_reference_names_every_operation_and_parameter(door: Door) -> None:
    text = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    for path, method, operation in operations(door.get("/openapi.json").json()):
        assert f"`{method.upper()} {path}`" in text
        for parameter in operation.get("parameters", []):
            assert parameter["in"] == "path" or f"`{parameter['name']}" in text, parameter["name"]
