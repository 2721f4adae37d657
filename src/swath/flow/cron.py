"""When something is due that comes again and again, by a cron expression in a time zone."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from swath.errors import InvalidInput

FIELDS = 5
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Cron:
    """A cron expression in a time zone. Raises InvalidInput for what is none.

    As with Debian's cron, what would be due in an hour that the clocks skip is due right after it, and in
    one that they repeat once.
    """

    def __init__(self, expression: str, timezone: str) -> None:
        text = expression.strip()
        self._text = _NAMED.get(text.lower(), text)
        self._zone = _read_zone(timezone)
        if len(self._text.split()) != FIELDS:
            raise InvalidInput("cron", "Must have 5 fields: minute, hour, day of month, month, day of week.")
        try:
            self.after(0)
        except CronSimError as error:
            raise InvalidInput("cron", f"Cannot be read: {error}.") from None
        except StopIteration:
            raise InvalidInput("cron", "Is never due.") from None

    def after(self, moment: int) -> int:
        """Return the first time that it is due after a moment, both in milliseconds since 1970."""
        return next(self.following(moment))

    def explain(self) -> str:
        """Say in words when it is due: `At 06:00 every day`."""
        return str(CronSim(self._text, datetime(2024, 1, 1, tzinfo=self._zone)).explain())

    def following(self, moment: int) -> Iterator[int]:
        """Yield all times that it is due after a moment."""
        for due in CronSim(self._text, datetime.fromtimestamp(moment / 1e3, self._zone)):
            yield round(due.timestamp() * 1e3)


def _read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"There is no time zone {name!r}; it is one like UTC, Europe/Berlin or America/New_York."
        raise InvalidInput("timezone", message) from None
