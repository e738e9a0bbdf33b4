"""What the gateways are configured with, and what of it generated requests may find and change."""

ADMINISTRATOR = "root"
PASSWORD = "correct horse battery staple"
# Nobody is told of this key and its provider, so whatever is generated, calls with it can be made afterwards.
KEPT = "sk-bf-api-tests-kept"
VIRTUAL_KEY = "sk-bf-api-tests-seed"

BUDGET = {"max_limit": 100, "reset_duration": "1M"}
RATE_LIMIT = {"request_max_limit": 1000, "request_reset_duration": "1h"}

# Names for the places in paths: without them, generated requests would ask for nothing that exists.
SEEDS = {
    "/api/governance/virtual-keys/{id}": "vk-seed",
    "/api/governance/teams/{id}": "team-seed",
    "/api/governance/customers/{id}": "customer-seed",
    "/api/governance/budgets/{id}": "budget-seed",
    "/api/governance/rate-limits/{id}": "limit-seed",
    "/api/governance/routing-rules/{id}": "rule-seed",
    "/api/governance/model-configs/{id}": "model-seed",
    "/api/governance/pricing-overrides/{id}": "price-seed",
    "/api/governance/providers/{id}": "seed",
    "/api/providers/{provider}": "seed",
}
PROVIDER_KEY = "seed-main"


def config(fake_url):
    network = {"base_url": fake_url, "max_retries": 0}

    def provider(name):
        return {
            "keys": [{"name": f"{name}-main", "value": f"sk-fake-{name}"}],
            "network_config": network,
            "custom_provider_config": {"base_provider_type": "openai"},
        }

    return {
        "client": {"enforce_auth_on_inference": True},
        "providers": {"kept": provider("kept"), "seed": provider("seed")},
        "governance": governance(),
    }


def governance():
    return {
        "customers": [{"id": "customer-seed", "name": "Customer", "budget": BUDGET, "rate_limit": RATE_LIMIT}],
        "teams": [{"id": "team-seed", "name": "Team", "customer_id": "customer-seed", "budget": BUDGET}],
        "budgets": [{"id": "budget-seed", **BUDGET, "team_id": "team-seed", "reset_duration": "1d"}],
        "rate_limits": [{"id": "limit-seed", **RATE_LIMIT}],
        "virtual_keys": [
            {
                "id": "vk-kept",
                "name": "kept",
                "value": KEPT,
                "provider_configs": [{"provider": "kept", "allowed_models": ["*"]}],
            },
            {
                "id": "vk-seed",
                "name": "seed",
                "value": VIRTUAL_KEY,
                "team_id": "team-seed",
                "budget": BUDGET,
                "rate_limit_id": "limit-seed",
                "provider_configs": [{"provider": "seed", "allowed_models": ["*"], "budget": BUDGET}],
            },
        ],
        "routing_rules": [
            # Asked before any global rule that is made up.
            {
                "id": "rule-kept",
                "name": "Kept",
                "scope": "virtual_key",
                "scope_id": "vk-kept",
                "targets": [{"provider": "kept", "weight": 1}],
            },
            {
                "id": "rule-seed",
                "name": "Rule",
                "scope": "virtual_key",
                "scope_id": "vk-seed",
                "cel_expression": "model == 'gpt-4o'",
                "targets": [{"provider": "seed", "model": "gpt-4o-mini", "weight": 1}],
            },
        ],
        "model_configs": [{"id": "model-seed", "model_name": "gpt-4.1", "provider": "seed", "rate_limit": RATE_LIMIT}],
        "providers": [{"name": "seed", "budget": BUDGET}],
        "pricing_overrides": [
            {
                "id": "price-seed",
                "name": "Price",
                "scope_kind": "provider",
                "provider_id": "seed",
                "pattern": "gpt-4o",
                "pricing_patch": PATCH,
            }
        ],
    }


PATCH = {"input_cost_per_token": 0.000001}
RULE = {"name": "Made", "targets": [{"provider": "seed", "weight": 1}], "scope": "team", "scope_id": "team-seed"}
PRICE = {"name": "Made", "scope_kind": "provider", "provider_id": "seed", "pattern": "gpt-4.1", "pricing_patch": PATCH}
# A good body for each operation that has one: made up bodies hardly ever are, and their parts vary these.
BODIES = {
    "POST /api/api-keys": {"name": "made"},
    "PUT /api/config": {"client_config": {"enforce_auth_on_inference": True}},
    "POST /api/explain": {"key": "vk-seed", "request": {"model": "gpt-4o", "messages": []}},
    "POST /api/governance/budgets": BUDGET,
    "PUT /api/governance/budgets/{id}": {"max_limit": 50},
    "POST /api/governance/customers": {"name": "Made", "budgets": [BUDGET], "rate_limit": RATE_LIMIT},
    "PUT /api/governance/customers/{id}": {"name": "Changed"},
    "POST /api/governance/model-configs": {"model_name": "gpt-5", "provider": "seed", "budgets": [BUDGET]},
    "PUT /api/governance/model-configs/{id}": {"rate_limit": RATE_LIMIT},
    "POST /api/governance/pricing-overrides": PRICE,
    "PUT /api/governance/pricing-overrides/{id}": {"name": "Changed"},
    "PATCH /api/governance/pricing-overrides/{id}": {"name": "Changed again"},
    "PUT /api/governance/providers/{id}": {"rate_limit": RATE_LIMIT},
    "POST /api/governance/rate-limits": RATE_LIMIT,
    "PUT /api/governance/rate-limits/{id}": {"request_max_limit": 500},
    "POST /api/governance/routing-rules": RULE,
    "PUT /api/governance/routing-rules/{id}": {"priority": 7},
    "POST /api/governance/teams": {"name": "Made", "customer_id": "customer-seed", "budgets": [BUDGET]},
    "PUT /api/governance/teams/{id}": {"name": "Changed"},
    "POST /api/governance/virtual-keys": {"name": "made", "team_id": "team-seed", "budgets": [BUDGET]},
    "PUT /api/governance/virtual-keys/{id}": {"description": "changed"},
    "POST /api/governance/virtual-keys/{id}/rotate": {"grace_period": "1h"},
    "POST /api/providers": {"provider": "made", "custom_provider_config": {"base_provider_type": "openai"}},
    "PUT /api/providers/{provider}": {"keys": [{"name": "seed-main", "value": "********"}]},
    "POST /api/providers/{provider}/keys": {"name": "made", "value": "sk-made"},
    "PUT /api/providers/{provider}/keys/{key}": {"models": ["gpt-4o"]},
}
