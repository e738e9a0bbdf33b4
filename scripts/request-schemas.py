"""Writes the JSON schemas by which the fake provider checks what it is sent, from the official SDKs' own types.

request-schemas.py FOLDER    (in the environment of the newest SDKs: `make request-schemas`)
"""

import json
import sys
from pathlib import Path

import anthropic.types
import openai.types
import openai.types.chat.completion_create_params as chat
import openai.types.completion_create_params as completion
import openai.types.responses
import openai.types.responses.response_create_params as responses
from anthropic.types import message_create_params as messages
from google.genai import types as genai
from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model
from pydantic.alias_generators import to_camel

# What google-genai itself refuses to send to the Gemini API: only Vertex has it (google/genai/models.py, `*_to_mldev`).
ONLY_ON_VERTEX = {
    "FunctionCall": ["partialArgs", "willContinue"],
    "FunctionCallingConfig": ["streamFunctionCallArguments"],
    "GenerationConfig": [
        "audioTimestamp",
        "enableAffectiveDialog",
        "enableEnhancedCivicAnswers",
        "modelSelectionConfig",
        "routingConfig",
    ],
    "GoogleSearch": ["blockingConfidence", "excludeDomains"],
    "SafetySetting": ["method"],
    "Tool": ["enterpriseWebSearch", "exaAiSearch", "parallelAiSearch", "retrieval"],
}

# What the API takes for models before Claude 4.7 (migration guide, 2026-11) and the types no longer name.
OLDER_CLAUDES = {"temperature": {"type": "number"}, "top_k": {"type": "integer"}, "top_p": {"type": "number"}}


def gemini(name, **fields):
    """A request of Gemini's, whose SDK has no type for it as it goes over the wire."""
    config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True)
    return create_model(name, __config__=config, **fields)


CONTENT = {
    "contents": (list[genai.Content], ...),
    "system_instruction": (genai.Content, None),
    "tools": (list[genai.Tool], None),
    "tool_config": (genai.ToolConfig, None),
    "safety_settings": (list[genai.SafetySetting], None),
    "generation_config": (genai.GenerationConfig, None),
    "cached_content": (str, None),
    "service_tier": (str, None),
    "store": (bool, None),
}
EMBEDDING = {
    "model": (str, None),
    "content": (genai.Content, ...),
    "task_type": (str, None),
    "title": (str, None),
    "output_dimensionality": (int, None),
}
GENERATE = gemini("GenerateContentRequest", **CONTENT)
COUNTED = gemini("CountedRequest", model=(str, ...), **CONTENT)
EMBED = gemini("EmbedContentRequest", **EMBEDDING)

REQUESTS = {
    "openai.chat": chat.CompletionCreateParamsNonStreaming,
    "openai.completion": completion.CompletionCreateParamsNonStreaming,
    "openai.responses": responses.ResponseCreateParamsNonStreaming,
    "openai.embeddings": openai.types.EmbeddingCreateParams,
    "openai.count_tokens": openai.types.responses.InputTokenCountParams,
    "anthropic.chat": messages.MessageCreateParamsNonStreaming,
    "anthropic.count_tokens": anthropic.types.MessageCountTokensParams,
    "gemini.chat": GENERATE,
    "gemini.embeddings": EMBED,
    "gemini.batch_embeddings": gemini("BatchEmbedContentsRequest", requests=(list[EMBED], ...)),
    "gemini.count_tokens": gemini(
        "CountTokensRequest", contents=(list[genai.Content], None), generate_content_request=(COUNTED, None)
    ),
}


def closed(node):
    """The schema without what says nothing, in which no object has members that are not named, and nothing is null."""
    if isinstance(node, list):
        return [closed(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: closed_members(inner) if key in ("properties", "$defs") else closed(inner)
        for key, inner in node.items()
        if key not in ("title", "description", "default", "discriminator")
    }
    if "properties" in kept:
        kept.setdefault("additionalProperties", False)
    return kept


def closed_members(members):
    return {name: closed(schema) for name, schema in members.items()}


def without_null(node):
    """Gemini's types let everything be null; nothing is to be sent so."""
    if isinstance(node, list):
        return [without_null(inner) for inner in node if inner != {"type": "null"}]
    if isinstance(node, dict):
        return {key: without_null(inner) for key, inner in node.items()}
    return node


def schema(name, request):
    if isinstance(request, type) and issubclass(request, BaseModel):
        whole = without_null(request.model_json_schema(by_alias=True))
        for kind, fields in ONLY_ON_VERTEX.items():
            for field in fields:
                whole["$defs"].get(kind, {"properties": {}})["properties"].pop(field, None)
    else:
        whole = TypeAdapter(request).json_schema()
        if "stream" in whole["properties"]:
            # The types of streamed and other requests differ in this alone.
            whole["properties"]["stream"] = {"type": "boolean"}
        if name == "anthropic.chat":
            whole["properties"] |= OLDER_CLAUDES
    return closed(whole)


def main(folder):
    for name, request in REQUESTS.items():
        (Path(folder) / f"{name}.json").write_text(lines(schema(name, request)))


def lines(whole):
    """The schema as text, a line for each definition."""
    definitions = whole.pop("$defs", {})
    text = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(definitions[name], sort_keys=True)}" for name in sorted(definitions)
    )
    rest = json.dumps(whole, sort_keys=True)
    return f'{rest[:-1]}, "$defs": {{\n{text}\n}}}}\n'


if __name__ == "__main__":
    main(sys.argv[1])
