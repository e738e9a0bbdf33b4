//! Requests that are read, and written back.

use super::{fixture, fixtures, json};
use crate::gemini::generate::{name, read_request, write_request};
use crate::hub::field::Lost;
use crate::hub::part::{Arguments, MediaKind, MediaSource, Part, Role, Text, ToolOutput};
use crate::hub::request::{Format, Request, Tool, ToolChoice};
use crate::hub::text::Str;
use crate::translate::Target;
use crate::vendor::Quirks;

pub(super) fn target(model: &str) -> Target<'_> {
    Target { model, stream: false, limit: None, limit_if_none: 4_096, quirks: Quirks::NONE, drops: false }
}

/// Without what is not written: how closely media are to be looked at, that a type was guessed, and what is so by itself.
fn normal(mut request: Request<'_>) -> Request<'_> {
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if let Part::Media(media) = part {
            media.detail = None;
            if let MediaSource::Url { mime, .. } = &mut media.source {
                *mime = None;
            }
        }
    }
    request.tool_choice.take_if(|choice| *choice == ToolChoice::Auto);
    request.others.sort_by(|one, other| one.name.cmp(&other.name));
    request
}

#[test]
fn every_request_comes_back_as_it_was() {
    for (name_of, text) in fixtures(".request.json") {
        let request = read_request(text.as_bytes()).unwrap();
        let mut lost = Lost::new(name);
        let model = if name_of.starts_with("tool-media") { "gemini-3-pro-preview" } else { "tuned" };
        let written = write_request(&request, &target(model), &mut lost).unwrap();
        assert!(lost.demands.is_empty() && lost.hints.is_empty(), "{name_of}: {lost:?}");
        let written = String::from_utf8(written).unwrap();
        json(&written);
        let again = read_request(written.as_bytes()).unwrap();
        assert_eq!(normal(again), normal(request), "{name_of}: {written}");
    }
}

