"""Crawlee's HTTP crawler, 64 requests at a time, its data set kept in memory and exported as CSV."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from crawlee import ConcurrencySettings
from crawlee.configuration import Configuration
from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.storage_clients import MemoryStorageClient

URL, COUNT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flatten(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, inner


async def main() -> None:
    crawler = HttpCrawler(
        storage_client=MemoryStorageClient(),
        configuration=Configuration(storage_dir=f"{FOLDER}/storage", log_level="CRITICAL"),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=64, max_concurrency=64, desired_concurrency=64
        ),
        configure_logging=False,
        statistics_log_format="inline",
        request_handler_timeout=timedelta(minutes=1),
    )

    @crawler.router.default_handler
    async def take(context: HttpCrawlingContext) -> None:
        page = json.loads(await context.http_response.read())
        await context.push_data([dict(flatten(row)) for row in page["rows"]])

    await crawler.run([f"{URL}/sample/{number}" for number in range(COUNT)])
    await crawler.export_data(f"{FOLDER}/rows.csv")


logging.disable(logging.CRITICAL)
asyncio.run(main())
