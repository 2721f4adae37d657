"""Brings webhooks what they are to be told: signed, bounded, past the address guard, until it is taken.

Signatures are those of Standard Webhooks (https://www.standardwebhooks.com), so that receivers can verify
them with a library of theirs. What becomes of a delivery never touches the execution that it tells of.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from swath.engine.exits import DIRECT
from swath.engine.fetcher import Answer, Fetcher
from swath.engine.times import Clock, now_ms
from swath.errors import FetchFault
from swath.flow.definition import Json, Limits, RetryPolicy
from swath.flow.request import Request
from swath.flow.verdict import backoff, wait_hint
from swath.store import executions, retention, webhooks
from swath.store.database import Connection, Database, Row
from swath.store.vault import Vault

#: Receivers are asked for an acknowledgement only. A redirect is none, and is not followed.
LIMITS = Limits(
    timeout=20.0, connect_timeout=10.0, read_timeout=15.0, max_response_bytes=64 * 1024, max_redirects=0
)
#: Half a day of attempts: after 5 s, 10 s, 20 s, then every hour.
POLICY = RetryPolicy(max_attempts=20, base_delay=10.0, max_delay=3_600.0)
#: The longest wait that a receiver may ask for.
LONGEST_WAIT = 86_400.0
#: Deliveries under way at a time.
AT_ONCE = 16
#: Characters of an answer that the log keeps.
HEAD = 1_000
SECRET_PREFIX = "whsec_"

#: Returns what a delivery tells.
Describe = Callable[[Connection, Row[Any]], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt: `error` of None is a success, `least` the seconds that were asked for."""

    status: int | None = None
    answer: str | None = None
    elapsed: float | None = None
    error: str | None = None
    least: float = 0.0
    final: bool = False


class Courier:
    """Makes deliveries. One for the process."""

    def __init__(
        self, database: Database, fetcher: Fetcher, vault: Vault, clock: Clock, describe: Describe
    ) -> None:
        self._database = database
        self._fetcher = fetcher
        self._vault = vault
        self._clock = clock
        self._describe = describe
        self._places = asyncio.Semaphore(AT_ONCE)

    async def deliver(self, delivery_id: str) -> None:
        """Make one attempt and note what became of it. Raises FetchFault where the process is ending."""
        row = await self._database.read(webhooks.find_delivery, delivery_id)
        if row is None or row.state != "waiting":
            return
        if not row.enabled and row.execution_id is not None:
            outcome = Outcome(error="The webhook is not enabled any more.", final=True)
        else:
            async with self._places:
                outcome = await self._attempt(row, await self._payload(row))
        await self._note(row, outcome)

    async def postpone(self, delivery_id: str, reason: str) -> None:
        """Note an attempt that came to nothing by a fault of ours."""
        row = await self._database.read(webhooks.find_delivery, delivery_id)
        if row is not None and row.state == "waiting":
            await self._note(row, Outcome(error=reason))

    async def _payload(self, row: Row[Any]) -> str:
        """Return what is sent."""
        if row.payload is not None:
            return str(row.payload)
        return await self._database.write(write_payload, self._describe, row)

    async def _attempt(self, row: Row[Any], payload: str) -> Outcome:
        headers = self._sign(row, payload)
        request = Request("POST", self._vault.open(row.url), headers, payload.encode())
        try:
            answer = await self._fetcher.fetch(request, DIRECT, LIMITS)
        except FetchFault as fault:
            if fault.code == "stopped":
                raise
            return Outcome(error=f"{fault.code}: {fault.message}", final=not fault.retryable)
        taken = 200 <= answer.status < 300
        asked = wait_hint(answer.status, answer.headers, self._clock.epoch()) or 0.0
        return Outcome(
            status=answer.status,
            answer=_head(answer),
            elapsed=answer.elapsed,
            error=None if taken else f"It answered {answer.status}.",
            least=min(asked, LONGEST_WAIT),
        )

    def _sign(self, row: Row[Any], payload: str) -> tuple[tuple[str, str], ...]:
        timestamp = str(int(self._clock.epoch()))
        return (
            ("content-type", "application/json"),
            ("webhook-id", row.id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", sign(self._vault.open(row.secret), row.id, timestamp, payload)),
        )

    async def _note(self, row: Row[Any], outcome: Outcome) -> None:
        """Write down what became of an attempt, and when there is to be another."""
        wait = self._next_wait(row, outcome)
        values = {
            "state": "delivered" if outcome.error is None else "failed" if wait is None else "waiting",
            "next_at": None if wait is None else self.now() + round(wait * 1e3),
            "last_at": self.now(),
            "last_status": outcome.status,
            "last_answer": outcome.answer,
            "last_error": outcome.error,
            "elapsed": outcome.elapsed,
        }
        await self._database.write(_note, row, values)

    def _next_wait(self, row: Row[Any], outcome: Outcome) -> float | None:
        """Return the seconds until the next attempt, None for none; a test is tried once."""
        tried = row.attempts + 1
        is_over = outcome.error is None or outcome.final or row.execution_id is None
        if is_over or tried >= POLICY.max_attempts:
            return None
        # At least half of it: by chance only as far as to spread those who wait for one receiver.
        return max(outcome.least, backoff(POLICY, tried, (1 + random.random()) / 2))

    def now(self) -> int:
        """Return the time by which deliveries are due, in milliseconds."""
        return round(self._clock.epoch() * 1e3)


def write_payload(connection: Connection, describe: Describe, row: Row[Any]) -> str:
    """Return what is sent: written once, so that all attempts of a delivery are alike."""
    written = webhooks.find_payload(connection, row.id)
    if written is None:
        told = msgspec.json.encode(describe(connection, row)).decode()
        written = webhooks.keep_payload(connection, row.id, told)
    return written


def _note(connection: Connection, row: Row[Any], values: Mapping[str, Any]) -> None:
    """Write down what became of an attempt; what the durable engine keeps of it goes with its execution."""
    webhooks.note_attempt(connection, row.id, values)
    if row.execution_id is not None and executions.find(connection, row.execution_id) is None:
        retention.forget_work(connection, row.execution_id, now_ms())


def sign(secret: str, delivery_id: str, timestamp: str, payload: str) -> str:
    """Return the signature of a delivery; `secret` is any text, or `whsec_` and a key in base64."""
    signed = f"{delivery_id}.{timestamp}.{payload}".encode()
    digest = hmac.new(read_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def read_key(secret: str) -> bytes:
    """Return the bytes that a secret stands for. Raises ValueError where it is not base64, but says so."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _head(answer: Answer) -> str:
    return answer.body[: 4 * HEAD].decode("utf-8", "replace").replace("\0", "\ufffd")[:HEAD]
