"""Whatever the OpenAPI document allows is answered as it says: no fault of ours, no undocumented status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.wire.doors import Door, open_door

OURS = r"^(/api/|/\{tenant\}|/healthz|/readyz|/metrics)"
# A tenth of what the profile tries elsewhere: each example of some twenty operations is a request with a transaction.
EXAMPLES = max(settings.default.max_examples // 10, 5) if settings.default else 10


@pytest.fixture(scope="module")
def door(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("openapi")) as opened:
        opened.group("Servers")
        opened.submitted(indicatorValue="kept.example")
        yield opened


@pytest.fixture
def document(door: Door) -> Any:
    found = schemathesis.openapi.from_asgi("/openapi.json", door.http.app)
    return found.include(path_regex=OURS)


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_the_document_allows(case: Any, door: Door) -> None:
    if "{tenant}" in case.path and "tenant" in case.path_parameters and len(case.path_parameters["tenant"]) % 2:
        case.path_parameters["tenant"] = door.tenant  # half of them meet the tenant that there is
    case.call_and_validate(
        headers=door.headers,
        checks=[
            checks.not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )
