//! `docs/providers.md` says what the table says.

use std::fmt::Write as _;

use policy::request::Operation;

use super::super::*;

const HEAD: &str = "\
# Providers

The vendors that a provider can be of: the names under `providers` in the [configuration](configuration.md#providers), and the values
of `base_provider_type` for a provider with a name of its own. This page is made from the table in
`providers/src/vendor/table.rs` by `UPDATE_GOLDEN=1 cargo test -p providers guide`; a test fails when it is not what the table says.

**Direct** operations are asked for in the vendor's own API: a request in its dialect arrives as the client wrote it, but for the
model, the output limit, the wish for usage and the gateway's own fields. Operations **through a conversation** are those that the
vendor lacks and that are told as a conversation of the kind that it has. Clients of other dialects reach every vendor's conversations.

A provider **without an address** needs `network_config.base_url`; those that operators run themselves (ollama, sgl, vllm) can
have it in each key instead (`ollama_key_config` and so on), need no credential, and cost nothing unless they are given a price.
A custom provider (`custom_provider_config`) has everything of its base vendor but the address and, where it says so, the credential.

";

#[test]
fn the_guide_says_what_the_table_says() {
    let written = guide();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/providers.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &written).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == written,
        "docs/providers.md is not what the table says: UPDATE_GOLDEN=1 cargo test -p providers guide"
    );
}

fn guide() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(
        "| Vendor | Dialect | Base URL | Credential | Direct | Through a conversation |\n|---|---|---|---|---|---|\n",
    );
    for vendor in VENDORS {
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            vendor.name,
            vendor.dialect,
            vendor.base_url.map_or_else(|| "to be configured".to_owned(), |url| format!("`{url}`")),
            credential(vendor),
            list(vendor.operations),
            list(through(vendor)),
        )
        .unwrap();
    }
    page.push_str(
        "\n## What is different\n\n| Vendor | Paths begin with | Differences | Written in |\n|---|---|---|---|\n",
    );
    for vendor in VENDORS {
        let first = if vendor.dialect == Dialect::Gemini { "/v1beta" } else { vendor.version };
        let begin = if first.is_empty() { "nothing".to_owned() } else { format!("`{first}`") };
        writeln!(page, "| `{}` | {begin} | {} | {} |", vendor.name, differences(vendor), vendor.source).unwrap();
    }
    page.push_str("\nNamed by configurations and not supported yet: ");
    let later: Vec<_> = KNOWN_ELSEWHERE.iter().map(|name| format!("`{name}`")).collect();
    writeln!(page, "{}.", later.join(", ")).unwrap();
    page
}

fn credential(vendor: &Vendor) -> String {
    let style = match vendor.credential {
        CredentialStyle::Bearer => "bearer token".to_owned(),
        CredentialStyle::Header(name) => format!("header `{name}`"),
    };
    if vendor.is_self_hosted { format!("{style}, or none") } else { style }
}

/// Conversations that it lacks, where it has any.
fn through(vendor: &Vendor) -> OperationSet {
    let conversations = [Operation::ChatCompletion, Operation::Responses, Operation::TextCompletion];
    let converses = conversations[..2].iter().any(|operation| vendor.operations.contains(*operation));
    conversations.into_iter().filter(|operation| converses && !vendor.operations.contains(*operation)).collect()
}

fn list(operations: OperationSet) -> String {
    let names: Vec<_> =
        Operation::ALL.iter().filter(|one| operations.contains(**one)).map(|one| one.as_str()).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn differences(vendor: &Vendor) -> String {
    let mut all = Vec::new();
    if vendor.dialect == Dialect::OpenAi && vendor.operations.contains(Operation::ChatCompletion) {
        all.push(format!("the output limit is `{}`", vendor.quirks.limit_field));
        if !vendor.quirks.usage_on_request {
            all.push("streams report usage unasked; `stream_options` is not sent".to_owned());
        }
    }
    all.extend(vendor.paths.iter().map(|(operation, path)| format!("{operation} at `{path}`")));
    all.extend(
        vendor.required_headers.iter().map(|(name, value)| format!("`{name}: {value}` where the client sends none")),
    );
    if all.is_empty() { "–".to_owned() } else { all.join("; ") }
}
