"""dlt's REST client, in its thread pool, feeding a pipeline into Parquet files; no telemetry."""

import os
import sys
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
os.environ["EXTRACT__WORKERS"] = "16"
os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = "64"

import dlt
from dlt.sources.helpers.rest_client import RESTClient

URL, COUNT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
client = RESTClient(URL)


@dlt.resource
def numbers() -> Any:
    yield list(range(COUNT))


@dlt.transformer(data_from=numbers, name="rows", parallelized=True)
def rows(batch: list[int]) -> Any:
    for number in batch:

        @dlt.defer
        def one(number: int = number) -> Any:
            return client.get(f"/sample/{number}").json()["rows"]

        yield one()


pipeline = dlt.pipeline(
    "bench", pipelines_dir=f"{FOLDER}/state", destination=dlt.destinations.filesystem(f"file://{FOLDER}/out")
)
pipeline.run(rows, loader_file_format="parquet")
