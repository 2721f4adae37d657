"""What the OpenAPI document says is what comes."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.api.harness import Client
from tests.api.test_worlds import furnish

from swath.wire import schemas


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/workflows/{workflow}", schemas.workflows.WorkflowObject),
        ("/endpoints/{endpoint}", schemas.endpoints.EndpointObject),
        ("/collections/{collection}", schemas.collections.CollectionObject),
        ("/proxies/{proxy}", schemas.proxies.ProxyObject),
        ("/workflows/executions/{execution}", schemas.executions.ExecutionObject),
        ("/workflows/executions/{execution}/items/1", schemas.executions.ItemObject),
        ("/settings", schemas.server.ServerObject),
        ("/webhooks", schemas.automation.WebhookObject),
        ("/schedules", schemas.automation.ScheduleObject),
        ("/workflows", schemas.workflows.WorkflowLine),
        ("/endpoints", schemas.endpoints.EndpointObject),
        ("/collections", schemas.collections.CollectionLine),
        ("/proxies", schemas.proxies.ProxyObject),
        ("/tokens", schemas.server.TokenObject),
        ("/executions", schemas.executions.ExecutionObject),
    ],
)
def test_answers_have_exactly_the_described_fields(alice: Client, path: str, kind: Any) -> None:
    """No field more, none less, each of its type."""
    found = alice.get(path.format(**furnish(alice)))
    for each in found if isinstance(found, list) else [found]:
        assert set(each) == {field.name for field in fields(kind)}
        assert is_dataclass(TypeAdapter(kind).validate_python(each))
