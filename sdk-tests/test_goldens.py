"""What translation made of the fixtures (`providers/fixtures/golden`) is what the newest clients' own types say."""

import functools
import json

import openai
import pytest
from processes import ROOT

if int(openai.__version__.split(".")[0]) < 3:
    pytest.skip("they are held against the newest clients", allow_module_level=True)

import jsonschema
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

GOLDEN = ROOT / "providers/fixtures/golden"
SCHEMAS = {
    "chat": "openai.chat",
    "responses": "openai.responses",
    "messages": "anthropic.chat",
    "generate": "gemini.chat",
}
ANSWERS = {
    "chat": ChatCompletion,
    "completions": Completion,
    "responses": Response,
    "messages": Message,
    "generate": GenerateContentResponse,
}
EVENTS = {
    "chat": ChatCompletionChunk,
    "completions": Completion,
    "responses": ResponseStreamEvent,
    "messages": RawMessageStreamEvent,
    "generate": GenerateContentResponse,
}


adapter = functools.cache(TypeAdapter)


def known(value, wire):
    """Without what the vendor itself sends, and its client takes, though its types do not have it."""
    if wire == "completions":
        choices = value["choices"]
        value = value | {"choices": [c | {"finish_reason": c["finish_reason"] or "stop"} for c in choices]}
    if wire == "generate" and "usageMetadata" in value:
        usage = {name: count for name, count in value["usageMetadata"].items() if name != "serviceTier"}
        value = value | {"usageMetadata": usage}
    # Messages have no pictures among their answers' types; a client that gets one shows it or leaves it.
    if wire == "messages" and value.get("type") == "message":
        value = value | {"content": [block for block in value["content"] if block["type"] != "image"]}
    if wire == "messages" and value.get("content_block", {}).get("type") == "image":
        value = value | {"content_block": {"type": "text", "text": ""}}
    return value


def goldens(kind, wires):
    """The golden files of a kind, with the wire format that each is written in."""
    found = [(path, path.name.split(".")[-2]) for path in sorted(GOLDEN.rglob(f"*.{kind}.*"))]
    chosen = [(path, wire) for path, wire in found if wire in wires]
    return [pytest.param(path, wire, id=str(path.relative_to(GOLDEN))) for path, wire in chosen]


@functools.cache
def validator(name):
    return jsonschema.Draft202012Validator(json.loads((ROOT / f"loadtest/schemas/{name}.json").read_text()))


def test_there_are_goldens_of_every_kind():
    assert len(goldens("request", SCHEMAS)) > 100
    assert len(goldens("answer", ANSWERS)) > 100
    assert len(goldens("stream", EVENTS)) > 100


@pytest.mark.parametrize(("path", "wire"), goldens("request", SCHEMAS))
def test_a_request_has_nothing_that_the_api_does_not_know(path, wire):
    body = json.loads(path.read_text()).get("body")
    if body is not None:
        validator(SCHEMAS[wire]).validate(body)


@pytest.mark.parametrize(("path", "wire"), goldens("answer", ANSWERS))
def test_an_answer_is_what_the_client_reads(path, wire):
    answer = json.loads(path.read_text())
    if "error" not in answer:
        adapter(ANSWERS[wire]).validate_python(known(answer, wire))


@pytest.mark.parametrize(("path", "wire"), goldens("stream", EVENTS))
def test_a_stream_is_what_the_client_reads(path, wire):
    lines = path.read_text().splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    events = [json.loads(line) for line in data if line != "[DONE]"]
    assert events
    event = adapter(EVENTS[wire])
    for value in events:
        if "error" not in value and value.get("type") not in ("error", "ping"):
            event.validate_python(known(value, wire))
