"""Proxies: by where they are, how they are, and whether one lives right now."""

from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from swath.operations import proxies, trials
from swath.operations.executions import iso
from swath.operations.proxies import Proxy, ProxyView
from swath.operations.trials import ProxyTest
from swath.ui.dialogs import Form
from swath.ui.frame import Visit, button, now, say, show, view
from swath.ui.markup import join, moment, nothing, number, tag


@view("/proxies", "Proxies", "/proxies")
async def list_proxies(visit: Visit) -> None:
    with ui.element("div").classes("heading"):
        show(tag("h1", "Proxies"))
        with ui.element("div").classes("line push"):
            button("New proxy…", lambda: _ask_new(visit), "primary")
    page = await visit.ask(proxies.list_for, limit=1_000, cursor=None)
    if not page.objects:
        direct = " Until then executions go directly." if visit.context.settings.direct_allowed else ""
        show(nothing("No proxies yet", f"Register the ways out that your executions may take.{direct}"))
        return
    pools: dict[str, list[ProxyView]] = {}
    for each in sorted(page.objects, key=lambda each: (each.location, each.type, each.created_at)):
        pools.setdefault(each.location, []).append(each)
    for location, pool in pools.items():
        _draw_pool(visit, location, pool)


def _draw_pool(visit: Visit, location: str, pool: Sequence[ProxyView]) -> None:
    with ui.element("section").classes("card"):
        rest = sum(each.health.state == "quarantined" for each in pool)
        told = ("1 proxy" if len(pool) == 1 else f"{number(len(pool))} proxies") + (
            f", {rest} in quarantine" if rest else ""
        )
        show(tag("h2", tag("bdi", location), " ", tag("span", told, class_="quiet")))
        for each in pool:
            _draw_proxy(visit, each)


def _draw_proxy(visit: Visit, proxy: ProxyView) -> None:
    with ui.element("div").classes("proxy"):
        place = show(_write_proxy(proxy), "proxy-facts")

        async def test() -> None:
            tester.disable()
            try:
                found = await visit.ask(trials.try_proxy, proxy.id, ProxyTest())
                place.set_content(str(_write_proxy(await visit.ask(proxies.show, proxy.id))))
            finally:
                tester.enable()
            say(
                f"It answered in {found.latency * 1000:.0f} ms."
                if found.ok
                else f"It failed: {found.message}"
            )

        with ui.element("div").classes("line"):
            tester = button("Test", test).props(f'aria-label="Test the proxy in {_plain(proxy.location)}"')
            if proxy.url is not None:
                button("Remove…", lambda: _ask_remove(visit, proxy), "danger")


def _plain(text: str) -> str:
    return text.replace('"', "'")


def _write_proxy(proxy: ProxyView) -> Markup:
    health = proxy.health
    words = {"well": "healthy", "unknown": "not used yet"}
    parts = [
        tag(
            "span",
            words.get(health.state, health.state),
            class_=f"badge is-{words.get(health.state, health.state).split(' ')[0]}",
        ),
        tag("span", proxy.type, class_="quiet"),
        tag("code", proxy.url or "shared with everybody"),
        f"{health.latency * 1000:.0f} ms" if health.latency is not None else None,
        tag("code", health.error_code) if health.error_code else None,
        tag("span", "until ", moment(iso(health.quarantine_ends_at), now()))
        if health.quarantine_ends_at
        else None,
        tag("span", "used ", moment(iso(health.used_at), now())) if health.used_at else None,
    ]
    return join([part for part in parts if part is not None], " ")


def _ask_new(visit: Visit) -> None:
    async def create() -> None:
        wanted = Proxy(
            type=kind.value, location=location.value or "", url=url.value or "", shared=bool(shared.value)
        )
        await visit.ask(proxies.create, wanted)
        ui.navigate.reload()

    with Form("New proxy", "Register", create):
        with ui.element("div").classes("fields"):
            kind = ui.select({"dedicated": "Dedicated", "shared": "Shared"}, value="dedicated", label="Type")
            kind.props("outlined dense options-dense")
            location = ui.input("Location", placeholder="nyc").props("outlined dense")
        url = ui.input("URL", placeholder="http://user:password@host:port, or socks5://…").props(
            "outlined dense"
        )
        shared = ui.checkbox("For every user of this server")
        shared.set_visibility(visit.user.admin)


def _ask_remove(visit: Visit, proxy: ProxyView) -> None:
    async def remove() -> None:
        await visit.ask(proxies.delete, proxy.id)
        ui.navigate.reload()

    with Form(f"Remove the proxy in {proxy.location}?", "Remove it", remove, kind="danger", leave="Keep it"):
        ui.label("Executions under way go on with it.")
