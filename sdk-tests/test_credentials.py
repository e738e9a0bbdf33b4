"""Keys in every place where some client puts them, and what the vendor gets to see of them: nothing."""

import httpx
import pytest
from conftest import EVERYTHING, INACTIVE, RESTRICTED

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
MESSAGE = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": CHAT["messages"]}
CONTENT = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}

pytestmark = pytest.mark.needs_gateway


def post(gateway, path, body, **arguments):
    return httpx.post(f"{gateway.url}{path}", json=body, **arguments)


def test_older_anthropic_headers_work(gateway, fake):
    headers = {"x-api-key": EVERYTHING, "anthropic-version": "2023-06-01"}
    answer = post(gateway, "/v1/messages", MESSAGE, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["content"][0]["text"].startswith("w0")
    seen = dict(fake.last()["headers"])
    assert (seen["anthropic-version"], seen["x-api-key"]) == ("2023-06-01", "sk-fake-anthropic")
    assert "authorization" not in seen


def test_a_client_that_sends_no_version_gets_one(gateway, fake):
    assert post(gateway, "/v1/messages", MESSAGE, headers={"x-api-key": EVERYTHING}).status_code == 200
    assert dict(fake.last()["headers"])["anthropic-version"]


@pytest.mark.parametrize("name", ["x-bf-vk", "x-api-key", "x-goog-api-key", "api-key"])
def test_a_key_is_found_in_each_header(gateway, name):
    assert post(gateway, "/v1/chat/completions", CHAT, headers={name: EVERYTHING}).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_bearer_token_is_found(gateway, scheme):
    headers = {"authorization": f"{scheme} {EVERYTHING}"}
    assert post(gateway, "/v1/chat/completions", CHAT, headers=headers).status_code == 200


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta", "", "/genai/v1beta"])
def test_gemini_paths_take_the_key_as_a_query_parameter(gateway, fake, prefix):
    path = f"{prefix}/models/gemini-2.5-flash:streamGenerateContent"
    answer = post(gateway, path, CONTENT, params={"key": EVERYTHING, "alt": "sse", "fields": "candidates"})
    assert answer.status_code == 200
    assert fake.last()["query"] == "alt=sse"


def test_a_foreign_credential_beside_the_key_goes_nowhere(gateway, fake):
    headers = {"x-bf-vk": EVERYTHING, "authorization": "Bearer sk-of-the-caller", "cookie": "session=1"}
    assert post(gateway, "/v1/chat/completions", CHAT, headers=headers).status_code == 200
    assert "sk-of-the-caller" not in repr(fake.last())
    assert "cookie" not in dict(fake.last()["headers"])


def test_two_different_keys_are_refused(gateway, fake):
    headers = {"x-bf-vk": EVERYTHING, "authorization": f"Bearer {RESTRICTED}"}
    assert post(gateway, "/v1/chat/completions", CHAT, headers=headers).status_code == 400
    assert fake.books() == []


def test_no_key_at_all_is_refused(gateway):
    answer = post(gateway, "/v1/chat/completions", CHAT)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "virtual_key_required")


def test_no_answer_and_no_log_line_carries_a_credential(gateway, openai_client):
    for key in (EVERYTHING, RESTRICTED, INACTIVE, "sk-bf-unknown"):
        answer = post(gateway, "/v1/chat/completions", CHAT | {"model": "gpt-4o"}, headers={"x-bf-vk": key})
        gateway.access(answer.headers["x-request-id"])
        text = answer.text + repr(answer.headers)
        assert "sk-fake" not in text
        assert "sk-bf" not in text
    log = "\n".join(gateway.lines("stdout") + gateway.lines("stderr"))
    assert "sk-fake" not in log
    assert "sk-bf" not in log
