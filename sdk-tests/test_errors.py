"""What the clients raise when the gateway refuses or the vendor fails: their own typed exceptions."""

import anthropic
import openai
import pytest
from conftest import EVERYTHING, INACTIVE, RESTRICTED, config
from google.genai import errors
from processes import Gateway

HELLO = [{"role": "user", "content": "Hello"}]
UNKNOWN = "sk-bf-nobody-has-this-one"

pytestmark = pytest.mark.needs_gateway


def chat(client, model="gpt-4o-mini", **more):
    return client.chat.completions.create(model=model, messages=HELLO, **more)


def message(client, model="claude-haiku-4-5", **more):
    return client.messages.create(model=model, max_tokens=64, messages=HELLO, **more)


def content(client, model="gemini-2.5-flash"):
    return client.models.generate_content(model=model, contents="Hello")


class TestUnknownKey:
    def test_openai(self, openai_client, fake):
        with pytest.raises(openai.AuthenticationError) as raised:
            chat(openai_client(UNKNOWN))
        assert (raised.value.status_code, raised.value.code) == (401, "virtual_key_not_found")
        assert UNKNOWN not in str(raised.value)
        assert fake.books() == []

    def test_anthropic(self, anthropic_client, fake):
        with pytest.raises(anthropic.AuthenticationError) as raised:
            message(anthropic_client(UNKNOWN))
        assert raised.value.body["error"]["type"] == "virtual_key_not_found"
        assert fake.books() == []

    def test_gemini(self, gemini_client, fake):
        with pytest.raises(errors.ClientError) as raised:
            content(gemini_client(UNKNOWN))
        assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")
        assert fake.books() == []

    def test_listing_models_needs_a_known_key_too(self, openai_client):
        with pytest.raises(openai.AuthenticationError):
            openai_client(UNKNOWN).models.list()


class TestInactiveKey:
    def test_openai(self, openai_client):
        with pytest.raises(openai.PermissionDeniedError, match="`inactive`") as raised:
            chat(openai_client(INACTIVE))
        assert raised.value.code == "virtual_key_blocked"

    def test_anthropic(self, anthropic_client):
        with pytest.raises(anthropic.PermissionDeniedError, match="`inactive`"):
            message(anthropic_client(INACTIVE))

    def test_gemini(self, gemini_client):
        with pytest.raises(errors.ClientError, match="`inactive`") as raised:
            content(gemini_client(INACTIVE))
        assert (raised.value.code, raised.value.status) == (403, "PERMISSION_DENIED")


class TestModelNotAllowed:
    """The message names the key and the model, so that its reader knows whom to ask for what."""

    def test_openai(self, openai_client, fake):
        with pytest.raises(openai.PermissionDeniedError, match=r"restricted.*gpt-4o|gpt-4o.*restricted") as raised:
            chat(openai_client(RESTRICTED), "gpt-4o")
        assert raised.value.code == "model_blocked"
        assert fake.books() == []

    def test_anthropic(self, anthropic_client):
        with pytest.raises(anthropic.PermissionDeniedError, match="restricted") as raised:
            message(anthropic_client(RESTRICTED), "claude-sonnet-4-5")
        assert "claude-sonnet-4-5" in str(raised.value)

    def test_gemini(self, gemini_client):
        with pytest.raises(errors.ClientError, match="restricted") as raised:
            content(gemini_client(RESTRICTED), "gemini-2.5-pro")
        assert raised.value.code == 403
        assert "gemini-2.5-pro" in str(raised.value)


class TestNothingThere:
    def test_a_model_that_nobody_serves(self, fake, tmp_path):
        settings = config(fake)
        for provider in settings["providers"].values():
            provider["keys"][0].setdefault("models", ["gpt-4o-mini"])
        gateway = Gateway(settings, tmp_path)
        try:
            client = openai.OpenAI(api_key=EVERYTHING, base_url=f"{gateway.url}/v1", max_retries=0)
            with pytest.raises(openai.NotFoundError, match="gpt-6-imaginary") as raised:
                chat(client, "gpt-6-imaginary")
            assert raised.value.code == "model_not_found"
        finally:
            gateway.stop()
        assert fake.books() == []

    def test_an_unknown_path_in_openai(self, openai_client):
        with pytest.raises(openai.NotFoundError, match="/v1/nothing"):
            openai_client().post("/nothing", cast_to=object)

    def test_an_unknown_path_in_anthropic(self, anthropic_client):
        with pytest.raises(anthropic.NotFoundError, match="/v1/messages/nothing"):
            anthropic_client().post("/v1/messages/nothing", cast_to=object)

    def test_the_vendors_404_passes_through(self, openai_client):
        with pytest.raises(openai.NotFoundError):
            chat(openai_client(), "gpt-4o~status=404~code=model_not_found")


