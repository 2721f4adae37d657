"""A workflow being made or changed: form and text in step, and beside them what a try shows."""

import asyncio
import difflib
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup
from nicegui import ui

from swath.errors import FieldError, InvalidInput
from swath.flow.formula import SourceText
from swath.operations import drafts, formulas, previews
from swath.operations.formulas import Applied
from swath.ui.draft import Draft
from swath.ui.edits import use_paginator
from swath.ui.form import FormulaForm
from swath.ui.frame import Visit, button, describe, now, on_press, say, show
from swath.ui.markup import join, moment, tag
from swath.ui.sheet import Sheet, leave_out_items
from swath.ui.trial import write_start, write_trial
from swath.ui.variables import ask_secret

#: Seconds of quiet after which a text that is being typed is checked.
QUIET = 0.4


class Editor:
    """The two columns: definition, and result of a try."""

    def __init__(self, visit: Visit, sheet: Sheet, workflow_id: str = "") -> None:
        self.visit, self.sheet, self.workflow_id = visit, sheet, workflow_id
        self._draft = Draft(f"{visit.user.id}/{workflow_id or 'new'}")
        self._stored = sheet.saved
        self.secrets: dict[str, Any] = {}
        self._typing = False
        self._seen: previews.Preview | None = None
        self._form = FormulaForm(visit, sheet, self.secrets, self._form_changed)

    async def draw(self) -> None:
        self._notice = ui.element("div").classes("line warning")
        self._notice.set_visibility(False)
        with ui.element("div").classes("pair editor"):
            with ui.element("section").classes("stack").props('aria-label="Definition"'):
                self._draw_switch()
                with ui.element("div").classes("stack") as self._form_place:
                    await self._form.draw()
                with ui.element("div").classes("stack") as self._text_place:
                    self._draw_text()
                self._text_place.set_visibility(False)
                self._faults = show(Markup())
                self._secrets_place = ui.element("div").classes("fields")
            with ui.element("section").classes("stack").props('aria-label="Result of a try"'):
                with ui.element("div").classes("line"):
                    self._few = (
                        ui.number("First items", value=3, min=1, max=10)
                        .props("outlined dense")
                        .classes("short")
                    )
                    self._try = button("Try", self.run_trial, "primary")
                self._result = show(write_start(), "stack")
                self._result.props('role="region" aria-live="polite" aria-label="What came"')
                on_press(self._result, "use", self._use_paginator)
        await self._check()
        ui.timer(0.05, self._restore, once=True)

    async def _restore(self) -> None:
        """Show again what was written here and not saved, if this browser has kept any.

        Whoever has written or imported something before the browser answered keeps that.
        """
        kept = await self._draft.find()
        if kept is None or kept.text == self.sheet.text or self.sheet.text != self.sheet.saved:
            return
        self._set_text(kept.text)
        told = "Unsaved changes from ", moment(kept.at, now()), " were restored."
        also = None if kept.saved == self.sheet.saved else " What is saved has changed since."
        self._offer(join([*told, also]), "Discard them", lambda: self.replace(self.sheet.saved))

    def replace(self, text: str, secrets: Mapping[str, Any] | None = None) -> None:
        """Show another formula, with its secrets where those are known; unsaved changes can be put back."""
        before, given = self.sheet.text, dict(self.secrets)
        self._set_text(text, secrets)
        self._keep()  # at once: whoever discards changes and leaves must not find them again
        self._notice.set_visibility(False)
        if before not in (text, self.sheet.saved):
            told = "This took the place of changes that were not saved."
            self._offer(told, "Put them back", lambda: self.replace(before, given))

    def _offer(self, told: str, deed: str, act: Callable[[], None]) -> None:
        """Say above the definition what became of it, with a button to have it otherwise."""
        self._notice.clear()
        self._notice.set_visibility(True)
        with self._notice:
            show(join([told])).props('role="status"')
            button(deed, act)

    def _draw_switch(self) -> None:
        with ui.element("div").classes("switch").props('role="group" aria-label="How to see it"'):
            form = button("Form", lambda: turn(True))
            text = button("Formula", lambda: turn(False))

        def turn(to_form: bool) -> None:
            self._form_place.set_visibility(to_form)
            self._text_place.set_visibility(not to_form)
            form.props(f'aria-pressed="{str(to_form).lower()}"')
            text.props(f'aria-pressed="{str(not to_form).lower()}"')

        form.props('aria-pressed="true"')
        text.props('aria-pressed="false"')

    def _draw_text(self) -> None:
        self._text = ui.codemirror(self.sheet.text, language="YAML", line_wrapping=True, indent="  ")
        self._text.set_theme("githubDark" if self.visit.is_dark else "githubLight")
        self._text.props('aria-label="Formula"')
        self._text.on_value_change(self._text_changed)
        hint = "Everything a formula can hold is described in its schema, at "
        schema = "/cloud/api/v1/formula.schema.json"
        leave = ". Esc, then Tab leaves the text."
        show(tag("p", hint, tag("a", "formula.schema.json", href=schema), leave, class_="hint"))
        self._quiet = ui.timer(QUIET, self._pause, active=False)

    def _form_changed(self) -> None:
        self._typing = True
        self._text.set_value(self.sheet.text)
        self._typing = False
        self._quiet.activate()

    def _text_changed(self, event: Any) -> None:
        if self._typing or event.value == self.sheet.text:
            return
        self.sheet.set_text(event.value)
        self._fill()
        self._quiet.activate()

    def _fill(self) -> None:
        """Show in the form what the text says. What it cannot show it cannot change: that would be lost."""
        is_shown = not self.sheet.fault
        if is_shown:
            try:
                self._form.fill()
            except (AttributeError, LookupError, TypeError, ValueError):
                is_shown = False  # a value of another kind than it should be: the check says which
        self._form_place.props(remove="inert") if is_shown else self._form_place.props("inert")

    def _set_text(self, text: str, secrets: Mapping[str, Any] | None = None) -> None:
        if secrets is not None:
            self.secrets.clear()
            self.secrets.update(secrets)
        self.sheet.set_text(text)
        self._form_changed()
        self._fill()

    async def _pause(self) -> None:
        """Keep and check what was written, now that its writer pauses."""
        self._quiet.deactivate()
        self._keep()
        await self._check()

    def _keep(self) -> None:
        if self.sheet.text != self.sheet.saved:
            self._draft.keep(self.sheet.text, self.sheet.saved)
        else:
            self._draft.forget()

    async def _check(self) -> None:
        """Say what is wrong with the formula, and ask for the secrets that it declares."""
        faults = await asyncio.to_thread(self.sheet.find_faults)
        self._faults.set_content(str(join([tag("p", each, class_="alert") for each in faults])))
        self._ask_secrets()

    def _ask_secrets(self) -> None:
        """Ask for the secrets of the endpoints that the form does not show."""
        names = [
            name for name in self.sheet.secrets if name not in (self.sheet.endpoint.get("variables") or {})
        ]
        if getattr(self, "_asked", []) == names:
            return
        self._asked = names
        self._secrets_place.clear()
        with self._secrets_place:
            for name in names:
                ask_secret(self.secrets, name, f"Secret {name}")

    def given(self) -> Mapping[str, Any]:
        """Return the secrets that were filled in or imported, of those that the formula has."""
        known = {*self.sheet.secrets, *(f"proxies.{name}" for name in self.sheet.value.get("proxies") or {})}
        return {name: value for name, value in self.secrets.items() if value and name in known}

    async def run_trial(self) -> None:
        """Send the first requests, and show what came."""
        self._try.disable()
        self._result.set_content(str(tag("p", "Asking…", class_="quiet", role="status")))
        try:
            source = await asyncio.to_thread(SourceText, self.sheet.text)
            few = previews.check_few(int(self._few.value or 3))
            name = self.sheet.name or None
            if self._is_kept():
                draft = await self.visit.ask(drafts.draft_workflow, self.workflow_id, {}, few)
            else:
                draft = await self.visit.ask(drafts.draft_formula, source, name, self.given(), {}, few)
            self._seen = await self.visit.ask(previews.preview, draft)
            found = write_trial(self._seen, is_paged=bool(self.sheet.workflow.get("paginator")))
        except FieldError as error:
            found = tag("p", describe(error), class_="alert", role="alert")
        finally:
            self._try.enable()
        self._result.set_content(str(found))

    def _use_paginator(self, place: str) -> None:
        """Take one of the paginators that the last try spoke for."""
        if self._seen is None:
            return
        self.sheet.change(use_paginator(self._seen.paginators[int(place)]["paginator"]))
        self._form_changed()
        self._form.fill()
        say("Taken into the formula; try it again to see its pages.")

    def _is_kept(self) -> bool:
        """Tell whether what is shown is what is stored: that is found by its id, not by names."""
        return bool(self.workflow_id) and self.sheet.text == self.sheet.saved and not self.given()

    async def find_changes(self) -> str:
        """Return what others have changed since this was opened or saved here, as lines of a comparison."""
        stored = await self._read_stored()
        lines = difflib.unified_diff(self._stored.splitlines(), stored.splitlines(), lineterm="", n=2)
        return "\n".join(list(lines)[2:])

    async def _read_stored(self) -> str:
        return leave_out_items(await self.visit.ask(formulas.export, self.workflow_id))

    async def foresee(self) -> Applied:
        """Return what saving would change. Raises InvalidInput with all that is wrong with the formula."""
        return await self._apply(dry_run=True)

    async def save(self) -> Applied:
        """Keep the formula. Raises InvalidInput with everything that is wrong with it."""
        applied = await self._apply()
        self.sheet.saved = self.sheet.text
        if self.workflow_id:
            self._stored = await self._read_stored()
        self._draft.forget()
        self._notice.set_visibility(False)
        return applied

    async def _apply(self, *, dry_run: bool = False) -> Applied:
        if faults := await asyncio.to_thread(self.sheet.find_faults):
            raise InvalidInput("body", "\n".join(faults))
        return await self.visit.ask(
            formulas.apply, SourceText(self.sheet.text), self.given(), dry_run=dry_run
        )
