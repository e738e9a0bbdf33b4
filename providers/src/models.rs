//! Answers to model listing, in each dialect and in the superset of all: `/v1/models` is asked by several SDKs.

use policy::request::{Operation, OperationSet};
use serde::Serialize;

/// One model of a listing.
#[derive(Clone, Copy, Debug)]
pub struct ListedModel<'a> {
    /// The name by which it is asked for.
    pub id: &'a str,
    /// Who serves it.
    pub owned_by: &'a str,
    /// When it was released, in seconds since 1970; 0 where nobody knows.
    pub created: u64,
    /// The most input tokens. `None`: not known.
    pub context_window: Option<u64>,
    /// The most output tokens. `None`: not known.
    pub max_output: Option<u64>,
    /// What it can do.
    pub operations: OperationSet,
}

/// OpenAI's listing (<https://platform.openai.com/docs/api-reference/models/list>, 2026-11).
#[must_use]
pub fn openai_list(models: &[ListedModel<'_>]) -> Vec<u8> {
    bytes(&OpenAiList { object: "list", data: models.iter().map(OpenAiModel::new).collect() })
}

/// Anthropic's listing (<https://platform.claude.com/docs/en/api/models-list>, 2026-11), as one page.
#[must_use]
pub fn anthropic_list(models: &[ListedModel<'_>]) -> Vec<u8> {
    bytes(&AnthropicList { data: models.iter().map(AnthropicModel::new).collect(), page: Page::new(models) })
}

/// Gemini's listing (<https://ai.google.dev/api/models#method:-models.list>, 2026-11), as one page.
#[must_use]
pub fn gemini_list(models: &[ListedModel<'_>]) -> Vec<u8> {
    bytes(&GeminiList { models: models.iter().map(GeminiModel::new).collect() })
}

/// One answer that the SDKs of all three read as their own.
#[must_use]
pub fn superset_list(models: &[ListedModel<'_>]) -> Vec<u8> {
    let both = |model| BothModel { openai: OpenAiModel::new(model), anthropic: AnthropicFields::new(model) };
    bytes(&SupersetList {
        object: "list",
        data: models.iter().map(both).collect(),
        page: Page::new(models),
        gemini: GeminiList { models: models.iter().map(GeminiModel::new).collect() },
    })
}

fn bytes(list: &impl Serialize) -> Vec<u8> {
    // Structs with text keys cannot fail to become JSON.
    serde_json::to_vec(list).unwrap_or_default()
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

impl<'a> OpenAiModel<'a> {
    fn new(model: &ListedModel<'a>) -> Self {
        Self { id: model.id, object: "model", created: model.created, owned_by: model.owned_by }
    }
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    #[serde(flatten)]
    page: Page<'a>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    id: &'a str,
    #[serde(flatten)]
    fields: AnthropicFields<'a>,
}

impl<'a> AnthropicModel<'a> {
    fn new(model: &ListedModel<'a>) -> Self {
        Self { id: model.id, fields: AnthropicFields::new(model) }
    }
}

/// What Anthropic's entries have beside the id.
#[derive(Serialize)]
struct AnthropicFields<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    display_name: &'a str,
    created_at: String,
    lifecycle: &'static str,
    max_input_tokens: Option<u64>,
    max_tokens: Option<u64>,
}

impl<'a> AnthropicFields<'a> {
    fn new(model: &ListedModel<'a>) -> Self {
        Self {
            kind: "model",
            display_name: model.id,
            created_at: rfc3339(model.created),
            lifecycle: "active",
            max_input_tokens: model.context_window,
            max_tokens: model.max_output,
        }
    }
}

#[derive(Serialize)]
struct Page<'a> {
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

impl<'a> Page<'a> {
    fn new(models: &[ListedModel<'a>]) -> Self {
        let id = |model: &ListedModel<'a>| model.id;
        Self { has_more: false, first_id: models.first().map(id), last_id: models.last().map(id) }
    }
}

#[derive(Serialize)]
struct GeminiList<'a> {
    models: Vec<GeminiModel<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: String,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: Vec<&'static str>,
}

impl<'a> GeminiModel<'a> {
    fn new(model: &ListedModel<'a>) -> Self {
        let methods: [(Operation, &[&'static str]); 3] = [
            (Operation::ChatCompletion, &["generateContent", "streamGenerateContent"]),
            (Operation::CountTokens, &["countTokens"]),
            (Operation::Embedding, &["embedContent", "batchEmbedContents"]),
        ];
        let able = methods.into_iter().filter(|(operation, _)| model.operations.contains(*operation));
        Self {
            name: format!("models/{}", model.id),
            display_name: model.id,
            input_token_limit: model.context_window,
            output_token_limit: model.max_output,
            supported_generation_methods: able.flat_map(|(_, names)| names.iter().copied()).collect(),
        }
    }
}

#[derive(Serialize)]
struct SupersetList<'a> {
    object: &'static str,
    data: Vec<BothModel<'a>>,
    #[serde(flatten)]
    page: Page<'a>,
    #[serde(flatten)]
    gemini: GeminiList<'a>,
}

#[derive(Serialize)]
struct BothModel<'a> {
    #[serde(flatten)]
    openai: OpenAiModel<'a>,
    #[serde(flatten)]
    anthropic: AnthropicFields<'a>,
}

/// Seconds since 1970 as RFC 3339 in UTC. Days to a civil date: Howard Hinnant, "chrono-compatible low-level date algorithms".
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Counted from 1 March of year 0, so the leap day ends the year; an era is 400 years.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn listed() -> [ListedModel<'static>; 2] {
        let chat = [Operation::ChatCompletion, Operation::CountTokens].into_iter().collect();
        let embed = [Operation::Embedding].into_iter().collect();
        [
            ListedModel {
                id: "openai/gpt-4o",
                owned_by: "openai",
                created: 1_715_367_049,
                context_window: Some(128_000),
                max_output: Some(16_384),
                operations: chat,
            },
            ListedModel {
                id: "embed",
                owned_by: "gemini",
                created: 0,
                context_window: None,
                max_output: None,
                operations: embed,
            },
        ]
    }

    fn value(bytes: Vec<u8>) -> Value {
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn each_dialect_lists_in_its_own_shape() {
        let openai = json!({"id": "openai/gpt-4o", "object": "model", "created": 1_715_367_049, "owned_by": "openai"});
        assert_eq!(value(openai_list(&listed()))["data"][0], openai);
        let anthropic = value(anthropic_list(&listed()));
        let expected = json!({
            "type": "model", "id": "openai/gpt-4o", "display_name": "openai/gpt-4o", "created_at": "2024-05-10T18:50:49Z",
            "lifecycle": "active", "max_input_tokens": 128_000, "max_tokens": 16_384,
        });
        assert_eq!(anthropic["data"][0], expected);
        assert_eq!((&anthropic["first_id"], &anthropic["has_more"]), (&json!("openai/gpt-4o"), &json!(false)));
        let gemini = json!({"name": "models/embed", "displayName": "embed",
            "supportedGenerationMethods": ["embedContent", "batchEmbedContents"]});
        assert_eq!(value(gemini_list(&listed()))["models"][1], gemini);
    }

    #[test]
    fn the_superset_holds_what_each_dialect_has() {
        let superset = value(superset_list(&listed()));
        for part in [openai_list(&listed()), anthropic_list(&listed()), gemini_list(&listed())] {
            assert_holds(&superset, &value(part));
        }
        assert_eq!(value(superset_list(&[]))["last_id"], Value::Null);
    }

    fn assert_holds(whole: &Value, part: &Value) {
        match (whole, part) {
            (Value::Object(whole), Value::Object(part)) => {
                part.iter().for_each(|(name, part)| assert_holds(&whole[name], part));
            }
            (Value::Array(whole), Value::Array(part)) => {
                assert_eq!(whole.len(), part.len());
                whole.iter().zip(part).for_each(|(whole, part)| assert_holds(whole, part));
            }
            _ => assert_eq!(whole, part),
        }
    }

    #[test]
    fn dates_are_civil() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(rfc3339(seconds), text);
        }
        assert!(rfc3339(u64::MAX).ends_with('Z'));
    }
}
