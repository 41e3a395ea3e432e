"""The OpenAPI document of the server: FastAPI's, with what it says wrongly of us put right."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from indicia.web.problems import PROBLEM_JSON, ProblemDetails

_REFERENCE: Final = "#/components/schemas/{model}"
_NAME: Final = ProblemDetails.__name__
# What FastAPI says of every operation with a parameter; faults of parameters are problem details with 400 here.
_NEVER_SENT: Final = "#/components/schemas/HTTPValidationError"


class Described(FastAPI):
    """A server whose OpenAPI document says what it really answers, each shape once."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, which is made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for methods in document["paths"].values():
                for operation in methods.values():
                    _correct(operation["responses"])
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            shape = ProblemDetails.model_json_schema(ref_template=_REFERENCE)
            schemas |= shape.pop("$defs", {})
            schemas[_NAME] = shape
        assert self.openapi_schema is not None
        return self.openapi_schema


def _correct(responses: dict[str, Any]) -> None:
    for status, answer in list(responses.items()):
        for kind, content in answer.get("content", {}).items():
            schema = content.get("schema", {})
            if schema.get("$ref") == _NEVER_SENT:
                del responses[status]
            elif kind == PROBLEM_JSON and schema.get("title") == _NAME:
                content["schema"] = {"$ref": _REFERENCE.format(model=_NAME)}
