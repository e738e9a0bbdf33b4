"""Fixtures: a fake provider and a gateway for all tests, and clients of which only the base URL is not the default."""

import functools
import os

import anthropic
import openai
import pytest
from google import genai
from google.genai.types import HttpOptions
from processes import Fake, Gateway

EVERYTHING = "sk-bf-sdk-everything"
RESTRICTED = "sk-bf-sdk-restricted"
INACTIVE = "sk-bf-sdk-inactive"
VIRTUAL_KEYS = (EVERYTHING, RESTRICTED, INACTIVE)
VENDOR_KEYS = {"openai": "sk-fake-openai", "anthropic": "sk-fake-anthropic", "gemini": "sk-fake-gemini"}


def pytest_addoption(parser):
    parser.addoption(
        "--against-fake",
        action="store_true",
        help="leave the gateway out: what fails then is the test's or the fake provider's fault",
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--against-fake"):
        skip = pytest.mark.skip(reason="a decision of the gateway, which is left out")
        for item in items:
            if item.get_closest_marker("needs_gateway"):
                item.add_marker(skip)


def config(fake):
    """A gateway's configuration that sends every vendor's traffic to the fake provider, marked."""
    network = {"base_url": fake.url, "extra_headers": {fake.MARK: fake.mark}}
    # Each test fails a provider on purpose, and expects to hear of it at once.
    network |= {"max_retries": 0, "circuit_breaker": False}
    providers = {
        name: {"keys": [{"name": f"{name}-main", "value": value}], "network_config": network}
        for name, value in VENDOR_KEYS.items()
    }
    # Like OpenAI, but for one model only, so that a model exists that nobody serves.
    providers["tiny"] = {
        "keys": [{"name": "tiny-main", "value": "sk-fake-tiny", "models": ["tiny-1"]}],
        "network_config": network,
        "custom_provider_config": {"base_provider_type": "openai"},
    }
    everything = [{"provider": name, "allowed_models": ["*"]} for name in providers]
    return {
        "client": {"enforce_auth_on_inference": True},
        "providers": providers,
        "governance": {
            "virtual_keys": [
                {"id": "vk-everything", "name": "everything", "value": EVERYTHING, "provider_configs": everything},
                {
                    "id": "vk-restricted",
                    "name": "restricted",
                    "value": RESTRICTED,
                    "provider_configs": [
                        {"provider": "openai", "allowed_models": ["gpt-4o-mini", "text-embedding-3-small"]},
                        {"provider": "anthropic", "allowed_models": ["claude-haiku-4-5"]},
                        {"provider": "gemini", "allowed_models": ["gemini-2.5-flash"]},
                    ],
                },
                {
                    "id": "vk-inactive",
                    "name": "inactive",
                    "value": INACTIVE,
                    "is_active": False,
                    "provider_configs": everything,
                },
            ]
        },
    }


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_machine():
    """SDKs read base URLs, keys and proxies from the environment; tests say all of that themselves."""
    for name in list(os.environ):
        if name.upper().startswith(("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_")) or name.lower().endswith("_proxy"):
            del os.environ[name]


@pytest.fixture(scope="session")
def running_fake():
    process = Fake()
    yield process
    process.stop()


@pytest.fixture
def fake(running_fake):
    """The fake provider with empty books."""
    running_fake.clear()
    return running_fake


@pytest.fixture(scope="session")
def gateway(running_fake, request, tmp_path_factory):
    """What is under test."""
    if request.config.getoption("--against-fake"):
        yield running_fake
        return
    process = Gateway(config(running_fake), tmp_path_factory.mktemp("gateway"))
    yield process
    assert process.stop() == 0


@pytest.fixture(autouse=True)
def no_virtual_key_reaches_a_vendor(fake, request):
    """After every test: the vendor was sent its own credential, once, and no virtual key in whatever place."""
    yield
    if request.config.getoption("--against-fake"):
        return
    for entry in fake.books():
        assert [found["value"] for found in entry["credentials"]] == [credential_for(entry)]
        text = repr(entry)
        assert not any(key in text for key in VIRTUAL_KEYS), f"a virtual key went upstream: {text}"


def credential_for(entry):
    """The credential that a vendor should have seen."""
    if entry["model"] == "tiny-1":
        return "sk-fake-tiny"
    return VENDOR_KEYS[{"open_ai": "openai"}.get(entry["dialect"], entry["dialect"])]


def mark(gateway):
    """Where the gateway is left out, there is nobody but the client to mark its requests."""
    return {gateway.MARK: gateway.mark} if isinstance(gateway, Fake) else None


# Clients are kept: making one costs a tenth of a second, and Gemini's closes as soon as nobody holds it.


@pytest.fixture(scope="session")
def openai_client(gateway):
    """Makes an OpenAI client of a virtual key."""

    @functools.cache
    def make(key=EVERYTHING, max_retries=0):
        url = f"{gateway.url}/v1"
        return openai.OpenAI(api_key=key, base_url=url, max_retries=max_retries, default_headers=mark(gateway))

    return make


@pytest.fixture(scope="session")
def anthropic_client(gateway):
    """Makes an Anthropic client of a virtual key."""

    @functools.cache
    def make(key=EVERYTHING, max_retries=0):
        headers = mark(gateway)
        return anthropic.Anthropic(api_key=key, base_url=gateway.url, max_retries=max_retries, default_headers=headers)

    return make


@pytest.fixture(scope="session")
def gemini_client(gateway):
    """Makes a Gemini client of a virtual key."""

    @functools.cache
    def make(key=EVERYTHING):
        return genai.Client(api_key=key, http_options=HttpOptions(base_url=gateway.url, headers=mark(gateway)))

    return make
