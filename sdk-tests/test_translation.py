"""Clients of one API whose calls vendors of another serve: chat, streams, tools, images, structured output, errors.

Every target is asked strictly: the fake provider refuses what its API, by the official SDK's own types, does not take.
"""

import base64
import json

import anthropic
import openai
import pytest
from conftest import EVERYTHING, RESTRICTED
from google.genai import errors
from google.genai.types import (
    Content,
    FunctionDeclaration,
    GenerateContentConfig,
    Part,
    Schema,
    ThinkingConfig,
    Tool,
    Type,
)

pytestmark = pytest.mark.needs_gateway

TEXT = "w0 w1 w2 w3 w4 w5 w6 w7"
PARIS = {"location": "Paris, France"}
PARAMETERS = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
QUESTION = "What is the weather in Paris?"
SCHEMA = PARAMETERS | {"additionalProperties": False}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MODELS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-haiku-4-5",
    "gemini": "gemini/gemini-2.5-flash",
}


def targets(*own):
    """The vendors whose API is not the client's own."""
    return pytest.mark.parametrize("target", [name for name in MODELS if name not in own])


def model(target, controls=""):
    return f"{MODELS[target]}~strict{controls}"


class TestOpenAI:
    """Chat completions at Claude and Gemini."""

    @targets("openai")
    def test_chat(self, openai_client, fake, target):
        messages = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
        ]
        answer = openai_client().chat.completions.create(
            model=model(target), messages=messages, temperature=0.5, stop=["END"], max_completion_tokens=50
        )
        assert answer.object == "chat.completion"
        assert answer.choices[0].message.content == TEXT
        assert answer.choices[0].message.role == "assistant"
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.completion_tokens == 8
        assert answer.usage.prompt_tokens == fake.last()["input_tokens"] == 6
        assert answer.usage.total_tokens == 14

    @targets("openai")
    def test_a_stream(self, openai_client, target):
        stream = openai_client().chat.completions.create(
            model=model(target),
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
        pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert "".join(pieces) == TEXT
        assert len([piece for piece in pieces if piece]) == 8
        assert chunks[-1].choices == []
        assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (2, 8)
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert len({chunk.id for chunk in chunks}) == 1

    @targets("openai")
    def test_the_streaming_helper(self, openai_client, target):
        messages = [{"role": "user", "content": "Hello"}]
        with openai_client().chat.completions.stream(model=model(target), messages=messages) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        assert {"content.delta", "content.done", "chunk"} <= kinds
        assert final.choices[0].message.content == TEXT

    @targets("openai")
    @pytest.mark.parametrize("streams", [False, True])
    def test_a_tool_is_called_and_its_result_goes_back(self, openai_client, fake, target, streams):
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
        messages = [{"role": "user", "content": QUESTION}]
        create = openai_client().chat.completions.create
        if streams:
            with openai_client().chat.completions.stream(model=model(target), messages=messages, tools=tools) as stream:
                list(stream)
                choice = stream.get_final_completion().choices[0]
        else:
            choice = create(model=model(target), messages=messages, tools=tools).choices[0]
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments) == PARIS
        said = {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        }
        result = {"role": "tool", "tool_call_id": call.id, "content": "It is sunny."}
        answer = create(model=model(target), messages=[*messages, said, result], tools=tools, tool_choice="auto")
        assert answer.choices[0].message.content == TEXT
        assert "It is sunny." in json.dumps(fake.last()["body"])

    @targets("openai")
    def test_an_image(self, openai_client, fake, target):
        url = "data:image/png;base64," + base64.b64encode(PNG).decode()
        content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
        messages = [{"role": "user", "content": content}]
        answer = openai_client().chat.completions.create(model=model(target), messages=messages)
        assert answer.choices[0].message.content == TEXT
        assert base64.b64encode(PNG).decode() in json.dumps(fake.last()["body"])

    @targets("openai")
    def test_an_answer_by_a_schema(self, openai_client, target):
        response_format = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": SCHEMA}}
        messages = [{"role": "user", "content": "Where?"}]
        answer = openai_client().chat.completions.create(
            model=model(target), messages=messages, response_format=response_format
        )
        assert json.loads(answer.choices[0].message.content) == PARIS

    @targets("openai")
    def test_thoughts_and_what_was_cached(self, openai_client, target):
        answer = openai_client().chat.completions.create(
            model=model(target, "~thoughts=3~cached=40"),
            messages=[{"role": "user", "content": "Hello"}],
            reasoning_effort="low",
            max_completion_tokens=20_000,
        )
        assert answer.choices[0].message.reasoning_content == "t0 t1 t2"
        assert answer.choices[0].message.content == TEXT
        assert answer.usage.completion_tokens_details.reasoning_tokens == 3
        assert (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (42, 40)

    @targets("openai")
    def test_an_output_limit(self, openai_client, target):
        messages = [{"role": "user", "content": "Hello"}]
        answer = openai_client().chat.completions.create(model=model(target), messages=messages, max_tokens=3)
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("w0 w1 w2", "length")

    @targets("openai")
    def test_what_cannot_be_asked_is_refused_by_name(self, openai_client, fake, target):
        with pytest.raises(openai.BadRequestError) as caught:
            openai_client().chat.completions.create(
                model=model(target), messages=[{"role": "user", "content": "Hello"}], logit_bias={"50256": -100}
            )
        assert "logit_bias" in caught.value.message
        assert caught.value.param == "logit_bias"
        assert fake.books() == []

    @targets("openai")
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, openai.BadRequestError),
            (404, openai.NotFoundError),
            (429, openai.RateLimitError),
            (500, openai.InternalServerError),
        ],
    )
    @pytest.mark.parametrize("streams", [False, True])
    def test_errors(self, openai_client, target, status, error, streams):
        with pytest.raises(error) as caught:
            openai_client().chat.completions.create(
                model=model(target, f"~status={status}"),
                messages=[{"role": "user", "content": "Hello"}],
                stream=streams,
            )
        assert caught.value.body["message"]
        assert caught.value.request_id

    @targets("openai")
    def test_an_error_in_a_stream(self, openai_client, target):
        stream = openai_client().chat.completions.create(
            model=model(target, "~error_after=4"), messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        with pytest.raises(openai.APIError):
            list(stream)

    @targets("openai")
    def test_a_key_that_may_not(self, openai_client, fake, target):
        with pytest.raises(openai.PermissionDeniedError):
            openai_client(RESTRICTED).chat.completions.create(
                model=model(target), messages=[{"role": "user", "content": "Hello"}]
            )
        assert fake.books() == []


class TestResponses:
    """The Responses API at Claude and Gemini."""

    @targets("openai")
    def test_a_response(self, openai_client, fake, target):
        answer = openai_client().responses.create(
            model=model(target), instructions="Be brief.", input="Hello", max_output_tokens=50
        )
        assert answer.output_text == TEXT
        assert answer.status == "completed"
        assert answer.usage.output_tokens == 8
        assert answer.usage.input_tokens == fake.last()["input_tokens"]

    @targets("openai")
    def test_the_streaming_helper(self, openai_client, target):
        with openai_client().responses.stream(model=model(target), input="Hello") as stream:
            events = list(stream)
            final = stream.get_final_response()
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
        assert final.output_text == TEXT
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert final.usage.output_tokens == 8

    @targets("openai")
    @pytest.mark.parametrize("streams", [False, True])
    def test_a_tool_is_called_and_its_result_goes_back(self, openai_client, fake, target, streams):
        tools = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}]
        client = openai_client().responses
        asked = [{"role": "user", "content": QUESTION}]
        if streams:
            with client.stream(model=model(target), input=asked, tools=tools) as stream:
                list(stream)
                first = stream.get_final_response()
        else:
            first = client.create(model=model(target), input=asked, tools=tools)
        (call,) = [item for item in first.output if item.type == "function_call"]
        assert (call.name, json.loads(call.arguments)) == ("get_weather", PARIS)
        said = {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "It is sunny."}
        answer = client.create(model=model(target), input=[*asked, said, result], tools=tools)
        assert answer.output_text == TEXT
        assert "It is sunny." in json.dumps(fake.last()["body"])

    @targets("openai")
    def test_an_answer_by_a_schema(self, openai_client, target):
        text = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
        answer = openai_client().responses.create(model=model(target), input="Where?", text=text)
        assert json.loads(answer.output_text) == PARIS

    @targets("openai")
    def test_state_that_only_openai_has_is_refused(self, openai_client, fake, target):
        with pytest.raises(openai.BadRequestError) as caught:
            openai_client().responses.create(model=model(target), input="Go on.", previous_response_id="resp_1")
        assert "previous_response_id" in caught.value.message
        assert fake.books() == []

    @targets("openai")
    def test_errors(self, openai_client, target):
        with pytest.raises(openai.RateLimitError):
            openai_client().responses.create(model=model(target, "~status=429"), input="Hello")


