"""Requests that are made up from the API's document, good and bad: what comes back is what the document says."""

import json
import os
import re
import subprocess
from collections import Counter

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from processes import BINARIES, ROOT
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from seeds import BODIES, KEPT, PROVIDER_KEY, SEEDS, VIRTUAL_KEY

EXAMPLES = int(os.environ.get("TOLLGATE_API_EXAMPLES", "3"))
DOCUMENT = json.loads((ROOT / "admin/openapi.json").read_text())
PARAMETER = re.compile(r"\{(\w+)\}")
OPERATIONS = [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods]
# What needs no administrator: logging in, and what is open to whoever has a virtual key.
QUOTA = "GET /api/governance/virtual-keys/quota"
OPEN = {"GET /api/session/is-auth-enabled", "POST /api/session/login", "POST /api/session/logout", QUOTA}
EXCLUDED = [
    # What fits the shapes may be wrong all the same and is answered 400: a reference to nothing, a rule's expression.
    positive_data_acceptance,
    # This gateway asks for no log-in; the other one is tested for that.
    ignored_auth,
]


def without_format_of_unsigned(shape):
    """OpenAPI has a format for signed numbers of 64 bits alone; ours take what is beyond, which is no bad request."""
    if shape.get("format") == "int64" and shape.get("minimum") == 0:
        del shape["format"]
    return shape


def generable(document):
    """The document with a good body beside each body's shape, and without what would lock the rest of the run out."""
    document = json.loads(json.dumps(document), object_hook=without_format_of_unsigned)
    del document["components"]["schemas"]["ConfigBody"]["properties"]["auth_config"]
    for label, body in BODIES.items():
        method, path = label.split()
        document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["example"] = body
    return document


schema = schemathesis.openapi.from_dict(generable(DOCUMENT))
# How often an operation was called, and which ones succeeded.
calls = Counter()
succeeded = set()
BOUNDS = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
# What cannot succeed here.
NEVER = {
    # Nothing is abandoned.
    "POST /api/governance/abandoned/{run}/{number}/void",
    # No call was made yet, and none that was has a known name.
    "GET /api/logs/{id}",
    # Ids are made, so none is known beforehand; admin/tests/api/auth.rs has them.
    "GET /api/api-keys/{id}",
    "PUT /api/api-keys/{id}",
    "DELETE /api/api-keys/{id}",
    # There is nothing to log in to.
    "POST /api/session/login",
    # Others refer to these.
    "DELETE /api/governance/budgets/{id}",
    "DELETE /api/governance/customers/{id}",
    "DELETE /api/governance/rate-limits/{id}",
    "DELETE /api/governance/teams/{id}",
}


@pytest.fixture(scope="session")
def client():
    with requests.Session() as session:
        yield session


def keep_provider_key(base_url):
    """Makes the provider's key anew where a made up list of keys, or another name for it, took it away."""
    made = httpx.post(f"{base_url}/api/providers/seed/keys", json={"name": PROVIDER_KEY, "value": "sk-fake-seed"})
    assert made.status_code in (201, 409), made.text


def aim(case, base_url):
    """Lets three of four requests ask for what exists. The first is one of them."""
    label = case.operation.label
    calls[label] += 1
    if calls[label] % 4 == 0:
        return
    for path, seed in SEEDS.items():
        if case.operation.path.startswith(path):
            case.path_parameters[PARAMETER.search(path)[1]] = seed
    if "key" in (case.path_parameters or {}):
        case.path_parameters["key"] = PROVIDER_KEY
        keep_provider_key(base_url)


def headers_of(case):
    return {"x-bf-vk": VIRTUAL_KEY} if case.operation.label == QUOTA else None


def test_the_served_document_is_the_one_in_the_source(open_gateway):
    assert httpx.get(f"{open_gateway.url}/api/openapi.json").raise_for_status().json() == DOCUMENT


@schema.parametrize()
@BOUNDS
def test_replies_are_as_documented(case, open_gateway, client):
    aim(case, open_gateway.url)
    response = case.call(base_url=open_gateway.url, session=client, headers=headers_of(case))
    if response.status_code < 300 and case.method == case.operation.method.upper():
        succeeded.add(case.operation.label)
    case.validate_response(response, excluded_checks=EXCLUDED, headers=headers_of(case))


@pytest.mark.parametrize("label", OPERATIONS)
def test_only_open_paths_answer_without_a_log_in(label, locked_gateway, credential):
    method, path = label.split()
    url = locked_gateway.url + re.sub(r"\{\w+\}", "1", path)
    body = (
        {"content": b"{}", "headers": {"content-type": "application/json"}} if method not in ("GET", "DELETE") else {}
    )
    stranger = httpx.request(method, url, **body)
    if label in OPEN:
        assert stranger.status_code != 401 or "virtual key" in stranger.text
        return
    assert stranger.status_code == 401
    assert stranger.json()["error"]["type"] == "authentication_required"
    body.setdefault("headers", {}).update(credential)
    assert httpx.request(method, url, **body).status_code not in (401, 403)


def test_afterwards_every_operation_has_succeeded_once(open_gateway):
    if not set(OPERATIONS) <= set(calls):
        pytest.skip(f"not called: {set(OPERATIONS) - set(calls)}")
    assert set(OPERATIONS) - succeeded - NEVER == set()


def test_afterwards_calls_to_models_are_served(open_gateway):
    body = {"model": "kept/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    reply = httpx.post(f"{open_gateway.url}/v1/chat/completions", json=body, headers={"x-bf-vk": KEPT})
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"]


def test_afterwards_the_audit_log_is_whole(open_gateway):
    lines = httpx.get(f"{open_gateway.url}/api/governance/audit-logs/export").raise_for_status().text.splitlines()
    lines = [json.loads(line) for line in lines]
    assert [line["seq"] for line in lines] == list(range(len(lines), 0, -1))
    assert {"create", "update", "delete"} <= {line["action"] for line in lines}
    command = [BINARIES / "tollgate", "audit", "verify", *open_gateway.place]
    verified = subprocess.run(command, capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr
    assert f"{len(lines)} rows" in verified.stdout
