"""Webhooks: who is told what becomes of executions, and what they were told."""

from dataclasses import replace
from typing import Any, get_args

from markupsafe import Markup
from nicegui import ui

from swath.flow.masking import MASK
from swath.operations import webhooks
from swath.operations.executions import iso
from swath.operations.webhooks import ENDS, DeliveryView, Event, Webhook, WebhookView
from swath.ui.dialogs import Form
from swath.ui.executions import keep_fresh
from swath.ui.frame import Visit, button, now, on_press, say, show, view
from swath.ui.markup import badge, code, facts, join, link, moment, nothing, number, table, tag

SHOWN = 100
#: Deliveries to one webhook that are shown at a time.
TOLD = 50
_COLUMNS = ("Webhook", "Told of", "State", "Made")
_DELIVERIES = ("Event", "State", ("Attempts", "num"), "Last answer", "When", ("", "num"))


@view("/webhooks", "Webhooks", "/webhooks")
async def list_webhooks(visit: Visit, cursor: str | None = None) -> None:
    with ui.element("div").classes("heading"):
        show(tag("h1", "Webhooks"))
        with ui.element("div").classes("line push"):
            button("New webhook…", lambda: _ask_new(visit), "primary")
    page = await visit.ask(webhooks.list_for, limit=SHOWN, cursor=cursor)
    if not page.objects:
        advice = (
            "A webhook tells a program of yours when an execution ends, so that it need not ask. "
            "Press New webhook."
        )
        show(nothing("No webhooks yet", advice))
        return
    rows = [_write_row(each) for each in page.objects]
    further = link("Older webhooks", f"/webhooks?cursor={page.next_cursor}") if page.next_cursor else None
    show(join([table("Webhooks", _COLUMNS, rows, "stacks"), further]))


def _write_row(webhook: WebhookView) -> list[Any]:
    address = tag("code", webhook.url)
    title = link(webhook.name or address, f"/webhooks/{webhook.id}")
    return [
        join([title, tag("span", address, class_="sub") if webhook.name else None]),
        _say_events(webhook),
        _write_state(webhook),
        moment(iso(webhook.created_at), now()),
    ]


def _write_state(webhook: WebhookView) -> Markup:
    return badge("on" if webhook.enabled else "paused")


def _say_events(webhook: WebhookView) -> str:
    if set(webhook.events) == set(ENDS):
        return "every end"
    return ", ".join(_word(each) for each in webhook.events)


def _word(event: str) -> str:
    return event.removeprefix("execution.").replace("_", " ")


@view("/webhooks/{webhook_id}", "Webhook", "/webhooks")
async def show_webhook(visit: Visit, webhook_id: str, cursor: str | None = None) -> None:
    webhook = await visit.ask(webhooks.show, webhook_id)
    name = webhook.name or webhook.url
    ui.page_title(f"{name} · Swath")
    show(link("Webhooks", "/webhooks"), "crumbs")
    with ui.element("div").classes("heading"):
        show(tag("h1", name))
        show(_write_state(webhook))
        with ui.element("div").classes("line push"):
            _draw_controls(visit, webhook, name)
    pairs = [
        ("Address", tag("code", webhook.url)),
        ("Told of", _say_events(webhook)),
        ("Made", moment(iso(webhook.created_at), now())),
        ("Id", tag("code", webhook.id, class_="id")),
    ]
    show(facts(pairs), "card")
    show(tag("h2", "What it was told"))
    await _draw_deliveries(visit, webhook, cursor)


async def _draw_deliveries(visit: Visit, webhook: WebhookView, cursor: str | None) -> None:
    """Show the deliveries, kept up to date while one waits; a press on one sends it again."""

    async def write() -> tuple[Markup, bool]:
        found, more = await visit.ask(webhooks.list_deliveries, webhook.id, limit=TOLD, cursor=cursor)
        waits = any(each.state == "waiting" for each in found)
        return _write_deliveries(webhook.id, found, more), waits

    place = await keep_fresh(write)

    async def again(delivery_id: str) -> None:
        await visit.ask(webhooks.send_again, webhook.id, delivery_id)
        place.content = str((await write())[0])
        say("It is sent again.")

    on_press(place, "again", again)


def _write_deliveries(webhook_id: str, found: list[DeliveryView], more: str | None) -> Markup:
    if not found:
        return nothing("It was told nothing yet", "Press Test, or wait for the end of an execution.")
    rows = [_write_delivery(each) for each in found]
    further = link("Earlier ones", f"/webhooks/{webhook_id}?cursor={more}") if more else None
    return join([table("Deliveries", _DELIVERIES, rows, "stacks"), further])


