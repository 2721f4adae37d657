"""Scrapy with its CSV feed, 64 requests at a time, quiet."""

import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

URL, COUNT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flatten(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, inner


class Sample(scrapy.Spider):
    name = "sample"

    async def start(self) -> AsyncIterator[Any]:
        for number in range(COUNT):
            yield scrapy.Request(f"{URL}/sample/{number}", dont_filter=True)

    def parse(self, response: Any) -> Iterator[dict[str, Any]]:
        for row in response.json()["rows"]:
            yield dict(flatten(row))


settings = {
    "LOG_ENABLED": False, "CONCURRENT_REQUESTS": 64,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 64, "DOWNLOAD_DELAY": 0,
    "ROBOTSTXT_OBEY": False, "TELNETCONSOLE_ENABLED": False, "COOKIES_ENABLED": False,
    "FEEDS": {f"{FOLDER}/rows.csv": {"format": "csv"}},
}  # fmt: skip
process = CrawlerProcess(settings)
process.crawl(Sample)
process.start()
