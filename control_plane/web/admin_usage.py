"""The endpoints of administration for the ledger and the audit log, as JSON and as CSV.

Invariant: a cell of a CSV is never a formula to a spreadsheet.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any, cast

from starlette.responses import Response, StreamingResponse

from control_plane import usage as ledger
from control_plane.domain.entities import AuditRow
from control_plane.web import admin_portal_schemas as schemas
from control_plane.web import render
from control_plane.web.operations import Call
from control_plane.web.paging import part

CSV = "text/csv"
# The wide ones count as the others where people write Chinese, Japanese or Korean.
_FORMULA = (*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_AT_ONCE = 500
_USAGE = ("name", "sessions", "seconds", "cpu_seconds", "memory_gib_seconds")
_AUDIT = ("at", "actor", "action", "target", "address", "detail", "before", "after")


def usage(call: Call) -> Response:
    """GET /admin/usage."""
    wanted = cast("schemas.UsageFilter", call.query)
    until = wanted.until or call.plane.clock()
    rows = call.plane.records.usage(wanted.since, until)
    lines = ledger.report(rows, wanted.by, wanted.since, until)
    if _wants_csv(call, wanted.format):
        return _csv("usage.csv", _table(_USAGE, (astuple(one) for one in lines)))
    items = [schemas.UsageLine.model_validate(one) for one in part(wanted, lines)]
    return render.answer(schemas.UsageList(items=items, total=len(lines)))


def audit(call: Call) -> Response:
    """GET /admin/audit."""
    wanted = cast("schemas.AuditFilter", call.query)
    fits = wanted.model_dump(exclude={"limit", "offset", "format"})
    if _wants_csv(call, wanted.format):
        # What is written meanwhile would move the pages.
        fits["until"] = fits["until"] or call.plane.clock()
        total = call.plane.records.audit_count(**fits)
        return _csv("audit.csv", _table(_AUDIT, _acts(call, fits, total)))
    total = call.plane.records.audit_count(**fits)
    rows = call.plane.records.audit(**fits, limit=wanted.limit, offset=wanted.offset)
    items = [schemas.AuditLine.model_validate(one) for one in rows]
    return render.answer(schemas.AuditList(items=items, total=total))


def _wants_csv(call: Call, asked: schemas.Format | None) -> bool:
    return CSV in call.headers.get("accept", "") if asked is None else asked == "csv"


def _acts(call: Call, fits: dict[str, Any], total: int) -> Iterator[Sequence[object]]:
    for offset in range(0, total, _AT_ONCE):
        rows = call.plane.records.audit(**fits, limit=_AT_ONCE, offset=offset)
        yield from (_act(one) for one in rows)


def _act(row: AuditRow) -> Sequence[object]:
    before, after = (one and json.dumps(dict(one)) for one in (row.before, row.after))
    return row.at, row.actor, row.action, row.target, row.address, row.detail, before, after


def _csv(name: str, lines: Iterable[str]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, 200, headers, CSV)


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield _line(titles)
    for row in rows:
        yield _line([_cell(one) for one in row])


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _cell(value: object) -> object:
    """Return what stands in a cell; text that a spreadsheet would compute gets an apostrophe."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