def _write_delivery(told: DeliveryView) -> list[Any]:
    word: Any = _word(told.event)
    if told.execution_id:
        word = link(word, f"/executions/{told.execution_id}")
    answer = [
        tag("span", told.last_status, class_=f"badge is-{str(told.last_status)[0]}")
        if told.last_status
        else None,
        tag("span", told.last_error, class_="sub") if told.last_error else None,
        tag("details", tag("summary", "What it answered"), code(told.last_answer))
        if told.last_answer
        else None,
    ]
    due = moment(iso(told.next_attempt_at), now()) if told.next_attempt_at else None
    again = told.execution_id and told.state != "waiting"
    return [
        word,
        join([badge(told.state), tag("span", "next ", due, class_="sub") if due else None]),
        number(told.attempts),
        join(answer) or tag("span", "none", class_="quiet"),
        moment(iso(told.last_attempt_at or told.created_at), now()),
        tag("button", "Send again", type="button", class_="plain-link", data_again=told.id) if again else "",
    ]


def _draw_controls(visit: Visit, webhook: WebhookView, name: str) -> None:
    async def test() -> None:
        tester.disable()
        try:
            told = await visit.ask(webhooks.test, webhook.id)
        finally:
            tester.enable()
        good = f"It answered {told.last_status}." if told.state == "delivered" else None
        say(good or f"It failed: {told.last_error or f'it answered {told.last_status}'}")
        ui.navigate.reload()

    async def turn() -> None:
        await visit.ask(webhooks.update, webhook.id, lambda old: replace(old, enabled=not webhook.enabled))
        ui.navigate.reload()

    tester = button("Test", test, "primary")
    button("Pause" if webhook.enabled else "Resume", turn)
    button("Edit…", lambda: _ask_change(visit, webhook))
    button("Delete…", lambda: _ask_delete(visit, webhook, name), "danger")


# --- asking


class _Fields:
    """The fields of a webhook."""

    def __init__(self, was: WebhookView | None) -> None:
        wanted = was.events if was else ENDS
        self._name = ui.input("Name", value=was.name if was else "").props("outlined dense autofocus")
        self._url = ui.input("URL", value=was.url if was else "", placeholder="https://example.com/swath")
        self._url.props("outlined dense input-class=mono")
        ui.label("Told of executions that")
        with ui.element("div").classes("fields tight"):
            self._events = {
                each: ui.checkbox(_SENTENCES.get(each, each), value=each in wanted)
                for each in get_args(Event)
            }
        hint = "Empty: the one that is kept" if was else "Empty: one is made, and shown once"
        self._secret = ui.input("Secret that signs what is sent", password=True)
        self._secret.props(f'outlined dense autocomplete=off hint="{hint}"')

    def read(self, old: Webhook | None = None) -> Webhook:
        return Webhook(
            name=self._name.value or "",
            url=self._url.value or "",
            events=tuple(event for event, box in self._events.items() if box.value),
            secret=self._secret.value or (MASK if old else None),
            enabled=old.enabled if old else True,
        )


#: What follows "executions that"; an event without a sentence shows its own name.
_SENTENCES: dict[str, str] = {
    "execution.succeeded": "have succeeded",
    "execution.partially_failed": "have failed in part",
    "execution.failed": "have failed",
    "execution.cancelled": "were cancelled",
    "execution.paused": "were paused",
    "execution.truncated": "have reached a limit",
    "execution.waiting": "wait for storage, or for a target that is gone",
}


def _ask_new(visit: Visit) -> None:
    async def create() -> None:
        made = await visit.ask(webhooks.create, fields.read())
        if made.secret == MASK:
            ui.navigate.to(f"/webhooks/{made.id}")
        else:
            _show_once(made)

    with Form("New webhook", "Create", create):
        fields = _Fields(None)


def _show_once(made: WebhookView) -> None:
    async def done() -> None:
        ui.navigate.to(f"/webhooks/{made.id}")

    with Form("The webhook's secret", "I have kept it", done):
        told = "What is sent is signed with it, so that you can tell it is ours. It is shown this once."
        show(join([tag("p", told), code(made.secret)]))


def _ask_change(visit: Visit, webhook: WebhookView) -> None:
    async def change() -> None:
        await visit.ask(webhooks.update, webhook.id, fields.read)
        ui.navigate.reload()

    with Form("Change the webhook", "Change", change):
        fields = _Fields(webhook)


def _ask_delete(visit: Visit, webhook: WebhookView, name: str) -> None:
    async def delete() -> None:
        await visit.ask(webhooks.delete, webhook.id)
        ui.navigate.to("/webhooks")

    with Form(f"Delete {name}?", "Delete it", delete, kind="danger", leave="Keep it"):
        ui.label("What it was still to be told is not told, and its log goes with it.")
