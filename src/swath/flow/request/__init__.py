"""From an endpoint and the values of its variables to one request."""

from swath.flow.request.render import (
    UNSET,
    Request,
    RequestTemplate,
)

__all__ = [
    "UNSET",
    "Request",
    "RequestTemplate",
]