#[test]
fn both_spellings_are_read() {
    let text = fixture("conversation.request.json");
    let request = read_request(text.as_bytes()).unwrap();
    assert_eq!(
        request.turns.iter().map(|turn| turn.role).collect::<Vec<_>>(),
        [Role::System, Role::User, Role::Assistant, Role::User]
    );
    assert_eq!(
        request.turns[2].parts,
        [Part::Text(Text::plain(Str::raw_of(r#"Miau \"hi\"\nWhat would you like to know?"#)))]
    );
    assert_eq!(request.max_output, Some(256));
    assert_eq!(request.stop, [Str::raw_of("Title"), Str::raw_of("\\n\\n")]);
    assert_eq!(request.others, []);
}

#[test]
fn media_are_told_by_their_types() {
    let text = fixture("media.request.json");
    let request = read_request(text.as_bytes()).unwrap();
    let media: Vec<_> = request.turns[0]
        .parts
        .iter()
        .filter_map(|part| if let Part::Media(media) = part { Some(media) } else { None })
        .collect();
    let kinds: Vec<_> = media.iter().map(|media| media.kind).collect();
    use MediaKind::{Audio, File, Image, Video};
    assert_eq!(kinds, [Image, File, Image, Video, Audio, Audio]);
    let MediaSource::Inline { base64, .. } = &media[1].source else { panic!("{media:?}") };
    assert_eq!(base64.raw(), "JVBERi0xLjQKJ/+/");
    assert!(media[2].detail.as_ref().unwrap().is("high"));
    assert!(matches!(media[3].source, MediaSource::Url { mime: None, .. }));
    assert!(matches!(media[4].source, MediaSource::Id(_)));
}

#[test]
fn calls_and_results_are_read() {
    let text = fixture("tools.request.json");
    let request = read_request(text.as_bytes()).unwrap();
    let Part::ToolCall(call) = &request.turns[1].parts[1] else { panic!() };
    assert!(call.id.as_ref().unwrap().is("call-1") && call.signature.as_ref().unwrap().raw().contains('/'));
    assert!(matches!(&call.arguments, Arguments::Value(value) if value.is(r#"{"location":"Paris"}"#)));
    let results: Vec<_> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| if let Part::ToolResult(result) = part { Some(result) } else { None })
        .collect();
    let text = |text| ToolOutput::Parts(vec![Part::Text(Text::plain(Str::raw_of(text)))]);
    assert_eq!((&results[0].content, results[0].is_error), (&text("15 °C"), false));
    assert_eq!((&results[1].content, results[1].is_error), (&text("no station"), true));
    assert!(matches!(&results[2].content, ToolOutput::Value(value) if value.is_object()));
    assert_eq!(request.tool_choice, Some(ToolChoice::Auto));
    let parameters: Vec<_> = request
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Function(function) => function.parameters.as_ref().map_or("", |json| json.raw()),
            _ => panic!("{tool:?}"),
        })
        .collect();
    let unit = r#"{"enum":["CELSIUS","FAHRENHEIT",null],"type":["string","null"]}"#;
    assert_eq!(json(parameters[0])["properties"]["unit"], json(unit));
    assert_eq!(json(parameters[0])["type"], "object");
    assert_eq!(parameters[2], "");
}

#[test]
fn schemas_are_json_schemas() {
    let text = fixture("schema.request.json");
    let request = read_request(text.as_bytes()).unwrap();
    let Some(Format::Schema { schema, .. }) = &request.format else { panic!("{:?}", request.format) };
    let expected = json(
        r#"{"type":"array","items":{"type":"object","properties":{"recipeName":{"type":"string"},
        "ingredients":{"type":"array","items":{"type":"string"},"minItems":1},
        "rating":{"anyOf":[{"type":"number","format":"float"},{"type":"string"},{"type":"null"}]}}}}"#,
    );
    assert_eq!(json(schema.raw()), expected);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, message) in [
        (r#"{"contents":[{"parts":[{"text":7}]}]}"#, "`contents[0].parts[0].text` must be a string"),
        (r#"{"contents":{"role":"bot"}}"#, "`contents.role` must be `user` or `model`"),
        (
            r#"{"generation_config":{"max_output_tokens":-1}}"#,
            "`generation_config.max_output_tokens` must be a whole number, not negative",
        ),
        (
            r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}}"#,
            "`generationConfig.thinkingConfig.thinkingBudget` must be a whole number from -1",
        ),
        (
            r#"{"tools":[{"functionDeclarations":[{"name":"f","parameters":[]}]}]}"#,
            "`tools[0].functionDeclarations[0].parameters` must be an object",
        ),
        (r#"{"systemInstruction":"Be kind."}"#, "`systemInstruction` must be an object"),
    ] {
        assert_eq!(read_request(text.as_bytes()).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn what_only_gemini_knows_is_kept_by_its_place() {
    let text = r#"{"contents":[{"parts":[{"text":"x","video_metadata":{"fps":1}}]}],"safety_settings":[{}],"labels":{},"store":false,
        "new_field":1,"generationConfig":{"image_config":{"imageSize":"2K"},"thinkingConfig":{"newer":1},"responseMimeType":"text/x.enum"},
        "toolConfig":{"retrievalConfig":{"languageCode":"de"}},"model":"m","fallbacks":["a/b"],
        "tools":[{"functionDeclarations":[{"name":"f","behavior":"NON_BLOCKING","response":{"type":"STRING"}}]},
        {"googleSearch":{"searchTypes":{"webSearch":{},"imageSearch":{}},"timeRangeFilter":{"startTime":"x"},"excludeDomains":["a.com"]}}]}"#;
    let request = read_request(text.as_bytes()).unwrap();
    let mut names: Vec<_> = request.others.iter().map(|other| &*other.name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "contents[].parts[].videoMetadata",
            "generationConfig.imageConfig",
            "generationConfig.responseMimeType",
            "generationConfig.thinkingConfig.newer",
            "newField",
            "safetySettings",
            "toolConfig.retrievalConfig",
            "tools[].functionDeclarations[].behavior",
            "tools[].functionDeclarations[].response",
            "tools[].googleSearch.searchTypes.imageSearch",
            "tools[].googleSearch.timeRangeFilter",
        ]
    );
    let Tool::WebSearch(search) = &request.tools[1] else { panic!() };
    assert_eq!(search.blocked_domains, [Str::raw_of("a.com")]);
}
