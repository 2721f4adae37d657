"""One application of a formula, in its transaction: find each thing by name, see what changes, write it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from swath.engine.exits import parse_proxy_url
from swath.errors import FieldError, InvalidInput
from swath.flow.definition import Endpoint, Json, Workflow
from swath.flow.formula import Change, Formula, ListedProxy, compare
from swath.flow.formula.changes import Action, Difference, Kind, compare_items
from swath.flow.formula.writing import describe_endpoint, describe_proxy, describe_workflow
from swath.flow.items import prepare
from swath.flow.masking import MASK
from swath.operations import collections, endpoints, proxies, workflows
from swath.operations.context import Context, User
from swath.operations.references import Names, resolve
from swath.store import definitions, schema
from swath.store.database import Connection, Row
from swath.store.vault import is_sealed, unseal

Differences = tuple[Difference, ...]


@dataclass
class Application:
    """What is known on the way."""

    connection: Connection
    context: Context
    user: User
    formula: Formula
    secrets: Mapping[str, Json]
    changes: list[Change] = field(default_factory=list)
    endpoint_ids: dict[str, str] = field(default_factory=dict)
    collection_ids: dict[str, str] = field(default_factory=dict)
    workflow_ids: dict[str, str] = field(default_factory=dict)

    def apply(self) -> None:
        for name, endpoint in self.formula.endpoints.items():
            self._apply_endpoint(name, endpoint)
        for name, items in self.formula.collections.items():
            self._apply_collection(name, items)
        for name, listed in self.formula.proxies.items():
            self._apply_proxy(name, listed)
        self._apply_workflows()

    def find_missing(self) -> list[str]:
        """Return the secret variables that nothing gives a value."""
        missing = []
        for name, endpoint_id in self.endpoint_ids.items():
            filled = self._fill(endpoint_id)
            missing += [
                f"{name}.{each}"
                for each, variable in self._endpoint(endpoint_id).variables.items()
                if variable.secret and variable.default in (None, "") and each not in filled
            ]
        return missing

    def _fill(self, endpoint_id: str) -> set[str]:
        """Return the variables that every workflow of an endpoint gives a value itself."""
        filled = []
        for row in definitions.find_workflows_of_endpoint(self.connection, endpoint_id):
            workflow = definitions.read_workflow(self.connection, row)
            mapped = {mapping.target_variable_name for mapping in workflow.mappings}
            fetched = {workflow.auth.variable} if workflow.auth else set()
            filled.append(mapped | fetched | set(workflow.inputs))
        return set.intersection(*filled) if filled else set()

    # --- endpoints

    def _apply_endpoint(self, name: str, new: Endpoint) -> None:
        row = self._find("endpoints", schema.endpoints, name)
        old = definitions.read_endpoint(row) if row is not None else None
        filled = replace(
            new,
            variables={
                each: replace(variable, default=self._secret(name, each, old))
                if variable.secret
                else variable
                for each, variable in new.variables.items()
            },
        )
        action, found = compare(describe_endpoint(old) if old else None, describe_endpoint(new))
        found += tuple(self._changed_secrets(filled, old))
        if action == "unchanged" and found:
            action = "update"
        endpoint_id = self.endpoint_ids[name] = row.id if row is not None else str(uuid4())
        vault = self.context.vault
        if action == "create":
            endpoints.create_in(self.connection, vault, self.user, endpoint_id, filled)
        elif action == "update":
            endpoints.update_in(self.connection, vault, self.user, endpoint_id, lambda _: filled)
        self._note("endpoint", name, action, endpoint_id, found)

    def _secret(self, endpoint: str, variable: str, old: Endpoint | None) -> Json:
        """Return the value given for a secret, a mask for the one that is kept, or the formula's own."""
        for name in (f"{endpoint}.{variable}", variable):
            if name in self.secrets:
                return self.secrets[name]
        kept = old.variables.get(variable) if old is not None else None
        if kept is not None and is_sealed(kept.default):
            return MASK
        return self.formula.endpoints[endpoint].variables[variable].default

    def _changed_secrets(self, new: Endpoint, old: Endpoint | None) -> list[Difference]:
        known = old.variables if old is not None else {}
        changed = []
        for name, variable in new.variables.items():
            if not variable.secret or variable.default in (MASK, None, ""):
                continue
            kept = known[name].default if name in known else None
            if not is_sealed(kept) or unseal(kept, self.context.vault) != variable.default:
                before = None if kept in (None, "") else MASK
                changed.append(Difference(field=f"variables.{name}.default", old=before, new=MASK))
        return changed

    # --- collections and proxies

    def _apply_collection(self, name: str, items: Sequence[Json]) -> None:
        row = self._find("collections", schema.collections, name)
        old = collections.read_plain(self.connection, row) if row is not None else None
        kind, prepared = prepare(items)
        unique = [items[place] for _, place, _ in prepared]
        action, found = compare_items(old, unique)
        if row is None:
            self.collection_ids[name] = collections.create_in(
                self.connection, self.user, name, kind, prepared
            )
        else:
            self.collection_ids[name] = row.id
            if action == "update":
                collections.replace_in(self.connection, row, kind, prepared)
        self._note("collection", name, action, self.collection_ids[name], found)

    def _apply_proxy(self, name: str, listed: ListedProxy) -> None:
        row = self._find("proxies", schema.proxies, name)
        kept = self.context.vault.open(row.url) if row is not None else None
        url = self._address(name, listed, kept)
        proxy = proxies.Proxy(type=listed.type, location=listed.location, url=url, name=name)
        old = describe_proxy(row.type, row.location, proxies.without_login(kept)) if row and kept else None
        action, found = compare(old, describe_proxy(proxy.type, proxy.location, proxies.without_login(url)))
        if action == "unchanged" and kept != url:
            action, found = "update", (Difference(field="login", old=MASK, new=MASK),)
        proxy_id = row.id if row is not None else str(uuid4())
        vault, shared = self.context.vault, row is not None and row.for_all
        if action == "create":
            proxies.create_in(self.connection, vault, self.user, proxy_id, proxy)
        elif action == "update":
            proxies.update_in(
                self.connection, vault, self.user, proxy_id, lambda _: replace(proxy, shared=shared)
            )
        self._note("proxy", name, action, proxy_id, found)

    def _address(self, name: str, listed: ListedProxy, kept: str | None) -> str:
        """Return a proxy's address: as given with its login, as it is kept, or as it is written."""
        field, given = f"proxies.{name}.url", self.secrets.get(f"proxies.{name}")
        written = None if listed.url is None else parse_proxy_url(listed.url, field)
        if given is not None:
            return parse_proxy_url(str(given), field)
        if kept is not None and written in (None, proxies.without_login(kept)):
            return kept
        if written is None:
            message = f"Has no address: write its `url`, or give it with --secret proxies.{name}=URL."
            raise InvalidInput(field, message)
        return written

    # --- workflows

    def _apply_workflows(self) -> None:
        ids = self.endpoint_ids, self.collection_ids, self.workflow_ids
        names = Names.of(self.connection, self.user, *ids)
        for name, written in self.formula.feeders_first():
            try:
                self._apply_workflow(names, name, written)
            except FieldError as error:
                fields = [(f"workflows.{name}.{field}", message) for field, message in error.fields]
                raise InvalidInput(*fields[0], *fields[1:]) from None

    def _apply_workflow(self, names: Names, name: str, written: Workflow) -> None:
        row = self._find("workflows", schema.workflows, name)
        old = definitions.read_workflow(self.connection, row) if row is not None else None
        new = resolve(names, written)
        endpoint = self._endpoint(new.endpoint_id)
        described = describe_workflow(names.name(old), endpoint) if old is not None else None
        action, found = compare(described, describe_workflow(names.name(new), endpoint))
        workflow_id = self.workflow_ids[name] = row.id if row is not None else str(uuid4())
        kept, vault = workflows.inherit(new, old), self.context.vault
        if action == "create":
            workflows.create_in(self.connection, vault, self.user, workflow_id, kept)
        elif action == "update":
            workflows.update_in(self.connection, vault, self.user, workflow_id, lambda _: kept)
        self._note("workflow", name, action, workflow_id, found)

    def _endpoint(self, endpoint_id: str) -> Endpoint:
        row = definitions.find_endpoint(self.connection, self.user.id, endpoint_id)
        assert row is not None  # it was resolved in this transaction
        return definitions.read_endpoint(row)

    # --- all of them

    def _find(self, section: str, table: Any, name: str) -> Row[Any] | None:
        """Return what has a name. Raises Conflict where several have it."""
        rows = definitions.find_named(self.connection, table, self.user.id, name)
        if len(rows) > 1:
            ids = ", ".join(row.id for row in rows)
            raise InvalidInput(
                f"{section}.{name}", f"Several of yours have this name: {ids}. Rename or delete all but one."
            )
        return rows[0] if rows else None

    def _note(self, kind: Kind, name: str, action: Action, thing_id: str, found: Differences) -> None:
        self.changes.append(Change(kind=kind, name=name, action=action, id=thing_id, differences=found))
