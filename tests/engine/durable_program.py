"""A process of the durable engine as Swath sets it up, with workflows that write down each of their steps.

It reads an order a line and answers each with a line: `queue ID STEPS PRIORITY`, `cancel ID`, `resume ID`,
`recover PROCESS`, `status ID`, `wait ID`, `forget PREFIX`. A step waits for as long as a file `hold-ID-STEP`
is in the folder.
"""

import asyncio
import sys
from pathlib import Path

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from swath.engine.durable.configuration import configure, configure_shared
from swath.engine.durable.engine import ENDED

folder, place, name, version = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


@DBOS.workflow(name="count", max_recovery_attempts=1000)
async def count(steps: int) -> int:
    """Do so many steps."""
    for number in range(steps):
        await note(number)
    return steps


@DBOS.step(name="note")
async def note(number: int) -> None:
    told = f"{DBOS.workflow_id} {number}"
    with (folder / "steps").open("a") as out:
        out.write(f"{told}\n")
    while (folder / f"hold-{told.replace(' ', '-')}").exists():  # noqa: ASYNC110 - another process says when
        await asyncio.sleep(0.02)


async def heed(order: str, *words: str) -> object:
    """Do as an order says; return what is to be answered."""
    if order == "queue":
        with SetWorkflowID(words[0]), SetEnqueueOptions(priority=int(words[2])):
            await DBOS.enqueue_workflow_async("one", count, int(words[1]))
    elif order == "cancel":
        await DBOS.cancel_workflow_async(words[0])
    elif order == "resume":
        await DBOS.resume_workflow_async(words[0], queue_name="one")
    elif order == "recover":
        await asyncio.to_thread(DBOS._recover_pending_workflows, [words[0]])
    elif order == "wait":
        return await (await DBOS.retrieve_workflow_async(words[0])).get_result()
    elif order == "status":
        found = await DBOS.get_workflow_status_async(words[0])
        return found.status if found else None
    elif order == "forget":
        found_all = await DBOS.list_workflows_async(workflow_id_prefix=words[0], status=ENDED)
        await DBOS.delete_workflows_async([each.workflow_id for each in found_all])
    return "done"


async def main() -> None:
    config = configure_shared(place, name) if "://" in place else configure(Path(place))
    config["application_version"] = version
    DBOS(config=config)
    DBOS.launch()
    await DBOS.register_queue_async("one", worker_concurrency=1, polling_interval_sec=0.1)
    print("up", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(await heed(*line.split()), flush=True)


asyncio.run(main())