class TestAnthropic:
    """Messages at GPT and Gemini."""

    @targets("anthropic")
    def test_a_message(self, anthropic_client, fake, target):
        answer = anthropic_client().messages.create(
            model=model(target),
            max_tokens=50,
            system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            messages=[
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi."},
                {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
            ],
            stop_sequences=["END"],
            # The newest client has no parameter for it.
            extra_body={"temperature": 0.5},
        )
        assert answer.type == "message"
        assert [block.text for block in answer.content] == [TEXT]
        assert answer.stop_reason == "end_turn"
        assert answer.usage.output_tokens == 8
        assert answer.usage.input_tokens == fake.last()["input_tokens"] == 6

    @targets("anthropic")
    def test_the_streaming_helper(self, anthropic_client, target):
        messages = [{"role": "user", "content": "Hello"}]
        with anthropic_client().messages.stream(model=model(target), max_tokens=50, messages=messages) as stream:
            pieces = list(stream.text_stream)
            final = stream.get_final_message()
        assert "".join(pieces) == TEXT
        assert len(pieces) == 8
        assert final.stop_reason == "end_turn"
        assert (final.usage.input_tokens, final.usage.output_tokens) == (2, 8)

    @targets("anthropic")
    @pytest.mark.parametrize("streams", [False, True])
    def test_a_tool_is_called_and_its_result_goes_back(self, anthropic_client, fake, target, streams):
        tools = [{"name": "get_weather", "description": "The weather.", "input_schema": PARAMETERS}]
        asked = [{"role": "user", "content": QUESTION}]
        client = anthropic_client().messages
        if streams:
            with client.stream(model=model(target), max_tokens=50, messages=asked, tools=tools) as stream:
                answer = stream.get_final_message()
        else:
            answer = client.create(model=model(target), max_tokens=50, messages=asked, tools=tools)
        assert answer.stop_reason == "tool_use"
        (call,) = [block for block in answer.content if block.type == "tool_use"]
        assert (call.name, call.input) == ("get_weather", PARIS)
        content = [block.model_dump(exclude_unset=True) for block in answer.content]
        said = {"role": "assistant", "content": content}
        block = {"type": "tool_result", "tool_use_id": call.id, "content": "It is sunny."}
        messages = [*asked, said, {"role": "user", "content": [block]}]
        answer = client.create(model=model(target), max_tokens=50, messages=messages, tools=tools)
        assert answer.content[0].text == TEXT
        assert "It is sunny." in json.dumps(fake.last()["body"])

    @targets("anthropic")
    def test_an_image(self, anthropic_client, fake, target):
        data = base64.b64encode(PNG).decode()
        source = {"type": "base64", "media_type": "image/png", "data": data}
        messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]
        answer = anthropic_client().messages.create(model=model(target), max_tokens=50, messages=messages)
        assert answer.content[0].text == TEXT
        assert data in json.dumps(fake.last()["body"])

    @targets("anthropic")
    def test_thoughts(self, anthropic_client, target):
        answer = anthropic_client().messages.create(
            model=model(target, "~thoughts=3"),
            max_tokens=20_000,
            thinking={"type": "enabled", "budget_tokens": 2_048},
            messages=[{"role": "user", "content": "Hello"}],
        )
        assert [block.type for block in answer.content] == ["thinking", "text"]
        assert answer.content[0].thinking == "t0 t1 t2"

    @targets("anthropic")
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, anthropic.BadRequestError),
            (404, anthropic.NotFoundError),
            (429, anthropic.RateLimitError),
            (500, anthropic.InternalServerError),
        ],
    )
    def test_errors(self, anthropic_client, target, status, error):
        with pytest.raises(error) as caught:
            anthropic_client().messages.create(
                model=model(target, f"~status={status}"),
                max_tokens=50,
                messages=[{"role": "user", "content": "Hello"}],
            )
        assert caught.value.body["error"]["message"]

    @targets("anthropic")
    def test_an_error_in_a_stream(self, anthropic_client, target):
        with (
            pytest.raises(anthropic.APIStatusError),
            anthropic_client().messages.stream(
                model=model(target, "~error_after=4"),
                max_tokens=50,
                messages=[{"role": "user", "content": "Hello"}],
            ) as stream,
        ):
            list(stream)

    @targets("anthropic")
    def test_a_key_that_may_not(self, anthropic_client, fake, target):
        with pytest.raises(anthropic.PermissionDeniedError):
            anthropic_client(RESTRICTED).messages.create(
                model=model(target), max_tokens=50, messages=[{"role": "user", "content": "Hello"}]
            )
        assert fake.books() == []


