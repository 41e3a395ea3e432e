"""The pages `/docs`: the OpenAPI document and the codes of problems, for people; nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from indicia.web import problem_codes

_POLICY: Final = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HEADERS: Final = {"Content-Security-Policy": _POLICY}
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_FIRST_CALLS: Final = """\
curl -s {base}/TENANT/oauth2/v2.0/token -d grant_type=client_credentials \\
     -d client_id=CLIENT -d client_secret=SECRET -d scope={base}/.default
curl -s {base}/v1/me -H "Authorization: Bearer TOKEN\""""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def read_docs(request: Request) -> Response:
    """Every operation of the server, from its own OpenAPI document."""
    description = request.app.openapi()
    base = str(request.base_url).rstrip("/")
    return _page(str(description["info"]["title"]) + ": API", "".join(_operations_page(description, base)))


@router.get("/docs/problems")
def read_problems() -> Response:
    """What every code of a problem means."""
    return _page("Problems", "".join(_problems_page()))


@router.get("/docs/docs.css")
def read_style() -> Response:
    """How the pages look."""
    text = files("indicia.web").joinpath("static/docs.css").read_text("utf-8")
    return Response(text, headers={"Cache-Control": "max-age=3600"}, media_type="text/css")


def _page(title: str, content: str) -> Response:
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/docs/docs.css">'
    )
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head>{head}</head><body><main>{content}</main></body></html>',
        headers=_HEADERS,
    )


# -- problems ---------------------------------------------------------------------------------------------------------


def _problems_page() -> Iterator[str]:
    yield "<h1>Problems</h1>"
    yield '<p>What the codes mean, and what to do. <a href="/docs">The API</a></p>'
    for title, codes in (("Replies", problem_codes.REPLIES), ("Entries", problem_codes.ENTRIES)):
        yield f"<h2>{title}</h2>"
        for code, meaning in codes.items():
            yield f'<section><h3 id="{escape(code)}"><code>{escape(code)}</code></h3>'
            yield f"<p>{_marked(meaning)}</p></section>"


def _marked(text: str) -> str:
    """Return *text* as HTML, with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


# -- operations -------------------------------------------------------------------------------------------------------


def _operations_page(description: Mapping[str, Any], base: str) -> Iterator[str]:
    info = description["info"]
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info.get('summary', ''))}</p>"
    yield (
        '<p>The same as <a href="/openapi.json">OpenAPI 3.1</a>; what the codes of '
        '<a href="/docs/problems">problems</a> mean. Ask for a token first, with what '
        "<code>indicia app add NAME</code> printed:</p>"
    )
    yield f"<pre><code>{escape(_FIRST_CALLS.format(base=base))}</code></pre>"
    groups = _by_tag(description)
    yield "<nav aria-label='Operations'>"
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag)}</h2><ul>"
        for path, method, operation in operations:
            yield (
                f'<li><a href="#{_anchor(operation, path, method)}">{escape(_title(operation))}</a> '
                f'<span class="faint"><code>{method.upper()} {escape(path)}</code></span></li>'
            )
        yield "</ul>"
    yield "</nav>"
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag)}</h2>"
        for path, method, operation in operations:
            yield from _operation(path, method, operation)
    yield "<h2>Shapes</h2>"
    for name, schema in description.get("components", {}).get("schemas", {}).items():
        yield f'<article><h3 id="shape-{escape(name)}">{escape(name)}</h3>'
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        yield from _properties(schema)
        yield "</article>"


def _by_tag(description: Mapping[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in description["paths"].items():
        for method in _METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["Others"])[0]
                found.setdefault(tag, []).append((path, method, methods[method]))
    return found


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<article id="{_anchor(operation, path, method)}"><h3>{escape(_title(operation))}</h3>'
    yield f'<p><code><span class="method">{method.upper()}</span> {escape(path)}</code></p>'
    yield f"<p>{_marked(operation.get('description', ''))}</p>"
    if operation.get("parameters"):
        yield "<h4>Parameters</h4><table><tr><th>Name</th><th>In</th><th>What</th></tr>"
        for each in operation["parameters"]:
            needed = " (required)" if each.get("required") else ""
            said = each.get("description") or each["schema"].get("description", "")
            yield f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}{needed}</td>"
            yield f"<td>{_marked(said)} <span class='faint'>{_type(each['schema'])}</span></td></tr>"
        yield "</table>"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h4>Body: <code>{escape(kind)}</code></h4>"
        yield from _properties(content.get("schema", {}))
        if "example" in content:
            example = content["example"]
            text = example if isinstance(example, str) else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
            yield f"<pre><code>{escape(text)}</code></pre>"
    yield "<h4>Answers</h4><table><tr><th>Status</th><th>What</th></tr>"
    for status, answer in operation.get("responses", {}).items():
        shapes = [_type(content.get("schema", {})) for content in answer.get("content", {}).values()]
        yield f"<tr><td>{escape(status)}</td><td>{escape(answer['description'])} {', '.join(shapes)}</td></tr>"
    yield "</table></article>"


def _properties(schema: Mapping[str, Any]) -> Iterator[str]:
    if not schema.get("properties"):
        return
    yield "<table><tr><th>Member</th><th>Type</th><th>What</th></tr>"
    for name, part in schema["properties"].items():
        needed = " (required)" if name in schema.get("required", ()) else ""
        yield f"<tr><td><code>{escape(name)}</code>{needed}</td><td>{_type(part)}</td>"
        yield f"<td>{_marked(part.get('description', ''))}</td></tr>"
    yield "</table>"


def _type(schema: Mapping[str, Any]) -> str:
    """Return what a schema says, in a few words of HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    if "enum" in schema:
        return " or ".join(f"<code>{escape(orjson.dumps(each).decode())}</code>" for each in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema and "type" not in schema:
            return " or ".join(_type(each) for each in schema[several])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "anything")
    return escape(
        " or ".join(kind)
        if isinstance(kind, list)
        else str(schema.get("title") if kind == "object" and "title" in schema else kind)
    )


def _title(operation: Mapping[str, Any]) -> str:
    return str(operation.get("summary") or operation.get("operationId", ""))


def _anchor(operation: Mapping[str, Any], path: str, method: str) -> str:
    return escape(str(operation.get("operationId") or f"{method}{path}"))
