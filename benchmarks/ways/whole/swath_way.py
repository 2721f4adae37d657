"""Swath in one process as `swath serve` runs it: durable, with its map and write workers, one CSV."""

import asyncio
import sys
from pathlib import Path

import uvloop


async def main(url: str, count: int, folder: Path) -> None:
    # Here and not above: each worker process imports this script again, and must not import the house.
    from swath.bootstrap import open_house, spare_collector  # noqa: PLC0415
    from swath.flow.definition import Endpoint, Workflow  # noqa: PLC0415
    from swath.operations import endpoints, executions, triggers, users, workflows  # noqa: PLC0415
    from swath.settings import Settings  # noqa: PLC0415

    settings = Settings(data_dir=folder / "data", allowed_private_hosts=("127.0.0.0/8",))
    spare_collector()
    async with open_house(settings) as context:
        user = await users.authenticate(context, (settings.data_dir / "token").read_text().strip())
        endpoint = await endpoints.create(context, user, Endpoint(name="sample", url=url + "/sample/{{n}}"))
        recipe = Workflow(
            name="bench",
            endpoint_id=endpoint.id,
            include_inputs=False,
            concurrency=64,
            result_collections=("rows",),
        )
        workflow = await workflows.create(context, user, recipe)
        inputs = triggers.Trigger(execution_parameters={"n": [str(number) for number in range(count)]})
        execution = await triggers.trigger(context, user, workflow.id, inputs)
        while not (shown := await executions.show(context, user, execution))["completed_at"]:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        counted = sum(result["rows"] for result in shown["results"])
        if counted != count * 20:
            raise SystemExit(f"{counted} rows instead of {count * 20}: {shown['status']}")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
