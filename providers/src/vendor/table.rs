//! The table of vendors. A vendor that is not known to have an operation does not get it here: what it lacks goes through a
//! conversation, and so works for certain.

use policy::request::Operation::{
    ChatCompletion as Chat, CountTokens as Count, Embedding as Embed, ListModels as List, Responses,
    TextCompletion as Text,
};
use policy::request::{Dialect, Operation, OperationSet};

use super::{ChatQuirks, CredentialStyle, Quirks, Vendor};

/// A vendor that copies OpenAI's API: what the others' rows differ from.
const COPY: Vendor = Vendor {
    name: "",
    dialect: Dialect::OpenAi,
    base_url: None,
    is_self_hosted: false,
    credential: CredentialStyle::Bearer,
    operations: OperationSet::of(&[Chat, List]),
    version: "/v1",
    paths: &[],
    required_headers: &[],
    quirks: Quirks::OLDER_LIMIT,
    source: "",
};

/// A server that operators run themselves, and that copies OpenAI's API.
const SELF_HOSTED: Vendor =
    Vendor { is_self_hosted: true, operations: OperationSet::of(&[Chat, Text, Embed, List]), ..COPY };

/// All vendors that can be used.
pub static VENDORS: &[Vendor] = &[
    Vendor {
        name: "openai",
        base_url: Some("https://api.openai.com"),
        operations: OperationSet::of(Operation::ALL),
        quirks: Quirks::NONE,
        source: "https://platform.openai.com/docs/api-reference (2026-11)",
        ..COPY
    },
    // `x-api-key` and a bearer token are both taken; the older version is the one that every model understands.
    Vendor {
        name: "anthropic",
        dialect: Dialect::Anthropic,
        base_url: Some("https://api.anthropic.com"),
        credential: CredentialStyle::Header("x-api-key"),
        operations: OperationSet::of(&[Chat, Count, List]),
        required_headers: &[("anthropic-version", "2023-06-01")],
        quirks: Quirks::NONE,
        source: "https://platform.claude.com/docs/en/api/overview (2026-11)",
        ..COPY
    },
    Vendor {
        name: "gemini",
        dialect: Dialect::Gemini,
        base_url: Some("https://generativelanguage.googleapis.com"),
        credential: CredentialStyle::Header("x-goog-api-key"),
        operations: OperationSet::of(&[Chat, Embed, Count, List]),
        version: "",
        quirks: Quirks::NONE,
        source: "https://ai.google.dev/api (2026-11)",
        ..COPY
    },
    // It answers 422 to `stream_options` and `max_completion_tokens`, as to every field that it does not know.
    Vendor {
        name: "mistral",
        base_url: Some("https://api.mistral.ai"),
        operations: OperationSet::of(&[Chat, Embed, List]),
        quirks: Quirks { usage_on_request: false, chat: ChatQuirks::MISTRAL, ..Quirks::OLDER_LIMIT },
        source: "https://docs.mistral.ai/api (2026-11)",
        ..COPY
    },
    Vendor {
        name: "groq",
        base_url: Some("https://api.groq.com/openai"),
        operations: OperationSet::of(&[Chat, Responses, List]),
        quirks: Quirks::COPY,
        source: "https://console.groq.com/docs/openai (2026-11)",
        ..COPY
    },
    Vendor {
        name: "cerebras",
        base_url: Some("https://api.cerebras.ai"),
        operations: OperationSet::of(&[Chat, Text, List]),
        quirks: Quirks::COPY,
        source: "https://inference-docs.cerebras.ai/resources/openai (2026-11)",
        ..COPY
    },
    Vendor {
        name: "ollama",
        operations: OperationSet::of(&[Chat, Text, Responses, Embed, List]),
        source: "https://docs.ollama.com/api/openai-compatibility (2026-11)",
        ..SELF_HOSTED
    },
    // Its streams always report usage; asking has no effect.
    Vendor {
        name: "openrouter",
        base_url: Some("https://openrouter.ai/api"),
        operations: OperationSet::of(&[Chat, Text, Responses, Embed, List]),
        quirks: Quirks { usage_on_request: false, chat: ChatQuirks::OPENROUTER, ..Quirks::OLDER_LIMIT },
        source: "https://openrouter.ai/docs/api-reference, https://openrouter.ai/docs/use-cases/usage-accounting (2026-11)",
        ..COPY
    },
    // Its chat completions ended on 2026-09-27; what came in their place has the form of the Responses API.
    Vendor {
        name: "perplexity",
        base_url: Some("https://api.perplexity.ai"),
        operations: OperationSet::of(&[Responses, Embed, List]),
        source: "https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/how-to (2026-11)",
        ..COPY
    },
    Vendor {
        name: "xai",
        base_url: Some("https://api.x.ai"),
        operations: OperationSet::of(&[Chat, Responses, List]),
        quirks: Quirks::COPY,
        source: "https://docs.x.ai/developers/model-capabilities/text/comparison (2026-11)",
        ..COPY
    },
    // A `/v1` in a configured base URL stays: both forms are taken there.
    Vendor {
        name: "deepseek",
        base_url: Some("https://api.deepseek.com"),
        operations: OperationSet::of(&[Chat, Text, List]),
        version: "",
        paths: &[(Text, "/beta/completions")],
        quirks: Quirks { chat: ChatQuirks::DEEPSEEK, ..Quirks::OLDER_LIMIT },
        source: "https://api-docs.deepseek.com/api/create-chat-completion (2026-11)",
        ..COPY
    },
    Vendor {
        name: "fireworks",
        base_url: Some("https://api.fireworks.ai/inference"),
        operations: OperationSet::of(&[Chat, Text, Responses, Embed, List]),
        quirks: Quirks::OPEN_MODELS,
        source: "https://docs.fireworks.ai/guides/querying-text-models (2026-11)",
        ..COPY
    },
    // The last event of its streams has the usage, and its API does not list `stream_options`.
    Vendor {
        name: "together",
        base_url: Some("https://api.together.ai"),
        operations: OperationSet::of(&[Chat, Text, Embed, List]),
        quirks: Quirks { usage_on_request: false, ..Quirks::OPEN_MODELS },
        source: "https://docs.together.ai/docs/inference/openai-compatibility (2026-11)",
        ..COPY
    },
    Vendor {
        name: "huggingface",
        base_url: Some("https://router.huggingface.co"),
        operations: OperationSet::of(&[Chat, Responses, List]),
        source: "https://huggingface.co/docs/inference-providers (2026-11)",
        ..COPY
    },
    Vendor {
        name: "nebius",
        base_url: Some("https://api.tokenfactory.nebius.com"),
        operations: OperationSet::of(&[Chat, Text, Embed, List]),
        quirks: Quirks::OPEN_MODELS,
        source: "https://docs.tokenfactory.nebius.com/api-reference/introduction (2026-11)",
        ..COPY
    },
    // Its Responses API is for few models yet.
    Vendor {
        name: "sgl",
        quirks: Quirks::OPEN_MODELS,
        source: "https://docs.sglang.io/docs/basic_usage/openai_api (2026-11)",
        ..SELF_HOSTED
    },
    Vendor {
        name: "vllm",
        operations: OperationSet::of(&[Chat, Text, Responses, Embed, List]),
        quirks: Quirks::OPEN_MODELS,
        source: "https://docs.vllm.ai/en/v0.32.0/serving/online_serving/ (2026-11)",
        ..SELF_HOSTED
    },
    Vendor {
        name: "parasail",
        base_url: Some("https://api.parasail.io"),
        operations: OperationSet::of(&[Chat, Text, Embed, List]),
        quirks: Quirks::OPEN_MODELS,
        source: "https://docs.parasail.io/parasail-docs/api-reference (2026-11)",
        ..COPY
    },
    // A model is a serving endpoint of the workspace that the base URL names.
    Vendor {
        name: "databricks",
        operations: OperationSet::of(&[Chat, Text, Embed]),
        version: "/serving-endpoints",
        source: "https://docs.databricks.com/aws/en/machine-learning/model-serving/score-foundation-models (2026-11)",
        ..COPY
    },
    Vendor {
        name: "nvidia",
        base_url: Some("https://integrate.api.nvidia.com"),
        operations: OperationSet::of(&[Chat, Embed, List]),
        source: "https://docs.api.nvidia.com/nim/reference/llm-apis (2026-11)",
        ..COPY
    },
];