class TestGemini:
    """generateContent at GPT and Claude."""

    @targets("gemini")
    def test_content(self, gemini_client, fake, target):
        contents = [
            Content(role="user", parts=[Part(text="Hello")]),
            Content(role="model", parts=[Part(text="Hi.")]),
            Content(role="user", parts=[Part(text="Go on.")]),
        ]
        config = GenerateContentConfig(
            system_instruction="Be brief.", temperature=0.5, max_output_tokens=50, stop_sequences=["END"]
        )
        answer = gemini_client(EVERYTHING).models.generate_content(
            model=model(target), contents=contents, config=config
        )
        assert answer.text == TEXT
        assert answer.candidates[0].finish_reason.value == "STOP"
        assert answer.usage_metadata.candidates_token_count == 8
        assert answer.usage_metadata.prompt_token_count == fake.last()["input_tokens"] == 6

    @targets("gemini")
    def test_a_stream(self, gemini_client, target):
        chunks = list(gemini_client().models.generate_content_stream(model=model(target), contents="Hello"))
        pieces = [chunk.text for chunk in chunks if chunk.text]
        assert "".join(pieces) == TEXT
        assert len(pieces) == 8
        last = chunks[-1]
        assert last.candidates[0].finish_reason.value == "STOP"
        assert (last.usage_metadata.prompt_token_count, last.usage_metadata.candidates_token_count) == (2, 8)

    @targets("gemini")
    @pytest.mark.parametrize("streams", [False, True])
    def test_a_tool_is_called_and_its_result_goes_back(self, gemini_client, fake, target, streams):
        place = Schema(type=Type.OBJECT, properties={"location": Schema(type=Type.STRING)}, required=["location"])
        tool = Tool(function_declarations=[FunctionDeclaration(name="get_weather", parameters=place)])
        config = GenerateContentConfig(tools=[tool])
        models = gemini_client().models
        asked = Content(role="user", parts=[Part(text=QUESTION)])
        if streams:
            chunks = list(models.generate_content_stream(model=model(target), contents=[asked], config=config))
            parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
        else:
            answer = models.generate_content(model=model(target), contents=[asked], config=config)
            parts = answer.candidates[0].content.parts
        (call,) = [part.function_call for part in parts if part.function_call]
        assert (call.name, call.args) == ("get_weather", PARIS)
        said = Content(role="model", parts=[part for part in parts if part.function_call])
        result = Part.from_function_response(name="get_weather", response={"result": "It is sunny."})
        result.function_response.id = call.id
        contents = [asked, said, Content(role="user", parts=[result])]
        answer = models.generate_content(model=model(target), contents=contents, config=config)
        assert answer.text == TEXT
        assert "It is sunny." in json.dumps(fake.last()["body"])

    @targets("gemini")
    def test_an_image(self, gemini_client, fake, target):
        contents = [Part.from_bytes(data=PNG, mime_type="image/png"), "What is it?"]
        answer = gemini_client().models.generate_content(model=model(target), contents=contents)
        assert answer.text == TEXT
        assert base64.b64encode(PNG).decode() in json.dumps(fake.last()["body"])

    @targets("gemini")
    def test_an_answer_by_a_schema(self, gemini_client, target):
        schema = Schema(type=Type.OBJECT, properties={"location": Schema(type=Type.STRING)}, required=["location"])
        config = GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
        answer = gemini_client().models.generate_content(model=model(target), contents="Where?", config=config)
        assert json.loads(answer.text) == PARIS

    @targets("gemini")
    def test_thoughts(self, gemini_client, target):
        config = GenerateContentConfig(
            thinking_config=ThinkingConfig(thinking_budget=2_048, include_thoughts=True), max_output_tokens=20_000
        )
        answer = gemini_client().models.generate_content(
            model=model(target, "~thoughts=3"), contents="Hello", config=config
        )
        assert [(part.text, bool(part.thought)) for part in answer.candidates[0].content.parts] == [
            ("t0 t1 t2", True),
            (TEXT, False),
        ]
        assert answer.usage_metadata.thoughts_token_count == 3

    @targets("gemini")
    @pytest.mark.parametrize(
        ("status", "error"), [(400, errors.ClientError), (429, errors.ClientError), (500, errors.ServerError)]
    )
    def test_errors(self, gemini_client, target, status, error):
        with pytest.raises(error) as caught:
            gemini_client().models.generate_content(model=model(target, f"~status={status}"), contents="Hello")
        assert caught.value.code == status
        assert caught.value.message