class TestVendorFailures:
    def test_429_in_openai(self, openai_client):
        with pytest.raises(openai.RateLimitError) as raised:
            chat(openai_client(), "gpt-4o~status=429~retry_after=7")
        assert raised.value.response.headers["retry-after"] == "7"

    def test_429_in_anthropic(self, anthropic_client):
        with pytest.raises(anthropic.RateLimitError) as raised:
            message(anthropic_client(), "claude-haiku-4-5~status=429~retry_after=7")
        assert raised.value.response.headers["retry-after"] == "7"

    def test_429_in_gemini(self, gemini_client):
        with pytest.raises(errors.ClientError) as raised:
            content(gemini_client(), "gemini-2.5-flash~status=429")
        assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")

    def test_400_in_openai(self, openai_client):
        with pytest.raises(openai.BadRequestError, match="failed with 400 on demand"):
            chat(openai_client(), "gpt-4o~status=400")

    def test_a_failing_vendor_in_anthropic(self, anthropic_client):
        with pytest.raises(anthropic.APIStatusError) as raised:
            message(anthropic_client(), "claude-haiku-4-5~status=529")
        assert raised.value.status_code == 529

    def test_a_stream_that_is_refused_raises_before_its_first_chunk(self, openai_client):
        with pytest.raises(openai.RateLimitError):
            chat(openai_client(), "gpt-4o~status=429", stream=True)

    def test_a_stream_that_breaks_off_is_an_error(self, openai_client):
        chunks = []
        with pytest.raises(openai.APIError):
            chunks.extend(chat(openai_client(), "gpt-4o~cut_after=4", stream=True))

    def test_a_stream_that_breaks_off_is_an_error_in_anthropic(self, anthropic_client):
        with pytest.raises(anthropic.APIError):
            list(message(anthropic_client(), "claude-haiku-4-5~cut_after=5", stream=True))


class TestRequestId:
    def test_openai(self, openai_client, gateway):
        answer = chat(openai_client())
        assert gateway.access(answer._request_id)["http.status"] == 200
        with pytest.raises(openai.PermissionDeniedError) as raised:
            chat(openai_client(RESTRICTED), "gpt-4o")
        assert gateway.access(raised.value.request_id)["error.type"] == "model_blocked"

    def test_anthropic(self, anthropic_client, gateway):
        answer = message(anthropic_client())
        assert gateway.access(answer._request_id)["http.status"] == 200
        with pytest.raises(anthropic.PermissionDeniedError) as raised:
            message(anthropic_client(RESTRICTED), "claude-sonnet-4-5")
        assert gateway.access(raised.value.request_id)["error.type"] == "model_blocked"
        assert raised.value.body["request_id"] == raised.value.request_id

    def test_gemini(self, gemini_client, gateway):
        answer = content(gemini_client())
        headers = {name.lower(): value for name, value in answer.sdk_http_response.headers.items()}
        assert gateway.access(headers["x-request-id"])["http.status"] == 200

    def test_the_vendor_is_told_the_same(self, openai_client, fake):
        answer = chat(openai_client())
        assert dict(fake.last()["headers"])["x-request-id"] == answer._request_id


class TestRetries:
    """The SDKs retry by themselves; each of their attempts is a request of its own to the gateway."""

    def test_openai_retries_a_429(self, openai_client, fake):
        answer = chat(openai_client(max_retries=2), "gpt-4o~status=429~failfirst=1~retry_after=0")
        assert answer.choices[0].message.content
        assert [entry["status"] for entry in fake.books()] == [429, 200]

    def test_anthropic_retries_a_429(self, anthropic_client, fake):
        answer = message(anthropic_client(max_retries=2), "claude-haiku-4-5~status=429~failfirst=1~retry_after=0")
        assert answer.content[0].text
        assert [entry["status"] for entry in fake.books()] == [429, 200]

    def test_a_refusal_is_not_retried(self, openai_client, gateway):
        with pytest.raises(openai.AuthenticationError):
            chat(openai_client(UNKNOWN, max_retries=2))
