"""A declarative source of Airbyte's CDK: a partition per response, 64 threads, its messages in a file."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

URL, COUNT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]

stream: dict[str, Any] = {
    "type": "DeclarativeStream",
    "name": "rows",
    "primary_key": [],
    "schema_loader": {
        "type": "InlineSchemaLoader",
        "schema": {"type": "object", "additionalProperties": True, "properties": {}},
    },
    "retriever": {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester",
            "url_base": URL,
            "path": "/sample/{{ stream_partition.n }}",
            "http_method": "GET",
        },
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": ["rows"]},
        },
        "partition_router": {
            "type": "ListPartitionRouter",
            "cursor_field": "n",
            "values": [str(number) for number in range(COUNT)],
        },
    },
}
manifest = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["rows"]},
    "streams": [stream],
    "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 64, "max_concurrency": 64},
    "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
}
catalog = {
    "streams": [
        {
            "stream": {"name": "rows", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "append",
        }
    ]
}
folder = Path(FOLDER)
(folder / "config.json").write_text("{}")
(folder / "catalog.json").write_text(json.dumps(catalog))
logging.disable(logging.CRITICAL)
source = ConcurrentDeclarativeSource(source_config=manifest, config={}, catalog=None, state=None)
arguments = ["read", "--config", f"{FOLDER}/config.json", "--catalog", f"{FOLDER}/catalog.json"]
with (folder / "messages.jsonl").open("w") as out:
    os.dup2(out.fileno(), sys.__stdout__.fileno())  # it prints beside sys.stdout
    launch(source, arguments)
