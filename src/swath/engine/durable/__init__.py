"""The durable engine: the only place that knows DBOS.

Its workflows are tiny and stable, all logic is in steps, arguments are ids and results are counts. What
is true of an execution stands in our own tables; the engine only makes sure that somebody works on it.
"""

from swath.engine.durable.engine import Engine
from swath.engine.durable.lost import find_lost

__all__ = ["Engine", "find_lost"]
