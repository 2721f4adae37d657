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
        ("/workflows/{workflow}", schemas.WorkflowObject),
        ("/endpoints/{endpoint}", schemas.EndpointObject),
        ("/collections/{collection}", schemas.CollectionObject),
        ("/proxies/{proxy}", schemas.ProxyObject),
        ("/workflows/executions/{execution}", schemas.ExecutionObject),
        ("/workflows/executions/{execution}/items/1", schemas.ItemObject),
        ("/settings", schemas.ServerObject),
        ("/webhooks", schemas.WebhookObject),
        ("/schedules", schemas.ScheduleObject),
        ("/workflows", schemas.WorkflowLine),
        ("/endpoints", schemas.EndpointObject),
        ("/collections", schemas.CollectionLine),
        ("/proxies", schemas.ProxyObject),
        ("/tokens", schemas.TokenObject),
        ("/executions", schemas.ExecutionObject),
    ],
)
def test_answers_have_exactly_the_described_fields(alice: Client, path: str, kind: Any) -> None:
    """No field more, none less, each of its type."""
    found = alice.get(path.format(**furnish(alice)))
    for each in found if isinstance(found, list) else [found]:
        assert set(each) == {field.name for field in fields(kind)}
        assert is_dataclass(TypeAdapter(kind).validate_python(each))
