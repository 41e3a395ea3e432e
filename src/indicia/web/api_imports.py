"""Imports: plan a file of indicators, look at the plan, apply just that plan; or import at once."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from indicia.domain.draft import PROPERTY_NAMES, Draft
from indicia.domain.errors import InvalidInput, Problem
from indicia.domain.rules import parse_duration
from indicia.exporters.entity import precise
from indicia.services import idempotency, imports, planned_imports
from indicia.services.idempotency import Reply
from indicia.services.import_preview import Preview, problems_of
from indicia.services.import_report import ImportReport
from indicia.services.imports import Format, Options, Source
from indicia.services.planned_imports import PLANS_ARE_KEPT
from indicia.services.requests import Import, import_of
from indicia.store.database import Database
from indicia.store.imports import PlannedImport
from indicia.web import api_models as models
from indicia.web.api_call import Call, CallDep, DryRun, Key, Reason, checked_text, media_type, reply, sent
from indicia.web.api_proposing import WAITS, Propose, or_wait
from indicia.web.dependencies import ActorDep, SpooledBodyDep
from indicia.web.problems import PROBLEM_JSON, Fault, Refusal, documented, problem_reply

_FORMATS: Final = {
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
    "application/vnd.ms-excel": Format.CSV,
    "application/x-ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "text/plain": Format.TEXT,
}
_ERRORS_SHOWN: Final = 100
_LOOKED_THROUGH: Final = 1_000
_NAME_CHARACTERS: Final = 200
_CSV: Final = (
    "indicatorType,indicatorValue,expirationTime,action,severity,title,description,recommendedActions,"
    "rbacGroups,category,mitreTechniques,generateAlert\r\n"
    "DomainName,login.evil.example,,Block,High,Phishing,Seen in mails,,,InitialAccess,T1566.002,True\r\n"
)
_NDJSON: Final = orjson.dumps(models.EXAMPLE).decode() + "\n"
_TEXT: Final = "# one a line\nlogin.evil[.]example\n"

router = APIRouter(prefix="/v1/imports", tags=["Imports"], default_response_class=Response)

_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "format": "binary"}, "example": _CSV},
            "application/x-ndjson": {"schema": {"type": "string", "format": "binary"}, "example": _NDJSON},
            "text/plain": {"schema": {"type": "string", "format": "binary"}, "example": _TEXT},
        },
    }
}
_REFUSED: Final = documented(422)
_REFUSED[422]["description"] = "rows were refused and nothing was written; the report is in `report`"

# What each row of a text list gets; a file of another format says so itself.
Default = Annotated[str | None, Query(description="text lists: this property of every value", max_length=8_000)]


class Defaults:
    """The properties that a text list lacks, as query parameters."""

    def __init__(  # each parameter is one of the API
        self,
        action: Default = None,
        title: Default = None,
        description: Default = None,
        severity: Default = None,
        category: Default = None,
        type: Annotated[str | None, Query(description="text lists: their type, where it is not to be detected")] = None,
        expires: Annotated[
            str | None, Query(description="text lists: when they expire: a time, or from now such as `30d` or `12h`")
        ] = None,
        recommended_actions: Annotated[Default, Query(alias="recommendedActions")] = None,
        rbac_group_names: Annotated[Default, Query(alias="rbacGroupNames")] = None,
        mitre_techniques: Annotated[Default, Query(alias="mitreTechniques")] = None,
        generate_alert: Annotated[Default, Query(alias="generateAlert")] = None,
        external_id: Annotated[Default, Query(alias="externalId")] = None,
    ) -> None:
        self._draft = Draft(
            type=type,
            expires=expires,
            action=action,
            severity=severity,
            title=title,
            description=description,
            recommended_actions=recommended_actions,
            rbac_group_names=rbac_group_names,
            category=category,
            mitre_techniques=mitre_techniques,
            generate_alert=generate_alert,
            external_id=external_id,
        )

    def of(self, format: Format, now: datetime) -> Draft:
        """Return the draft of them; `InvalidInput` where one is given and the rows of the format say it themselves."""
        given = [name for name, value in self._draft._asdict().items() if value is not None]
        if given and format is not Format.TEXT:
            message = f"this is for text lists; a row of a {format} file says it itself"
            names = [name if name in ("expires", "type") else PROPERTY_NAMES[name] for name in given]
            raise InvalidInput([Problem("not-for-this-format", message, name) for name in names])
        after = parse_duration(self._draft.expires or "")
        if after is None:
            return self._draft
        try:
            return self._draft._replace(expires=now + after)
        except OverflowError:
            message = "that is later than a time can be; leave it out for never"
            raise InvalidInput([Problem("invalid-time", message, "expires", self._draft.expires)]) from None


def _may_import(actor: ActorDep) -> None:
    imports.require_to_import(actor)


@router.post(
    "",
    summary="Plan an import, or import",
    dependencies=[Depends(_may_import)],  # before the body is kept
    responses={
        200: {"model": models.ImportPlan | models.ImportReport, "description": "the plan, or the report"},
        **WAITS,
        **documented(400, 401, 403, 409, 413, 415, 503),
        **_REFUSED,
    },
    openapi_extra=_BODY,
)
def import_indicators(
    call: CallDep,
    file: SpooledBodyDep,
    defaults: Annotated[Defaults, Depends()],
    *,
    key: Key = None,
    dry_run: DryRun = False,
    format: Annotated[Literal["csv", "ndjson", "text"] | None, Query(description="what Content-Type says else")] = None,
    on_error: Annotated[
        Literal["stop", "skip"], Query(alias="onError", description="refuse all for one bad row, or skip the bad ones")
    ] = "stop",
    strict: Annotated[bool, Query(description="refuse what Defender refuses")] = False,
    name: Annotated[str, Query(description="what the report calls the file", max_length=_NAME_CHARACTERS)] = "body",
    reason: Reason = None,
    propose: Propose = False,
) -> Response:
    """With `dryRun=true` plan the import of the body and keep the plan for a day; without, import it at once."""
    kind = _format(call.request, format)
    why = checked_text(reason, "reason")
    source = Source(checked_text(name, "name") or "body", file)
    options = Options(kind, strict, on_error == "skip", dry_run, why, defaults.of(kind, call.now))

    def work(database: Database) -> Reply:
        if dry_run:
            return _planned(call, database, source, options)

        def request(database: Database) -> Import:
            file.seek(0)
            id = str(uuid.uuid4())
            report = _plan(call, database, source, options, id)
            report.problems.close()
            planned = planned_imports.planned_import(database, id, actor=call.actor)
            return import_of(planned)

        def now(database: Database) -> Reply:
            return _imported(call, database, source, options)

        return or_wait(call, database, now, request, propose=propose, reason=why)

    return call.once(key, lambda: planned_imports.digest_of(file), work, changes=not dry_run)


@router.get(
    "/{id}",
    summary="Read the plan of an import",
    responses={200: {"model": models.ImportPlan}, **documented(400, 401, 403, 404, 503)},
)
def read_import(call: CallDep, id: str) -> Response:
    """What a planned import would do, or the changeset that it was applied as."""
    return sent(reply(plan_as_dict(planned_imports.planned_import(call.database, id, actor=call.actor))))


@router.post(
    "/{id}/apply",
    summary="Apply the plan of an import",
    responses={200: {"model": models.ImportReport}, **WAITS, **documented(400, 401, 403, 404, 409, 422, 503)},
)
def apply_import(call: CallDep, id: str, *, key: Key = None, propose: Propose = False) -> Response:
    """Do exactly what the plan shows; 409 where what is stored has changed, so that it would be something else."""

    def work(database: Database) -> Reply:
        report = planned_imports.apply_import(
            database,
            id,
            actor=call.actor,
            now=call.now,
            guard=call.app.guard,
            policy=call.app.policy,
        )
        with report.problems:
            return reply(report_as_dict(report))

    def request(database: Database) -> Import:
        return import_of(planned_imports.planned_import(database, id, actor=call.actor))

    def waits(database: Database) -> Reply:
        # One transaction, so that nobody else applies the same plan meanwhile.
        one = work if key is not None else lambda joined: idempotency.as_one(joined, work)
        return or_wait(call, database, one, request, propose=propose, reason=None)

    try:
        return call.once(key, lambda: b"", waits)
    except InvalidInput as error:
        if [problem.code for problem in error.problems] == ["refused-rows"]:
            raise Refusal(422, "refused-rows", str(error)) from None
        raise


def plan_as_dict(planned: PlannedImport) -> dict[str, Any]:
    """Return the shape of a planned import."""
    open_ = planned.options["applicable"] and planned.changeset is None
    return {
        "takesTwo": [],  # of plans that were made by a release before this member
        **planned.report,
        "id": planned.id,
        "applicable": planned.options["applicable"],
        "at": precise(planned.at),
        "expires": precise(planned.at + PLANS_ARE_KEPT),
        "changeset": planned.changeset or None,
        "apply": f"/v1/imports/{planned.id}/apply" if open_ else None,
    }


def report_as_dict(report: ImportReport) -> dict[str, Any]:
    """Return the shape of an import that was done, or refused."""
    return report.counts() | problems_of(report)


def _planned(call: Call, database: Database, source: Source, options: Options) -> Reply:
    id = str(uuid.uuid4())
    _plan(call, database, source, options, id).problems.close()
    plan = plan_as_dict(planned_imports.planned_import(database, id, actor=call.actor))
    return reply(plan, headers={"Content-Location": f"/v1/imports/{id}"})


def _plan(call: Call, database: Database, source: Source, options: Options, id: str) -> ImportReport:
    return planned_imports.plan_import(
        database,
        source,
        options,
        import_id=id,
        actor=call.actor,
        now=call.now,
        guard=call.app.guard,
        listener=Preview(),
        policy=call.app.policy,
    )


def _imported(call: Call, database: Database, source: Source, options: Options) -> Reply:
    report = imports.import_indicators(
        database,
        [source],
        options,
        actor=call.actor,
        now=call.now,
        guard=call.app.guard,
        policy=call.app.policy,
    )
    with report.problems:
        if report.applied:
            return reply(report_as_dict(report))
        shown = [problem for problem in report.problems.first(_LOOKED_THROUGH) if not problem.warning][:_ERRORS_SHOWN]
        message = f"{report.total('refused')} rows were refused, so nothing was written; mend them, or say onError=skip"
        details = orjson.loads(problem_reply(Fault(422, "refused-rows", message, tuple(shown)), call.request).body)
        return reply(details | {"report": report_as_dict(report)}, 422, {"Content-Type": PROBLEM_JSON})


def _format(request: Request, named: str | None) -> Format:
    """Return the format that the query names, or else the type of the body."""
    if named is not None:
        return Format(named)
    given = media_type(request)
    found = _FORMATS.get(given)
    if found is None:
        message = f"{given[:100]!r} says not what the body is: send {', '.join(sorted(_FORMATS))}, or ?format="
        raise Refusal(415, "unsupported-media-type", message, headers={"Accept": ", ".join(_FORMATS)})
    return found
