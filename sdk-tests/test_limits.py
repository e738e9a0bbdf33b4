"""What the clients make of a limit that is reached: their own typed exceptions, and a retry only where one helps."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai
import pytest
from conftest import config
from google import genai
from google.genai import errors
from google.genai.types import HttpOptions, HttpRetryOptions
from processes import Gateway

pytestmark = pytest.mark.needs_gateway

HELLO = [{"role": "user", "content": "Hello"}]
NEVER = {"id": "b-never", "max_limit": 0, "reset_duration": "1h"}
# It is spent by the first call, which it does not keep from going over it.
ONCE = {"id": "b-once", "max_limit": 0.0000001, "reset_duration": "1h", "mode": "soft"}
SMALL = {"id": "b-small", "max_limit": 0.002, "reset_duration": "1h"}


def requests(name, most, window):
    return {"id": name, "request_max_limit": most, "request_reset_duration": window}


# Each key, and the limit that hangs on it.
KEYS = {
    "never": {"budgets": [NEVER]},
    "once": {"budgets": [ONCE]},
    "small": {"budgets": [SMALL]},
    "hourly-openai": {"rate_limit": requests("rl-openai", 1, "1h")},
    "hourly-anthropic": {"rate_limit": requests("rl-anthropic", 1, "1h")},
    "hourly-gemini": {"rate_limit": requests("rl-gemini", 1, "1h")},
    "soon-openai": {"rate_limit": requests("rl-soon-openai", 1, "2s")},
    "soon-anthropic": {"rate_limit": requests("rl-soon-anthropic", 1, "2s")},
    "talked": {"rate_limit": {"id": "rl-talked", "token_max_limit": 5, "token_reset_duration": "1h"}},
}


def token(name):
    return f"sk-bf-sdk-{name}"


@pytest.fixture(scope="module")
def limited(running_fake, request, tmp_path_factory):
    """A gateway with a key for each limit."""
    if request.config.getoption("--against-fake"):
        pytest.skip("a decision of the gateway, which is left out")
    settings = config(running_fake)
    providers = settings["governance"]["virtual_keys"][0]["provider_configs"]
    settings["governance"]["virtual_keys"] = [
        {"id": name, "name": name, "value": token(name), "provider_configs": providers, **limits}
        for name, limits in KEYS.items()
    ]
    # A name with controls of the fake provider is in no price list.
    price = json.dumps({"input_cost_per_token": 1.5e-7, "output_cost_per_token": 6e-7})
    slow = {"id": "slow", "name": "slow", "match_type": "wildcard", "pattern": "gpt-4o-mini~*", "pricing_patch": price}
    settings["governance"]["pricing_overrides"] = [slow]
    process = Gateway(settings, tmp_path_factory.mktemp("limited"))
    yield process
    assert process.stop() == 0


def openai_of(gateway, name, max_retries=2):
    return openai.OpenAI(api_key=token(name), base_url=f"{gateway.url}/v1", max_retries=max_retries)


def anthropic_of(gateway, name, max_retries=2):
    return anthropic.Anthropic(api_key=token(name), base_url=gateway.url, max_retries=max_retries)


def gemini_of(gateway, name):
    """A client that retries, but at once."""
    retries = HttpRetryOptions(attempts=3, initial_delay=0.01, max_delay=0.01, jitter=0.0)
    options = HttpOptions(base_url=gateway.url, retry_options=retries)
    return genai.Client(api_key=token(name), http_options=options)


def chat(client, **more):
    return client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, max_tokens=16, **more)


def message(client, **more):
    return client.messages.create(model="claude-haiku-4-5", max_tokens=16, messages=HELLO, **more)


def content(client):
    return client.models.generate_content(model="gemini-2.5-flash", contents="Hello", config={"max_output_tokens": 16})


def refusals(gateway, name, raised=None):
    """How often a key was refused so far, the last time being the raised one."""
    if raised is not None:
        gateway.access(raised.value.response.headers["x-request-id"])
    lines = map(json.loads, gateway.lines("stdout"))
    return sum(line.get("key.id") == name and "error.type" in line for line in lines)


class TestMoneySpent:
    """402 is no transient error: nobody retries it."""

    def test_openai(self, limited, fake):
        for stream in (False, True):
            before = refusals(limited, "never")
            with pytest.raises(openai.APIStatusError, match="budget `b-never` of virtual key `never`") as raised:
                chat(openai_of(limited, "never"), stream=stream)
            assert (raised.value.status_code, raised.value.code) == (402, "budget_exceeded")
            assert refusals(limited, "never", raised) == before + 1
        assert fake.books() == []

    def test_openai_responses(self, limited, fake):
        with pytest.raises(openai.APIStatusError, match="budget `b-never`") as raised:
            openai_of(limited, "never").responses.create(model="gpt-4o-mini", input="Hello")
        assert raised.value.status_code == 402
        assert fake.books() == []

    def test_anthropic(self, limited, fake):
        for stream in (False, True):
            before = refusals(limited, "never")
            with pytest.raises(anthropic.APIStatusError, match="budget `b-never`") as raised:
                message(anthropic_of(limited, "never"), stream=stream)
            assert raised.value.status_code == 402
            assert raised.value.body["error"]["type"] == "budget_exceeded"
            assert refusals(limited, "never", raised) == before + 1
        assert fake.books() == []

    def test_gemini(self, limited, fake):
        before = refusals(limited, "never")
        with pytest.raises(errors.ClientError, match="budget `b-never`") as raised:
            content(gemini_of(limited, "never"))
        assert (raised.value.code, raised.value.status) == (402, "RESOURCE_EXHAUSTED")
        assert raised.value.details["error"]["details"][0]["reason"] == "budget_exceeded"
        assert refusals(limited, "never", raised) == before + 1
        assert fake.books() == []

    def test_the_reset_is_told(self, limited):
        client = openai_of(limited, "once")
        assert chat(client).choices[0].message.content
        with pytest.raises(openai.APIStatusError, match=r"budget `b-once` .* is spent: .*; it resets at 20") as raised:
            chat(client)
        assert raised.value.status_code == 402
        assert 60 < int(raised.value.response.headers["retry-after"]) <= 3600
        assert refusals(limited, "once", raised) == 1


class TestTooManyRequests:
    """A retry that would come too early is not made, though the clients know no longer pause than a minute."""

    def test_openai(self, limited):
        client = openai_of(limited, "hourly-openai")
        assert chat(client).choices[0].message.content
        with pytest.raises(openai.RateLimitError, match="1 of 1 requests in 1h are used") as raised:
            chat(client)
        assert raised.value.code == "request_limited"
        headers = raised.value.response.headers
        assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("1", "0")
        assert headers["x-should-retry"] == "false"
        assert refusals(limited, "hourly-openai", raised) == 1

    def test_what_is_left_is_told_with_the_answer(self, limited):
        answer = openai_of(limited, "hourly-gemini").models.with_raw_response.list()
        assert "ratelimit" not in answer.headers
        answer = openai_of(limited, "talked").chat.completions.with_raw_response.create(
            model="gpt-4o-mini", messages=HELLO, max_tokens=16
        )
        assert answer.headers["x-ratelimit-limit-tokens"] == "5"
        with pytest.raises(openai.RateLimitError, match="tokens in 1h are used") as raised:
            chat(openai_of(limited, "talked"))
        assert raised.value.code == "token_limited"
        assert refusals(limited, "talked", raised) == 1

    def test_anthropic(self, limited):
        client = anthropic_of(limited, "hourly-anthropic")
        assert message(client).content[0].text
        with pytest.raises(anthropic.RateLimitError, match="1 of 1 requests in 1h are used") as raised:
            message(client)
        assert raised.value.body["error"]["type"] == "request_limited"
        assert refusals(limited, "hourly-anthropic", raised) == 1

    def test_gemini(self, limited):
        client = gemini_of(limited, "hourly-gemini")
        assert content(client).text
        with pytest.raises(errors.ClientError, match="1 of 1 requests in 1h are used") as raised:
            content(client)
        assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
        details = raised.value.details["error"]["details"]
        assert details[0]["reason"] == "request_limited"
        assert details[1]["@type"] == "type.googleapis.com/google.rpc.RetryInfo"


class TestRetryAfter:
    """The clients wait as long as they are told, and are served: one refusal, not a series of them."""

    def test_both(self, limited, fake):
        clients = {"soon-openai": (openai_of, chat), "soon-anthropic": (anthropic_of, message)}

        def twice(name):
            make, ask = clients[name]
            client = make(limited, name)
            return [ask(client), ask(client)]

        answers = in_parallel([lambda name=name: twice(name) for name in clients])
        assert all(len(pair) == 2 for pair in answers)
        assert [entry["status"] for entry in fake.books()] == [200] * 4
        for name in clients:
            assert refusals(limited, name) == 1, name

    def test_what_a_call_in_flight_reserved_is_waited_for(self, limited, fake):
        """The first call holds all of the budget for half a second; the second one waits a second and is served."""
        held = {"model": "gpt-4o-mini~first_delay_ms=500", "messages": HELLO, "max_tokens": 1200}

        def second():
            deadline = time.monotonic() + 10
            while not fake.books() and time.monotonic() < deadline:
                time.sleep(0.01)
            return openai_of(limited, "small").chat.completions.create(**held | {"model": "gpt-4o-mini"})

        answers = in_parallel(
            [lambda: openai_of(limited, "small").chat.completions.create(**held), second],
        )
        assert [answer.choices[0].message.content[:2] for answer in answers] == ["w0", "w0"]
        assert refusals(limited, "small") == 1


def in_parallel(work):
    """What each of these returns, all of them run at once."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result(timeout=30) for future in [pool.submit(one) for one in work]]
