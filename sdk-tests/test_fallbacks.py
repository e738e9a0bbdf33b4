"""What a client sees when its call is tried again: an answer like any other."""

import openai
import pytest
from conftest import EVERYTHING, config
from processes import Gateway

pytestmark = pytest.mark.needs_gateway

HELLO = [{"role": "user", "content": "Hello!"}]
WORDS = " ".join(f"w{n}" for n in range(30))


@pytest.fixture(scope="module")
def resuming(running_fake, request, tmp_path_factory):
    """A gateway that lets another target go on with a stream."""
    if request.config.getoption("--against-fake"):
        pytest.skip("a decision of the gateway, which is left out")
    settings = config(running_fake)
    settings["client"]["stream_recovery"] = "resume"
    process = Gateway(settings, tmp_path_factory.mktemp("resuming"))
    yield process
    assert process.stop() == 0


def test_a_fallback_of_the_request_answers(openai_client, fake):
    answer = openai_client().chat.completions.create(
        model="openai/gpt-4o~status=503", messages=HELLO, extra_body={"fallbacks": ["openai/gpt-4o-mini"]}
    )
    assert answer.model == "gpt-4o-mini"
    assert answer.choices[0].message.content
    assert [entry["model"] for entry in fake.books()] == ["gpt-4o~status=503", "gpt-4o-mini"]


def test_when_all_fail_the_first_error_is_raised(openai_client):
    with pytest.raises(openai.RateLimitError) as raised:
        openai_client().chat.completions.create(
            model="openai/gpt-4o~status=429~retry_after=60",
            messages=HELLO,
            extra_body={"fallbacks": ["openai/gpt-4o~status=500"]},
        )
    assert raised.value.response.headers["retry-after"] == "60"
    trail = raised.value.response.headers["x-tollgate-attempts"]
    assert trail == "openai/openai-main=throttled:429, openai/openai-main=unavailable:500"


def test_a_chat_stream_that_breaks_off_goes_on(resuming, fake):
    client = openai.OpenAI(api_key=EVERYTHING, base_url=f"{resuming.url}/v1", max_retries=0)
    with client.chat.completions.stream(
        model="openai/gpt-4o~words=30~reset_after=20~by_tokens",
        messages=HELLO,
        stream_options={"include_usage": True},
        extra_body={"fallbacks": ["openai/gpt-4o~words=30"]},
    ) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == WORDS
    assert answer.choices[0].finish_reason == "stop"
    assert len(fake.books()) == 2


def test_a_message_stream_that_breaks_off_goes_on_behind_its_text(resuming, fake):
    anthropic = pytest.importorskip("anthropic")
    client = anthropic.Anthropic(api_key=EVERYTHING, base_url=resuming.url, max_retries=0)
    with client.messages.stream(
        model="anthropic/claude-sonnet-4-5~words=30~cut_after=20~by_tokens",
        max_tokens=200,
        messages=HELLO,
        extra_body={"fallbacks": ["anthropic/claude-haiku-4-5~words=30", "anthropic/claude-sonnet-4-5"]},
    ) as stream:
        message = stream.get_final_message()
    assert message.content[0].text == WORDS
    assert message.stop_reason == "end_turn"
    assert len(fake.books()) == 2


def test_a_response_stream_that_breaks_off_goes_on(resuming):
    client = openai.OpenAI(api_key=EVERYTHING, base_url=f"{resuming.url}/v1", max_retries=0)
    with client.responses.stream(
        model="openai/gpt-4o~words=30~hangup_after=20~by_tokens",
        input="Hello!",
        extra_body={"fallbacks": ["openai/gpt-4o~words=30"]},
    ) as stream:
        for _ in stream:
            pass
        response = stream.get_final_response()
    assert response.output_text == WORDS
    assert response.status == "completed"
