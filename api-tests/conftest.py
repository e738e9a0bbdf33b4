"""Fixtures: gateways with something of every kind in them, one open and one that asks for a log-in."""

import httpx
import pytest
from processes import Fake, Gateway
from seeds import ADMINISTRATOR, PASSWORD, config


def pytest_collection_modifyitems(items):
    """What removes comes after what needs it, parts before the whole; what looks at the end of it all comes last."""

    def order(item):
        removes = "[DELETE " in item.name
        return "_afterwards" in item.name, removes, -item.name.count("/") if removes else 0

    items.sort(key=order)


@pytest.fixture(scope="session")
def fake():
    process = Fake()
    yield process
    process.stop()


def serve(config, folder):
    process = Gateway(config, folder)
    process.place = ("--config", folder / "config.json", "--data", folder / "data")
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="session")
def open_gateway(fake, tmp_path_factory):
    """A gateway whose management needs no log-in."""
    yield from serve(config(fake.url), tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="session")
def locked_gateway(fake, tmp_path_factory):
    """A gateway whose management needs one."""
    locked = config(fake.url)
    locked["governance"]["auth_config"] = {
        "is_enabled": True,
        "admin_username": ADMINISTRATOR,
        "admin_password": PASSWORD,
    }
    yield from serve(locked, tmp_path_factory.mktemp("locked"))


@pytest.fixture(scope="session")
def credential(locked_gateway):
    """The header of an admin API key."""
    body = {"name": "api-tests"}
    login = httpx.BasicAuth(ADMINISTRATOR, PASSWORD)
    made = httpx.post(f"{locked_gateway.url}/api/api-keys", json=body, auth=login).raise_for_status().json()
    return {"authorization": f"Bearer {made['api_key']['token']}"}
