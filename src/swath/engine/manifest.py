"""What can be said about an execution's files, beside the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from swath.engine.extract import Mapped
from swath.flow.definition import Json
from swath.flow.execution import StopReason
from swath.flow.layout import Absent
from swath.flow.rows.names import CollectionPath, write_path
from swath.flow.table import Column, Table
from swath.store.database import Row


@dataclass(frozen=True, slots=True)
class Findings:
    """What extraction met, over all shards."""

    mapped: Sequence[Mapped]
    tables: Sequence[Table]
    key_value_paths: tuple[CollectionPath, ...]
    absent: Absent
    #: Texts that the format had no room for.
    cut: int = 0

    def total(self, name: str) -> int:
        return sum(getattr(each.counts, name) for each in self.mapped)

    def flaws(self, name: str) -> int:
        return sum(getattr(each.counts.flaws, name) for each in self.mapped)

    def warnings(self, rows: int) -> list[str]:
        """Return the sentences that the execution's owner should read."""
        found = []
        if not rows:
            found.append(self._why_empty())
        if unparsable := self.total("unparsable"):
            found.append(f"{unparsable} responses are no JSON; no rows were taken from them.")
        if repeated := self.total("duplicates"):
            found.append(f"{repeated} rows came twice, by their key, and were dropped.")
        if surrogates := self.flaws("surrogates"):
            found.append(f"{surrogates} half characters (lone surrogates) became U+FFFD.")
        if duplicates := self.flaws("duplicate_keys"):
            found.append(f"{duplicates} keys stood twice in an object; the last one won.")
        for path in self.key_value_paths:
            found.append(
                f"{write_path(path)} has so many different keys that it became rows of key and value."
            )
        found += [f"{name} was given a choice of columns, but no rows." for name in self.absent.collections]
        for name, paths in self.absent.columns.items():
            found.append(f"No row of {name} has {', '.join(paths)}, chosen as columns.")
        if self.cut:
            found.append(f"{self.cut} texts were longer than a cell of Excel may be and were cut there.")
        for table in self.tables:
            if table.more:
                found.append(
                    f"{table.name} has more columns than its budget: {len(table.more)} stand together "
                    f"as JSON in {table.header[-1]}."
                )
        return found

    def _why_empty(self) -> str:
        pages, filtered = self.total("pages"), self.total("filtered")
        if not pages:
            return "There are no rows: no page was fetched. Look at the failures."
        if filtered == pages:
            return "There are no rows: the filters dropped every response."
        return f"There are no rows: the {pages} pages that were fetched hold none that are wanted."


def write_manifest(
    row: Row[Any],
    findings: Findings,
    files: Sequence[Mapping[str, Any]],
    reasons: Mapping[StopReason, int],
    statuses: Mapping[str, int],
    declared: Mapping[int, tuple[int, int]],
    warnings: Sequence[str],
    revision: int,
) -> bytes:
    """Return the manifest of an ended execution as JSON."""
    manifest = {
        "execution_id": row.id,
        "parent_id": row.parent_id,
        "revision": revision,
        "definition_sha256": sha256(row.definition.encode()).hexdigest(),
        "collections": [_describe(*pair) for pair in _pair(findings.tables, files)],
        "items": row.items_total,
        "stop_reasons": {str(reason): count for reason, count in sorted(reasons.items())},
        "declared_totals": [
            {"item": item, "declared": total, "fetched": fetched}
            for item, (total, fetched) in sorted(declared.items())
        ],
        "pages": row.pages,
        "attempts": row.attempts,
        "attempts_unknown": row.attempts_unknown,
        "statuses": dict(statuses),
        "truncated": row.truncated,
        "duplicates": findings.total("duplicates"),
        "unparsable_pages": findings.total("unparsable"),
        "key_value_collections": [write_path(path) for path in findings.key_value_paths],
        "warnings": list(warnings),
    }
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2)


def _pair(
    tables: Sequence[Table], files: Sequence[Mapping[str, Any]]
) -> list[tuple[Table | None, Mapping[str, Any]]]:
    """Pair tables with their files; an execution without a table has one empty file."""
    return list(zip(tables, files, strict=True)) if tables else [(None, file) for file in files]


def _describe(table: Table | None, file: Mapping[str, Any]) -> dict[str, Json]:
    return {
        "collection": file["collection"],
        "file": file["name"],
        "format": file["format"],
        "rows": file["rows"],
        "columns": [_describe_column(table, column) for column in table.columns] if table else [],
        "bytes": file["bytes"],
        "sha256": file["sha256"],
        "renamed": [{"path": path, "name": name} for path, name in table.renamed] if table else [],
        "in_more": [_describe_column(table, column) for column in table.more] if table else [],
    }


def _describe_column(table: Table, column: Column) -> dict[str, Json]:
    """`types` counts the values that are not null by their kinds, in order of first appearance."""
    described: dict[str, Json] = {"name": column.name, "path": column.path}
    if column.group in ("own", "ancestors"):
        kinds = dict(table.kinds(column))
        nulls = kinds.pop("null", 0)
        missing = table.rows - nulls - sum(kinds.values())
        described |= {"types": kinds, "nulls": nulls, "missing": missing}
    return described
