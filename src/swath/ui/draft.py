"""What was written and not saved, as the browser keeps it: over a reload, and over a server's restart."""

import json
from dataclasses import dataclass

from nicegui import ui

#: Seconds that a browser may take to say what it has kept.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that was not saved, the text that it was to replace, and when it was written."""

    text: str
    saved: str
    at: str


class Draft:
    """One unsaved text in the visitor's browser; `name` tells it from others. Secrets are never in it."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def find(self) -> Kept | None:
        """Return what this browser has kept."""
        try:
            found = await ui.run_javascript(f"return findDraft({json.dumps(self._name)})", timeout=PATIENCE)
        except TimeoutError:  # the visitor has left
            return None
        return Kept(str(found["text"]), str(found["saved"]), str(found["at"])) if found else None

    def keep(self, text: str, saved: str) -> None:
        ui.run_javascript(f"keepDraft({json.dumps(self._name)}, {json.dumps(text)}, {json.dumps(saved)})")

    def forget(self) -> None:
        ui.run_javascript(f"forgetDraft({json.dumps(self._name)})")
