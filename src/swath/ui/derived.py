"""The dialog that fills a collection from columns of an execution's rows."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from swath.errors import FieldError, InvalidInput
from swath.operations import derived, executions, rows
from swath.operations.collections import CollectionView, Method
from swath.operations.derived import ResultColumns
from swath.ui.dialogs import Form
from swath.ui.executions import name_workflows
from swath.ui.frame import Visit, describe, now
from swath.ui.markup import ago

#: Executions to choose from, the newest.
OFFERED = 50
_HINT = "Of one column come texts, of several JSON objects."


async def ask_result(
    visit: Visit,
    kept: CollectionView,
    ways: Mapping[Method, str],
    done: Callable[[CollectionView], None],
) -> None:
    """Ask for an execution, a table of it and its columns; then take their values as items."""
    fields = _Fields(visit, ways)

    async def take() -> None:
        filled = await visit.ask(derived.fill, kept.id, fields.read())
        done(filled.collection)

    with Form("Take items from a result", "Take them", take):
        await fields.draw()


class _Fields:
    """What there is to choose follows what was chosen before it."""

    def __init__(self, visit: Visit, ways: Mapping[Method, str]) -> None:
        self._visit, self._ways = visit, ways
        self._tables: dict[str, list[str]] = {}

    async def draw(self) -> None:
        offered = await self._offer()
        hint = _HINT if offered else "Nothing has been executed."
        self._hint = ui.label(hint).classes("hint").props('role="status"')
        self._execution = _select(offered, "Execution")
        self._table = _select({}, "Table")
        self._columns = ui.select([], multiple=True, label="Columns")
        self._columns.props("outlined dense use-chips options-dense")
        self._way = _select(dict(self._ways), "What becomes of them")
        self._execution.on_value_change(self._choose)
        self._table.on_value_change(
            lambda event: self._columns.set_options(self._tables.get(event.value, []))
        )
        if offered:
            self._execution.value = next(iter(offered))

    async def _offer(self) -> dict[str, str]:
        found, _ = await self._visit.ask(
            executions.list_for, workflow_id=None, group=None, limit=OFFERED, cursor=None
        )
        names = await name_workflows(self._visit, (each["workflow_id"] for each in found))
        return {each["id"]: _name(each, names) for each in found}

    async def _choose(self, event: Any) -> None:
        try:
            found = await self._visit.ask(rows.describe, event.value)
        except FieldError as error:  # its rows are no longer kept
            found = []
            ui.notify(describe(error), type="negative")
        if event.value != self._execution.value:  # another one was chosen meanwhile
            return
        self._tables = {each["collection"]: [column["name"] for column in each["columns"]] for each in found}
        self._hint.set_text(_HINT if any(self._tables.values()) else "It has no rows; choose another one.")
        options = {name: name or "(root)" for name in self._tables}
        self._table.set_options(options, value=next(iter(options), None))
        self._columns.set_options(self._tables.get(next(iter(options), ""), []), value=[])

    def read(self) -> ResultColumns:
        if not self._execution.value:
            raise InvalidInput("execution_id", "Blank.")
        return ResultColumns(
            execution_id=self._execution.value,
            columns=tuple(self._columns.value or ()),
            collection=self._table.value,
            method=self._way.value,
        )


def _select(options: dict[Any, str], label: str) -> ui.select:
    return ui.select(options, label=label, value=next(iter(options), None)).props(
        "outlined dense options-dense"
    )


def _name(execution: Mapping[str, Any], names: Mapping[str, str]) -> str:
    workflow = names.get(execution["workflow_id"], "Deleted workflow")
    called = execution["execution_name"]
    name = f"{called} ({workflow})" if called else workflow
    return f"{name}, {execution['status']}, {ago(execution['created_at'], now())}"
