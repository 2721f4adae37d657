"""The tables. Migrations make them; a test proves that both agree.

Ids are text UUIDs where the outside sees them, integers where millions of rows refer to them.
Times are milliseconds since 1970, UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("admin", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    #: SHA-256 of the token; the token itself is shown once and never kept.
    Column("digest", Text, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

workflows = Table(
    "workflows",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("endpoint_id", Text, ForeignKey("endpoints.id"), nullable=False, index=True),
    Column("definition", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: The text of the formula that a workflow was last applied from.
formulas = Table(
    "formulas",
    metadata,
    Column("workflow_id", Text, ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),
)

mappings = Table(
    "mappings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", Text, ForeignKey("workflows.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("target_variable_name", Text, nullable=False),
    Column("source_collection_id", Text, ForeignKey("collections.id"), index=True),
    Column("source_collection_json_key", Text),
    #: Instead of a collection: a column of the rows of another workflow's executions, and of which table.
    Column("source_workflow_id", Text, ForeignKey("workflows.id"), index=True),
    Column("source_column", Text),
    Column("source_table", Text),
)

collections = Table(
    "collections",
    metadata,
    #: What items and snapshots refer to; a UUID in a million rows would be most of their size.
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    #: `text` or `json`.
    Column("kind", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    #: What readers see: rows with added <= version, and not removed at or before it.
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
)

items = Table(
    "items",
    metadata,
    Column("collection", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    #: First 16 bytes of the SHA-256 of the canonical value.
    Column("digest", LargeBinary, nullable=False),
    Column("value", Text, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("removed", BigInteger),
    sqlite_with_rowid=False,
)

live_items = Index(
    "uq_items_live",
    items.c.collection,
    items.c.digest,
    unique=True,
    sqlite_where=items.c.removed.is_(None),
    postgresql_where=items.c.removed.is_(None),
)

removed_items = Index(
    "ix_items_removed",
    items.c.collection,
    items.c.removed,
    sqlite_where=items.c.removed.is_not(None),
    postgresql_where=items.c.removed.is_not(None),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("collection", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    #: The object that holds the items, null until an execution's start has written it.
    Column("object", Text),
)

proxies = Table(
    "proxies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    #: What its owner calls it; empty where nobody named it.
    Column("name", Text, nullable=False, server_default=""),
    Column("type", Text, nullable=False),
    Column("location", Text, nullable=False),
    #: Sealed by the vault: it holds credentials.
    Column("url", Text, nullable=False),
    #: Whether every user of the server may use it; only an administrator can say so.
    Column("for_all", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    #: What was last learnt of its health: when, the seconds of a good exchange, the code of a fault (null
    #: after a good one), and the end of its quarantine.
    Column("used_at", BigInteger),
    Column("latency", Float),
    Column("fault", Text),
    Column("rests_until", BigInteger),
)

executions = Table(
    "executions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    #: No foreign key: a deleted workflow's executions stay readable.
    Column("workflow_id", Text, nullable=False, index=True),
    #: The execution that this one is a retry of; it is not removed while this one may need its pages.
    Column("parent_id", Text, index=True),
    #: The execution whose rows it takes, which is not removed before they were read.
    Column("source_id", Text, index=True),
    #: The execution whose end started it.
    Column("triggered_by", Text, index=True),
    #: Which of the parent's items are fetched anew, as JSON, see `flow.renewal`.
    Column("choice", Text),
    #: Ended items that were taken over from the parent.
    Column("items_kept", BigInteger, nullable=False, server_default="0"),
    Column("name", Text),
    Column("status", Text, nullable=False, index=True),
    #: 1 to 9, the highest first.
    Column("priority", Integer, nullable=False, server_default="5"),
    #: When it was let in, within the limits of executions that may run at a time.
    Column("admitted_at", BigInteger),
    Column("error", Text),
    #: What it waits for through no doing of its own, in a sentence.
    Column("waiting", Text),
    #: The frozen definition, secrets sealed.
    Column("definition", Text, nullable=False),
    #: What its owner has changed since it was triggered, as JSON, secrets sealed.
    Column("adjustments", Text),
    #: `execution_parameters` as the caller gave them.
    Column("parameters", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("completed_at", BigInteger),
    #: Since when its stored answers are gone, for they were kept long enough.
    Column("archive_removed_at", BigInteger),
    Column("items_total", BigInteger, nullable=False),
    Column("shard_size", BigInteger, nullable=False),
    Column("truncated", Boolean, nullable=False),
    #: The limit that was reached first: `requests`, `rows`, `bytes` or `seconds`.
    Column("truncated_by", Text),
    Column("maximum_rows", BigInteger),
    Column("rows_reserved", BigInteger, nullable=False, server_default="0"),
    Column("maximum_bytes", BigInteger),
    Column("bytes_reserved", BigInteger, nullable=False, server_default="0"),
    #: How long it may run; how long it was paused in all, and while it is paused, since when.
    Column("maximum_ms", BigInteger),
    Column("paused_ms", BigInteger, nullable=False, server_default="0"),
    Column("paused_at", BigInteger),
    #: Kinds of limits that were set where there was none, as a JSON list, until all that was taken without
    #: them is recorded; nothing is handed out so long.
    Column("unsettled", Text),
    Column("maximum_requests_count", BigInteger),
    #: Attempts taken from the budget, whether or not a checkpoint has confirmed them.
    Column("attempts_reserved", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    #: Reserved by a process that died before it could say what became of them.
    Column("attempts_unknown", BigInteger, nullable=False),
    Column("pages", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("items_ended", BigInteger, nullable=False),
    #: Sentences that an owner should read, as a JSON list.
    Column("warnings", Text, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("execution_id", Text, nullable=False),
)

#: Counts of an execution by kind (`status`: an answer's status; `stop`: an item's stop reason).
tallies = Table(
    "tallies",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

#: What each second's checkpoints recorded of an execution.
paces = Table(
    "paces",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("second", BigInteger, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    #: Of the records' lists of the pages, before any filter.
    Column("rows", BigInteger, nullable=False),
    #: Answered 429.
    Column("refused", BigInteger, nullable=False),
    #: Answered with another status that is an error, or not at all.
    Column("errors", BigInteger, nullable=False),
)

shards = Table(
    "shards",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    #: Raised by whoever takes the shard: a checkpoint with an older number changes nothing.
    Column("claim", Integer, nullable=False),
    #: `handed` (waits for a worker), `taken` (a worker has it), `yielded` (stopped before its end), `done`.
    Column("state", Text, nullable=False),
    #: The hand-out that it was last part of; makes handing out repeatable.
    Column("batch", Integer, nullable=False),
    #: Claims in a row that ended without a new checkpoint.
    Column("fruitless", Integer, nullable=False),
    #: The last checkpoint that was recorded: one whose answer was lost is not recorded twice.
    Column("mark", Text),
    #: What became of each item, see `flow.shard.ShardProgress`.
    Column("progress", LargeBinary),
    #: What the map step made of the shard's pages, as JSON; null until it has run.
    Column("parts", Text),
)

#: The workers that share this database, each with its last sign of life by the database's clock.
leases = Table(
    "leases",
    metadata,
    Column("worker", Text, primary_key=True),
    #: How many shards it works on at a time.
    Column("slots", Integer, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    #: What it waits for, in a sentence; nothing where nothing is away.
    Column("waiting", Text),
)

#: What is known of a scope that several workers share. Times are the database's, in microseconds.
scopes = Table(
    "scopes",
    metadata,
    Column("key", Text, primary_key=True),
    #: When the next slot is due that nobody has reserved.
    Column("due", BigInteger, nullable=False),
    #: Until when nothing may be sent, because the target asked for it.
    Column("held_until", BigInteger, nullable=False),
)

#: Few of many: who looks for shards that wait need not pass by all that are done.
waiting_shards = Index(
    "ix_shards_waiting",
    shards.c.execution_id,
    sqlite_where=shards.c.state == "handed",
    postgresql_where=shards.c.state == "handed",
)

#: Which executions read which collections, and at which versions.
inputs = Table(
    "inputs",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("collection", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_inputs_collection_version", "collection", "version"),
)

#: Objects that nothing refers to any more, by the beginning of their names, and since when.
removals = Table(
    "removals",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

#: Work that one process does at a time, however many there are: whoever moves `until` on does it.
duties = Table(
    "duties",
    metadata,
    Column("name", Text, primary_key=True),
    Column("until", BigInteger, nullable=False),
)

#: A shard's pages in one segment.
frames = Table(
    "frames",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("execution_id", Text, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("object", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("pages", Integer, nullable=False),
    #: The smallest (item, page) in it, so that a merge opens it no earlier than needed.
    Column("first_item", BigInteger, nullable=False),
    Column("first_page", Integer, nullable=False),
    #: The shard's generation when it was fetched, see `flow.shard.ShardProgress`.
    Column("generation", Integer, nullable=False, server_default="0"),
    UniqueConstraint("execution_id", "shard", "object"),
)

failures = Table(
    "failures",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("page", Integer, nullable=False),
    Column("stop_reason", Text, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_status", Integer),
    Column("exit", Text),
    #: The item's inputs as JSON, secrets masked.
    Column("inputs", Text, nullable=False),
    #: The beginning of the last answer, secrets masked.
    Column("sample", Text),
    #: What came of the attempts, as a JSON list of exit, outcome and seconds waited.
    Column("tries", Text),
    Column("at", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("execution_id", Text, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),
)

#: Combinations asked for after an execution's end. Its own is revision 0, and no row here.
recipes = Table(
    "recipes",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    #: All of the recipe as JSON, not only what differs from revision 0.
    Column("recipe", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    #: Null until the files are there, or the error.
    Column("completed_at", BigInteger, index=True),
    Column("error", Text),
    Column("warnings", Text, nullable=False),
)

results = Table(
    "results",
    metadata,
    Column("id", Text, primary_key=True),
    Column("execution_id", Text, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("collection", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("object", Text, nullable=False),
    #: Stands in the path of the result's URL; whoever has it may read the file.
    Column("secret", Text, nullable=False, unique=True),
    Column("rows", BigInteger, nullable=False),
    Column("columns", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    #: Both sealed by the vault: an address may hold a key, too.
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    #: What it wants to be told of, as a JSON list.
    Column("events", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

#: What webhooks are told, written in the transaction that makes the event true.
deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("webhook_id", Text, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False, index=True),
    #: Null for a test.
    Column("execution_id", Text),
    Column("event", Text, nullable=False),
    #: What is sent; null until the first attempt writes it, the same for all attempts.
    Column("payload", Text),
    #: `waiting`, `delivered` or `failed`.
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    #: When the next attempt is due; nothing where none is.
    Column("next_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("last_at", BigInteger),
    Column("last_status", Integer),
    #: The beginning of the last answer, or why there was none.
    Column("last_answer", Text),
    Column("last_error", Text),
    Column("elapsed", Float),
    Index("ix_deliveries_due", "state", "next_at"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("workflow_id", Text, ForeignKey("workflows.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    #: What an execution is asked with, as JSON, secrets sealed.
    Column("execution", Text, nullable=False),
    #: `skip` or `queue`.
    Column("overlap", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    #: When it is due; null while it is off. Whoever moves it on has the run.
    Column("next_run_at", BigInteger, index=True),
    Column("last_run_at", BigInteger),
    Column("last_execution_id", Text),
    #: What became of the last time that it was due: `triggered`, `skipped` or `failed`, and why.
    Column("last_outcome", Text),
    Column("last_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
