"""A client of a Swath server, synchronous and asynchronous; it imports nothing of the server.

from swath.client import Client

client = Client()  # SWATH_URL and SWATH_TOKEN, or the token in ./data/token
execution = client.workflows["My Awesome Workflow"].execute({"user_id": ["1", "2"]})
for row in execution.wait().rows():
    print(row)
"""

from swath.client.asynchronous import AsyncClient, AsyncCollection, AsyncExecution, AsyncResult, AsyncWorkflow
from swath.client.faults import ApiError, ExecutionFailed, NotReached
from swath.client.synchronous import Client, Collection, Execution, Result, Workflow

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncCollection",
    "AsyncExecution",
    "AsyncResult",
    "AsyncWorkflow",
    "Client",
    "Collection",
    "Execution",
    "ExecutionFailed",
    "NotReached",
    "Result",
    "Workflow",
]
