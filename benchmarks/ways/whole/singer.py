"""A tap of the Singer SDK: one partition per response, records as Singer messages in a file, no target."""

import logging
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import SinglePagePaginator

URL, COUNT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Rows(RESTStream[Any]):
    name = "rows"
    url_base = URL
    path = "/sample/{n}"
    records_jsonpath = "$.rows[*]"
    state_partitioning_keys: ClassVar[list[str]] = []
    schema = th.PropertiesList(
        th.Property("page", th.IntegerType),
        th.Property("id", th.IntegerType),
        th.Property("text", th.StringType),
        th.Property("created_at", th.IntegerType),
        th.Property("author", th.ObjectType(
            th.Property("id", th.StringType),
            th.Property("username", th.StringType),
            th.Property("verified", th.BooleanType),
            additional_properties=True,
        )),
        th.Property("hashtags", th.ArrayType(th.StringType)),
        th.Property("likes", th.IntegerType),
        th.Property("score", th.NumberType),
        th.Property("location", th.CustomType({"type": ["object", "string", "null"]})),
        th.Property("pinned", th.BooleanType),
    ).to_dict()  # fmt: skip

    @property
    def partitions(self) -> list[dict[str, Any]]:
        return [{"n": number} for number in range(COUNT)]

    def get_new_paginator(self) -> SinglePagePaginator:
        return SinglePagePaginator()


class Sample(Tap):
    name = "tap-sample"
    config_jsonschema = th.PropertiesList().to_dict()

    def discover_streams(self) -> list[Any]:
        return [Rows(self)]


logging.disable(logging.CRITICAL)
with Path(FOLDER, "messages.jsonl").open("w") as out, redirect_stdout(out):
    Sample(config={}).sync_all()
