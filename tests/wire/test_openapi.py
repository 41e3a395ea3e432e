"""Whatever the OpenAPI document allows is answered as it says: no fault of ours, no undocumented status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from tests.wire.doors import Door, open_door

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def examples() -> int:
    """Return a tenth of what the profile of hypothesis tries elsewhere: here an example is a whole request."""
    return max(settings().max_examples // 10, 5)


@pytest.fixture(scope="module")
def door(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("openapi")) as opened:
        opened.group("Servers")
        opened.submitted(indicatorValue="kept.example")
        yield opened


@pytest.mark.parametrize(
    "paths", ["^/api/indicators", "^/api/(?!indicators)", r"^/\{tenant\}", "^/(healthz|readyz|metrics)$"]
)
def test_what_the_document_allows(door: Door, paths: str) -> None:
    document = schemathesis.openapi.from_dict(door.http.get("/openapi.json").json())
    document.app = door.http.app
    operations = [found.ok() for found in document.include(path_regex=paths).get_all_operations()]
    assert operations
    for operation in operations:

        @settings(max_examples=examples(), deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=st.one_of(map(operation.as_strategy, GenerationMode)), known=st.booleans())
        def answers(case: Any, known: bool) -> None:
            if known and "tenant" in (case.path_parameters or {}):
                case.path_parameters["tenant"] = door.tenant
            case.call_and_validate(headers=door.headers, checks=CHECKS)

        answers()
