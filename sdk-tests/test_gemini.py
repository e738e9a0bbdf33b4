"""The Gemini client: content, streams, tools, embeddings, token counts and models."""

import pytest
from conftest import RESTRICTED
from google.genai import types

MODEL = "gemini-2.5-flash"
TEXT = "w0 w1 w2 w3 w4 w5 w6 w7"
WEATHER = "What is the weather in Paris?"
LOCATION = {"type": "OBJECT", "properties": {"location": {"type": "STRING"}}}
TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(name="get_weather", parameters=LOCATION)])
PARIS = {"location": "Paris, France"}


def test_content_comes_with_text_and_usage(gemini_client):
    answer = gemini_client().models.generate_content(model=MODEL, contents="Hello")
    assert answer.text == TEXT
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (2, 8)


def test_the_vendor_gets_what_the_client_sent(gemini_client, fake):
    config = types.GenerateContentConfig(temperature=0.25, system_instruction="Be brief.")
    gemini_client().models.generate_content(model=MODEL, contents="Hello", config=config)
    entry = fake.last()
    assert entry["body"]["contents"] == [{"role": "user", "parts": [{"text": "Hello"}]}]
    assert entry["body"]["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert entry["body"]["generationConfig"] == {"temperature": 0.25}
    assert entry["path"].endswith(f"/models/{MODEL}:generateContent")


def test_an_output_limit_is_kept(gemini_client):
    config = types.GenerateContentConfig(max_output_tokens=3)
    answer = gemini_client().models.generate_content(model=MODEL, contents="Hello", config=config)
    assert (answer.text, answer.candidates[0].finish_reason.value) == ("w0 w1 w2", "MAX_TOKENS")


def test_a_stream_says_what_the_whole_answer_says(gemini_client):
    chunks = list(gemini_client().models.generate_content_stream(model=MODEL, contents="Hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert len([chunk for chunk in chunks if chunk.text]) == 8
    assert chunks[-1].usage_metadata.candidates_token_count == 8


def test_a_tool_is_called_and_its_result_taken(gemini_client):
    client = gemini_client()
    config = types.GenerateContentConfig(tools=[TOOL])
    first = client.models.generate_content(model=MODEL, contents=WEATHER, config=config)
    call = first.function_calls[0]
    assert (call.name, call.args) == ("get_weather", PARIS)
    result = types.Part.from_function_response(name="get_weather", response={"weather": "sunny"})
    history = [
        types.Content(role="user", parts=[types.Part.from_text(text=WEATHER)]),
        first.candidates[0].content,
        types.Content(role="user", parts=[result]),
    ]
    assert client.models.generate_content(model=MODEL, contents=history, config=config).text == TEXT


def test_a_tool_call_is_streamed(gemini_client):
    config = types.GenerateContentConfig(tools=[TOOL])
    chunks = gemini_client().models.generate_content_stream(model=MODEL, contents=WEATHER, config=config)
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [(call.name, call.args) for call in calls] == [("get_weather", PARIS)]


def test_embeddings_come_as_numbers(gemini_client):
    config = types.EmbedContentConfig(output_dimensionality=2)
    answer = gemini_client().models.embed_content(model="gemini-embedding-001", contents=["a", "b"], config=config)
    assert [embedding.values for embedding in answer.embeddings] == [[0.5, 0.25]] * 2


def test_tokens_are_counted(gemini_client):
    assert gemini_client().models.count_tokens(model=MODEL, contents="Hello").total_tokens == 2


def test_models_are_listed(gemini_client):
    assert f"models/{MODEL}" in [model.name for model in gemini_client().models.list()]


@pytest.mark.needs_gateway
def test_only_models_that_the_key_may_use_are_listed(gemini_client):
    listed = {model.name for model in gemini_client(RESTRICTED).models.list()}
    assert f"models/{MODEL}" in listed
    assert "models/gemini-2.5-pro" not in listed
