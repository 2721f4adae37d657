"""A list of which any number can be ticked, in the order of the list; also a long one."""

from collections.abc import Callable, Collection, Sequence

from markupsafe import Markup
from nicegui import ui

from swath.ui.frame import show
from swath.ui.markup import tag

#: Tells the places of the ticked boxes.
_TOLD = """event => emit(
  [...event.currentTarget.querySelectorAll("input")].flatMap((box, n) => box.checked ? [n] : []))"""


def draw_ticks(
    title: str, labels: Sequence[Markup], ticked: Collection[int], follow: Callable[[list[int]], None]
) -> ui.element:
    """Draw the list; `follow` is given the places that are ticked whenever these change.

    Return the line of buttons under it, for more of them.
    """
    boxes = [
        tag("label", tag("input", type="checkbox", checked=n in ticked), tag("span", label))
        for n, label in enumerate(labels)
    ]
    place = show(tag("fieldset", tag("legend", title), tag("div", *boxes)), "ticks")
    place.on("change", lambda event: follow(event.args), js_handler=_TOLD)
    with ui.element("div").classes("line") as line:
        _draw_all("Tick all", place, to=True)
        _draw_all("Tick none", place, to=False)
    return line


def _draw_all(text: str, place: ui.element, *, to: bool) -> None:
    act = ui.button(text, color=None).props("unelevated no-caps").classes("act plain")
    act.on(
        "click",
        js_handler=f"""() => {{
          const place = getHtmlElement({place.id});
          place.querySelectorAll("input").forEach((box) => {{ box.checked = {str(to).lower()}; }});
          place.dispatchEvent(new Event("change"));
        }}""",
    )
