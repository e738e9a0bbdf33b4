"""The Anthropic client: messages, streams, tools, token counts and models."""

import anthropic
import pytest
from conftest import RESTRICTED

MODEL = "claude-haiku-4-5"
TEXT = "w0 w1 w2 w3 w4 w5 w6 w7"
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOL = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"location": {"type": "string"}}}}
PARIS = {"location": "Paris, France"}


def test_a_message_is_answered_with_text_and_usage(anthropic_client):
    answer = anthropic_client().messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert answer.content[0].text == TEXT
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (2, 8)


def test_the_vendor_gets_what_the_client_sent(anthropic_client, fake):
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    anthropic_client().messages.create(model=MODEL, max_tokens=64, messages=HELLO, system=system)
    assert fake.last()["body"] == {"model": MODEL, "max_tokens": 64, "messages": HELLO, "system": system}


def test_headers_of_the_vendors_api_reach_it(anthropic_client, fake):
    headers = {"anthropic-beta": "some-feature-2026-01-01"}
    anthropic_client().messages.create(model=MODEL, max_tokens=64, messages=HELLO, extra_headers=headers)
    seen = dict(fake.last()["headers"])
    assert seen["anthropic-beta"] == "some-feature-2026-01-01"
    assert seen["anthropic-version"]


def test_the_beta_api_works(anthropic_client, fake):
    arguments = {"model": MODEL, "max_tokens": 64, "messages": HELLO, "betas": ["some-feature-2026-01-01"]}
    assert anthropic_client().beta.messages.create(**arguments).content[0].text == TEXT
    # Version 1 of the client asks in the query too, version 2 in the header alone.
    is_old = anthropic.__version__.startswith("1.")
    assert fake.last()["query"] == ("beta=true" if is_old else None)
    assert dict(fake.last()["headers"])["anthropic-beta"] == "some-feature-2026-01-01"


def test_an_output_limit_is_kept(anthropic_client):
    answer = anthropic_client().messages.create(model=MODEL, max_tokens=3, messages=HELLO)
    assert (answer.content[0].text, answer.stop_reason) == ("w0 w1 w2", "max_tokens")


def test_a_stream_says_what_the_whole_answer_says(anthropic_client):
    with anthropic_client().messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == TEXT
    assert len(pieces) == 8
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 2, 8)


def test_a_stream_ends_with_its_end_mark(anthropic_client):
    events = list(anthropic_client().messages.create(model=MODEL, max_tokens=64, messages=HELLO, stream=True))
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")


def test_a_tool_is_called_and_its_result_taken(anthropic_client):
    client = anthropic_client()
    first = client.messages.create(model=MODEL, max_tokens=64, messages=WEATHER, tools=[TOOL])
    call = first.content[0]
    assert (first.stop_reason, call.type, call.name, call.input) == ("tool_use", "tool_use", "get_weather", PARIS)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    history = [*WEATHER, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(model=MODEL, max_tokens=64, messages=history, tools=[TOOL])
    assert second.content[0].text == TEXT


def test_a_tool_call_is_streamed(anthropic_client):
    with anthropic_client().messages.stream(model=MODEL, max_tokens=64, messages=WEATHER, tools=[TOOL]) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        call = stream.get_final_message().content[0]
    assert (call.name, call.input) == ("get_weather", PARIS)
    assert len([piece for piece in pieces if piece]) == 5


def test_tokens_are_counted(anthropic_client):
    assert anthropic_client().messages.count_tokens(model=MODEL, messages=HELLO).input_tokens == 2


@pytest.mark.needs_gateway
def test_only_models_that_the_key_may_use_are_listed(anthropic_client):
    assert MODEL in [model.id for model in anthropic_client().models.list()]
    listed = {model.id for model in anthropic_client(RESTRICTED).models.list()}
    assert MODEL in listed
    assert "claude-sonnet-4-5" not in listed
