"""The OpenAI client: chat, streams, tools, responses, embeddings and models."""

import base64
import json
import struct

import pytest
from conftest import RESTRICTED

MODEL = "gpt-4o-mini"
TEXT = "w0 w1 w2 w3 w4 w5 w6 w7"
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
PARAMETERS = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
CHAT_TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
RESPONSES_TOOL = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}
PARIS = {"location": "Paris, France"}


def test_chat_answers_with_text_and_usage(openai_client):
    answer = openai_client().chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 8)


def test_the_vendor_gets_what_the_client_sent(openai_client, fake):
    openai_client().chat.completions.create(model=MODEL, messages=HELLO, temperature=0.25, user="somebody", seed=7)
    body = {"model": MODEL, "messages": HELLO, "temperature": 0.25, "user": "somebody", "seed": 7}
    assert fake.last()["body"] == body


def test_an_output_limit_is_kept(openai_client):
    answer = openai_client().chat.completions.create(model=MODEL, messages=HELLO, max_completion_tokens=3)
    assert answer.choices[0].message.content == "w0 w1 w2"
    assert answer.choices[0].finish_reason == "length"


def test_a_schema_for_the_answer_reaches_the_vendor(openai_client, fake):
    schema = {"name": "answer", "strict": True, "schema": {"type": "object", "properties": {}}}
    response_format = {"type": "json_schema", "json_schema": schema}
    openai_client().chat.completions.create(model=MODEL, messages=HELLO, response_format=response_format)
    assert fake.last()["body"]["response_format"] == response_format


def test_a_stream_says_what_the_whole_answer_says(openai_client):
    stream = openai_client().chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == TEXT
    assert len([piece for piece in pieces if piece]) == 8


def test_a_stream_reports_no_usage_unless_asked(openai_client):
    chunks = list(openai_client().chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)


@pytest.mark.needs_gateway
def test_usage_of_a_stream_is_asked_for_upstream_all_the_same(openai_client, fake):
    list(openai_client().chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert fake.last()["body"]["stream_options"]["include_usage"] is True
    assert fake.last()["usage"]["completion_tokens"] == 8


def test_a_stream_reports_usage_when_asked(openai_client):
    options = {"include_usage": True}
    stream = openai_client().chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options=options)
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (2, 8)


def test_a_client_may_leave_a_stream(openai_client, fake):
    stream = openai_client().chat.completions.create(model=f"{MODEL}~words=50~delay_ms=1", messages=HELLO, stream=True)
    assert next(iter(stream)).choices
    stream.close()
    answer = openai_client().chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == TEXT


def test_a_large_prompt_and_a_large_answer_pass(openai_client, fake):
    prompt = [{"role": "user", "content": "x" * 300_000}]
    answer = openai_client().chat.completions.create(model=f"{MODEL}~words=2000~big=100", messages=prompt)
    assert len(answer.choices[0].message.content) == 200_000
    assert fake.last()["input_tokens"] == 75_000


def test_text_of_every_script_passes_unharmed(openai_client):
    client = openai_client()
    model = f"{MODEL}~unicode~chunk_bytes=1"
    whole = client.chat.completions.create(model=model, messages=HELLO).choices[0].message.content
    stream = client.chat.completions.create(model=model, messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == whole
    assert whole.startswith("語0 \U0001f9801 é2")


def test_a_tool_is_called_and_its_result_taken(openai_client):
    client = openai_client()
    first = client.chat.completions.create(model=MODEL, messages=WEATHER, tools=[CHAT_TOOL])
    call = first.choices[0].message.tool_calls[0]
    assert first.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", PARIS)
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    messages = [*WEATHER, first.choices[0].message.to_dict(), result]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[CHAT_TOOL])
    assert second.choices[0].message.content == TEXT


def test_a_tool_call_is_streamed_in_pieces(openai_client):
    stream = openai_client().chat.completions.create(model=MODEL, messages=WEATHER, tools=[CHAT_TOOL], stream=True)
    pieces = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]
    assert [piece.function.name for piece in pieces if piece.function.name] == ["get_weather"]
    assert json.loads("".join(piece.function.arguments or "" for piece in pieces)) == PARIS


def test_the_sdks_own_stream_helper_works(openai_client):
    with openai_client().chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        assert "".join(event.delta for event in stream if event.type == "content.delta") == TEXT
        assert stream.get_final_completion().choices[0].message.content == TEXT


def test_text_completions_work(openai_client):
    client = openai_client()
    whole = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hello")
    stream = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hello", stream=True)
    assert whole.choices[0].text == TEXT
    assert "".join(chunk.choices[0].text for chunk in stream) == TEXT


def test_responses_answer_with_text_and_usage(openai_client):
    answer = openai_client().responses.create(model=MODEL, input="Hello")
    assert (answer.status, answer.output_text) == ("completed", TEXT)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (2, 8)


def test_a_response_is_streamed_as_named_events(openai_client):
    events = list(openai_client().responses.create(model=MODEL, input="Hello", stream=True))
    assert events[0].type == "response.created"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.output_tokens == 8


def test_a_response_calls_a_tool_and_takes_its_result(openai_client):
    client = openai_client()
    first = client.responses.create(model=MODEL, input=WEATHER, tools=[RESPONSES_TOOL])
    call = first.output[0]
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", PARIS)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    history = [*WEATHER, call.to_dict(), result]
    assert client.responses.create(model=MODEL, input=history, tools=[RESPONSES_TOOL]).output_text == TEXT


def test_a_streamed_response_calls_a_tool(openai_client):
    stream = openai_client().responses.create(model=MODEL, input=WEATHER, tools=[RESPONSES_TOOL], stream=True)
    done = [event for event in stream if event.type == "response.function_call_arguments.done"]
    assert json.loads(done[0].arguments) == PARIS


def test_embeddings_come_as_numbers_by_the_default_base64(openai_client, fake):
    answer = openai_client().embeddings.create(model="text-embedding-3-small", input=["a", "b"], dimensions=4)
    assert [item.embedding for item in answer.data] == [[0.5, 0.25, 0.125, 0.0625]] * 2
    assert fake.last()["body"]["encoding_format"] == "base64"


def test_embeddings_come_as_numbers_and_as_text_when_asked(openai_client):
    client = openai_client()
    arguments = {"model": "text-embedding-3-small", "input": "a", "dimensions": 2}
    numbers = client.embeddings.create(**arguments, encoding_format="float")
    assert numbers.data[0].embedding == [0.5, 0.25]
    text = client.embeddings.create(**arguments, encoding_format="base64")
    assert struct.unpack("<2f", base64.b64decode(text.data[0].embedding)) == (0.5, 0.25)


def test_models_are_listed(openai_client):
    assert MODEL in [model.id for model in openai_client().models.list()]


@pytest.mark.needs_gateway
def test_only_models_that_the_key_may_use_are_listed(openai_client):
    listed = {model.id for model in openai_client(RESTRICTED).models.list()}
    assert listed == {"gpt-4o-mini", "text-embedding-3-small", "claude-haiku-4-5", "gemini-2.5-flash"}


@pytest.mark.needs_gateway
def test_a_provider_may_be_named_in_front_of_the_model(openai_client, fake):
    answer = openai_client().chat.completions.create(model="tiny/tiny-1", messages=HELLO)
    assert answer.choices[0].message.content == TEXT
    assert fake.last()["body"]["model"] == "tiny-1"
