"""Clients that are no vendor's own: litellm, langchain-openai and mistralai, at vendors of each API."""

import json
import os

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
litellm = pytest.importorskip("litellm", reason="among the newest clients only")
langchain_openai = pytest.importorskip("langchain_openai", reason="among the newest clients only")
mistralai = pytest.importorskip("mistralai.client", reason="among the newest clients only")

from conftest import EVERYTHING, RESTRICTED  # noqa: E402  (behind what may skip all)
from pydantic import BaseModel  # noqa: E402
from test_translation import MODELS, PARAMETERS, PARIS, QUESTION, TEXT, model  # noqa: E402

pytestmark = pytest.mark.needs_gateway

HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = [{"role": "user", "content": QUESTION}]
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
everywhere = pytest.mark.parametrize("target", MODELS)


class Place(BaseModel):
    """Where something is."""

    location: str


class TestLiteLLM:
    """Its `openai/`, `anthropic/` and `gemini/` each speak that vendor's API to the gateway."""

    @pytest.fixture(params=["openai", "anthropic", "gemini"])
    def complete(self, request, gateway):
        """Completes a conversation through litellm's code for one vendor."""
        base = {"openai": f"{gateway.url}/v1", "anthropic": gateway.url, "gemini": f"{gateway.url}/v1beta"}
        own = request.param

        def complete(target, controls="", key=EVERYTHING, **options):
            # What litellm itself sends, which passes unchanged within one API, is its own business.
            named = MODELS[target] + controls if target == own else model(target, controls)
            return litellm.completion(
                model=f"{own}/{named}",
                api_base=base[own],
                api_key=key,
                max_tokens=50,
                num_retries=0,
                **options,
            )

        return complete

    @everywhere
    def test_chat(self, complete, target):
        answer = complete(target, messages=HELLO)
        assert answer.choices[0].message.content == TEXT
        assert answer.choices[0].finish_reason == "stop"
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 8)

    @everywhere
    def test_a_stream(self, complete, target):
        chunks = list(complete(target, messages=HELLO, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT

    @everywhere
    def test_a_tool(self, complete, target):
        answer = complete(target, messages=WEATHER, tools=[TOOL])
        (call,) = answer.choices[0].message.tool_calls
        assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", PARIS)
        result = {"role": "tool", "tool_call_id": call.id, "content": "It is sunny."}
        said = answer.choices[0].message.model_dump(exclude_none=True)
        answer = complete(target, messages=[*WEATHER, said, result], tools=[TOOL])
        assert answer.choices[0].message.content == TEXT

    @everywhere
    def test_an_error(self, complete, target):
        with pytest.raises(litellm.RateLimitError):
            complete(target, "~status=429", messages=HELLO)


class TestLangChain:
    """langchain-openai's chat model."""

    @pytest.fixture
    def chat(self, gateway):
        """A chat model at a vendor."""

        def chat(target, controls="", key=EVERYTHING, **options):
            return langchain_openai.ChatOpenAI(
                model=model(target, controls), base_url=f"{gateway.url}/v1", api_key=key, max_retries=0, **options
            )

        return chat

    @everywhere
    def test_chat(self, chat, target):
        answer = chat(target).invoke([("system", "Be brief."), ("user", "Hello")])
        assert answer.content == TEXT
        assert answer.usage_metadata["output_tokens"] == 8

    @everywhere
    def test_a_stream(self, chat, target):
        chunks = list(chat(target, stream_usage=True).stream("Hello"))
        assert "".join(chunk.content for chunk in chunks) == TEXT
        assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) == 8

    @everywhere
    def test_a_tool(self, chat, target):
        answer = chat(target).bind_tools([TOOL]).invoke(QUESTION)
        assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("get_weather", PARIS)]

    @everywhere
    def test_structured_output(self, chat, target):
        assert chat(target).with_structured_output(Place).invoke("Where?") == Place(**PARIS)

    @everywhere
    def test_the_responses_api(self, chat, target):
        answer = chat(target, use_responses_api=True).invoke("Hello")
        assert answer.text == TEXT

    @everywhere
    def test_a_key_that_may_not(self, chat, target):
        with pytest.raises(Exception, match="may not use") as caught:
            chat(target, key=RESTRICTED).invoke("Hello")
        assert caught.value.status_code == 403


class TestMistral:
    """mistralai, which speaks chat completions to the gateway."""

    @pytest.fixture
    def client(self, gateway):
        """A client."""
        return mistralai.Mistral(api_key=EVERYTHING, server_url=gateway.url)

    @everywhere
    def test_chat(self, client, target):
        answer = client.chat.complete(model=model(target), messages=HELLO, max_tokens=50)
        assert answer.choices[0].message.content == TEXT
        assert answer.usage.completion_tokens == 8

    @everywhere
    def test_a_stream(self, client, target):
        events = list(client.chat.stream(model=model(target), messages=HELLO, max_tokens=50))
        assert "".join(event.data.choices[0].delta.content or "" for event in events if event.data.choices) == TEXT

    @everywhere
    def test_a_tool(self, client, target):
        answer = client.chat.complete(model=model(target), messages=WEATHER, tools=[TOOL])
        (call,) = answer.choices[0].message.tool_calls
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments) == PARIS

    @everywhere
    def test_an_error(self, client, target):
        with pytest.raises(Exception, match="429") as caught:
            client.chat.complete(model=model(target, "~status=429"), messages=HELLO)
        assert caught.value.status_code == 429
