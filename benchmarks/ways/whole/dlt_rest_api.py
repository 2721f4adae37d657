"""dlt's declarative rest_api source, its resource parallelized, feeding a pipeline into Parquet files."""

import os
import sys
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
os.environ["EXTRACT__WORKERS"] = "16"
os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = "64"

import dlt
from dlt.sources.rest_api import rest_api_source

URL, COUNT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]


@dlt.resource(selected=False)
def numbers() -> Any:
    yield [{"n": number} for number in range(COUNT)]


endpoint = {"path": "sample/{resources.numbers.n}", "data_selector": "rows", "paginator": "single_page"}
source = rest_api_source({
    "client": {"base_url": URL},
    "resources": [numbers(), {"name": "rows", "endpoint": endpoint, "parallelized": True}],
})  # fmt: skip
pipeline = dlt.pipeline(
    "bench", pipelines_dir=f"{FOLDER}/state", destination=dlt.destinations.filesystem(f"file://{FOLDER}/out")
)
pipeline.run(source, loader_file_format="parquet")
