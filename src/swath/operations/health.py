"""Whether the house can work."""

from swath.operations.context import Context
from swath.store.database import answers


async def check(context: Context) -> str | None:
    """Return what keeps requests from being served, or None."""
    if not await context.database.read(answers):
        return "The database does not answer."
    return None
