"""Remove objects that nothing names: what a process wrote that was killed before it could say so.

Only of executions that the database knows: what else there is may be another installation's. A segment
without a checkpoint goes already when its execution ends (`engine.orphans`).
"""

import asyncio

import structlog

from swath.engine.blocks import snapshot_name
from swath.engine.extract import index_name, manifest_name, open_index
from swath.errors import Damaged
from swath.operations.context import Context
from swath.store import references

log = structlog.get_logger()

#: Milliseconds for which an object may be nobody's: until then somebody may be about to name it.
AGE = 86_400_000
#: Milliseconds after which an execution is not looked through again.
LOOKED_THROUGH = 8 * 86_400_000
KINDS = ("segments", "parts", "results")


async def sweep_orphans(context: Context, now: int) -> None:
    """Remove what is left over of the executions of some days, and of copies of collections."""
    since, before = now - LOOKED_THROUGH, now - AGE
    for execution_id in await context.database.read(references.find_settled, since, before):
        try:
            await _sweep_execution(context, execution_id, before)
        except (Damaged, FileNotFoundError) as error:  # better all is left than something that is needed
            log.warning("orphans_left", execution=execution_id, reason=str(error))
    await _sweep_inputs(context, before)


async def _sweep_execution(context: Context, execution_id: str, before: int) -> None:
    """Remove the orphans of an execution, unless it or a retry of it is worked on."""
    written = [
        name for kind in KINDS for name in await context.objects.names(f"{kind}/{execution_id}", before / 1e3)
    ]
    family = await context.database.read(references.find_family, execution_id)
    if written and family is not None:
        named = await context.database.read(references.find_named, family)
        for revision in await context.database.read(references.find_revisions, family):
            index = index_name(*revision)
            indexed = await asyncio.to_thread(lambda name: open_index(context.objects, name).objects, index)
            named |= {index, manifest_name(*revision), *indexed}
        await _remove(context, set(written) - named)


async def _sweep_inputs(context: Context, before: int) -> None:
    written = await context.objects.names("inputs", before / 1e3)
    named, waiting = await context.database.read(references.find_inputs)
    await _remove(context, set(written) - named - {snapshot_name(*each) for each in waiting})


async def _remove(context: Context, names: set[str]) -> None:
    if names:
        log.info("orphans_removed", objects=len(names))
    await context.objects.delete(sorted(names))
