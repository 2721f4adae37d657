"""What can be said about an execution's files, beside the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from swath.engine.gather import Harvest
from swath.flow.definition import Definition, Json
from swath.flow.execution import StopReason
from swath.flow.files.packing import ARCHIVE
from swath.flow.rows.names import write_path
from swath.flow.table import Table, describe_columns
from swath.store.database import Row
from swath.store.shards import Remarks

#: So many items are listed of those that are remarkable one by one.
MOST_REMARKS = 1_000


@dataclass(frozen=True, slots=True)
class Findings:
    """What extraction met, over all shards."""

    harvest: Harvest
    #: Texts that the format had no room for.
    cut: int = 0

    def warnings(self, rows: int, items: int, unique_by: str | Sequence[str] | None) -> list[str]:
        """Return the sentences that the execution's owner should read."""
        found = []
        if not rows:
            found.append(self._why_empty(items))
        if rows and self.harvest.counts.thinned and not any(table.elements for table in self.harvest.tables):
            found.append(
                f"The filters dropped all {self.harvest.counts.thinned} objects; "
                "the rows are what stands around them."
            )
        if unparsable := self.harvest.counts.unparsable:
            found.append(f"{unparsable} responses are no JSON; no rows were taken from them.")
        if repeated := self.harvest.counts.duplicates:
            found.append(f"{repeated} rows came twice, by their key, and were dropped.")
        if unique_by and rows and not self.harvest.told_apart:
            found.append(f"No row has {', '.join(_list(unique_by))}: unique_by tells none apart.")
        if surrogates := self.harvest.counts.flaws.surrogates:
            found.append(f"{surrogates} half characters (lone surrogates) became U+FFFD.")
        if duplicates := self.harvest.counts.flaws.duplicate_keys:
            found.append(f"At least {duplicates} keys stood twice in an object; the last one won.")
        for name in _name_key_values(self.harvest):
            found.append(f"{name} has so many different keys that it became rows of key and value.")
        absent = self.harvest.absent
        found += [f"The workflow names {name}, which has no rows." for name in absent.collections]
        for name, paths in absent.columns.items():
            found.append(f"No row of {name} has {', '.join(paths)}, chosen as columns.")
        if self.cut:
            found.append(f"{self.cut} texts were longer than a cell of Excel may be and were cut there.")
        for table in self.harvest.tables:
            if table.more:
                found.append(
                    f"{table.name} has more columns than its budget: {len(table.more)} stand together "
                    f"as JSON in {table.header[-1]}."
                )
        return found

    def _why_empty(self, items: int) -> str:
        if not items:
            return "There are no rows: there were no input items. Look at its collections and parameters."
        counts = self.harvest.counts
        pages, filtered, thinned = counts.pages, counts.filtered, counts.thinned
        if not pages:
            return "There are no rows: no page was fetched. Look at the failures."
        if filtered == pages:
            return "There are no rows: the filters dropped every response."
        if thinned:
            return f"There are no rows: the filters dropped {thinned} objects of {pages} pages."
        return f"There are no rows: the {pages} pages that were fetched hold none that are wanted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the store tells of an execution's items and attempts."""

    reasons: Mapping[StopReason, int]
    statuses: Mapping[str, int]
    remarks: Remarks
    failures: Sequence[tuple[str, int | None, int]]
    #: Segments whose pages had to be fetched again.
    damaged: Sequence[Mapping[str, Json]] = ()


def write_manifest(
    row: Row[Any],
    definition: Definition,
    findings: Findings,
    files: Sequence[Mapping[str, Any]],
    told: Told,
    warnings: Sequence[str],
    revision: int,
) -> bytes:
    """Return the manifest of an ended execution as JSON."""
    manifest = {
        "execution_id": row.id,
        "parent_id": row.parent_id,
        "revision": revision,
        "definition_sha256": sha256(row.definition.encode()).hexdigest(),
        "collections": [_describe(*pair) for pair in _pair(findings.harvest.tables, files)],
        **_describe_items(row, told),
        "compression": definition.options.compression,
        "pages": row.pages,
        "attempts": row.attempts,
        "attempts_unknown": row.attempts_unknown,
        "statuses": dict(told.statuses),
        "truncated": row.truncated,
        "truncated_by": row.truncated_by,
        "damaged_segments": list(told.damaged),
        **_describe_extraction(definition, findings),
        "warnings": list(warnings),
    }
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2)


def _describe_items(row: Row[Any], told: Told) -> dict[str, Json]:
    """Of items that are remarkable one by one, the first are listed and all are counted."""
    remarks = told.remarks
    return {
        "items": row.items_total,
        "stop_reasons": {str(reason): count for reason, count in sorted(told.reasons.items())},
        "items_not_done": [{"item": item, "stop_reason": str(reason)} for item, reason in remarks.undone],
        "items_not_done_count": remarks.undone_count,
        "failures": [
            {"error_code": code, "last_status": status, "items": items}
            for code, status, items in told.failures
        ],
        "declared_totals": [
            {"item": item, "declared": total, "fetched": fetched} for item, total, fetched in remarks.declared
        ],
        "declared_totals_count": remarks.declared_count,
    }


def _list(keys: str | Sequence[str] | None) -> list[str]:
    return [keys] if isinstance(keys, str) else list(keys or ())


def _describe_extraction(definition: Definition, findings: Findings) -> dict[str, Json]:
    workflow, harvest = definition.workflow, findings.harvest
    return {
        "unique_by": _list(workflow.unique_by),
        "unique_within": workflow.unique_within,
        "duplicates": harvest.counts.duplicates,
        "filtered_objects": harvest.counts.thinned,
        "filtered_responses": harvest.counts.filtered,
        "unparsable_pages": harvest.counts.unparsable,
        "unparsable": [
            {"item": item, "page": page, "reason": reason} for item, page, reason in harvest.unparsable
        ],
        "key_value_collections": _name_key_values(harvest),
    }


def _name_key_values(harvest: Harvest) -> list[str]:
    """Name each once, also one whose values turned out to be such objects, too."""
    return list(dict.fromkeys(map(write_path, harvest.way.key_value_paths)))


def _pair(
    tables: Sequence[Table], files: Sequence[Mapping[str, Any]]
) -> list[tuple[Table | None, Mapping[str, Any]]]:
    """Pair tables with their files; an execution without a table has one empty file."""
    made = [file for file in files if file["format"] != ARCHIVE]
    return list(zip(tables, made, strict=True)) if tables else [(None, file) for file in made]


def _describe_columns(table: Table, file_format: str) -> list[dict[str, Json]]:
    """Describe the columns of a file; in JSON they have keys that are no header's names."""
    described = describe_columns(table, table.columns)
    if file_format not in ("json", "jsonl"):
        return described
    return [{**told, "key": column.key} for told, column in zip(described, table.columns, strict=True)]


def _describe(table: Table | None, file: Mapping[str, Any]) -> dict[str, Json]:
    return {
        "collection": file["collection"],
        "file": file["name"],
        "format": file["format"],
        "rows": file["rows"],
        "columns": _describe_columns(table, file["format"]) if table else [],
        "bytes": file["bytes"],
        "sha256": file["sha256"],
        "renamed": [{"path": path, "name": name} for path, name in table.renamed] if table else [],
        "in_more": describe_columns(table, table.more) if table else [],
    }
