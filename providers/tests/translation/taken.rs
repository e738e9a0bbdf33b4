//! What goes to a vendor is what its API takes: no member that it does not know, none of another type, by the schemas that are
//! made from the official SDKs' own types.

use std::path::Path;

use jsonschema::Validator;
use providers::translate::{Translation, Wire};
use serde_json::Value;

use crate::support::{Kind, VENDORS, fixtures, target};

fn schema(wire: Wire) -> Validator {
    let name = match wire {
        Wire::Chat => "openai.chat",
        Wire::Responses => "openai.responses",
        Wire::Messages => "anthropic.chat",
        Wire::Generate => "gemini.chat",
        Wire::Completions => "openai.completion",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtest/schemas");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    jsonschema::options().build(&serde_json::from_str(&text).unwrap()).unwrap()
}

#[test]
fn what_is_asked_is_what_the_api_takes() {
    let mut problems = Vec::new();
    let fixtures = fixtures(Kind::Request);
    for vendor in VENDORS {
        let schema = schema(vendor);
        for fixture in fixtures.iter().filter(|fixture| fixture.wire != vendor) {
            let Ok(translated) = Translation::between(fixture.wire, vendor).request(&fixture.bytes, &target(true))
            else {
                continue;
            };
            let body: Value = serde_json::from_slice(&translated.body).unwrap();
            for error in schema.iter_errors(&body).take(2) {
                problems.push(format!("{} to {vendor:?}: {}: {error:.400}", fixture.name(), error.instance_path()));
            }
            let nulls = body.as_object().unwrap().iter().filter(|(_, value)| value.is_null());
            problems.extend(nulls.map(|(name, _)| format!("{} to {vendor:?}: {name} is null", fixture.name())));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
