//! Secrets of documents: where they stand, how they are kept, and what is shown of them.

use policy::declare::Problem;
use policy::declare::entity::Kind;
use policy::key::TokenHash;
use policy::provider::Secret;
use serde_json::{Map, Value, json};
use store::registry::{Origin, Row};
use store::seal::{Context, Seal, SealError};

use super::change::problem;
use super::{Env, REDACTED};

/// The field with the hashes of earlier tokens. Every rotation leaves it.
const EARLIER: &str = "value_hashes";
/// The fields of a virtual key that say what opens it.
const TOKENS: [&str; 3] = ["value", "value_hash", EARLIER];
/// What a sealed value begins with.
pub(super) const SEALED: &str = "sealed:v1:";
/// What a reference to the environment begins with: it is no secret.
pub(super) const REFERENCE: &str = "env.";

/// A document as it is kept: each secret sealed for its place. A virtual key's token leaves its hash.
pub(super) fn sealed(seal: &Seal, kind: Kind, id: &str, document: &str) -> Result<String, SealError> {
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return Ok(document.to_owned()) };
    if kind == Kind::VirtualKey {
        hash_token(&mut value);
    }
    let mut error = None;
    each(kind, &mut value, &mut |field, text| {
        if text.starts_with(SEALED) || text.starts_with(REFERENCE) {
            return;
        }
        match seal.seal(Context { kind: kind.as_str(), id, field }, &Secret::new(text)) {
            Ok(sealed) => *text = sealed,
            Err(failed) => error = Some(failed),
        }
    });
    error.map_or_else(|| Ok(value.to_string()), Err)
}

/// The key is told by the hash of the token that was given.
fn hash_token(document: &mut Value) {
    let token = document.get("value").and_then(Value::as_str);
    let Some(token) = token.filter(|token| !token.starts_with(SEALED) && !token.starts_with(REFERENCE)) else { return };
    let hash = TokenHash::of(token).to_hex();
    if let Some(fields) = document.as_object_mut() {
        fields.insert("value_hash".to_owned(), Value::String(hash));
    }
}

/// The document of a row with its secrets.
pub(super) fn opened(seal: &Seal, row: &Row) -> Result<String, SealError> {
    let kind = row.kind.parse::<Kind>();
    // A virtual key is known by its hash.
    let Some(kind) = kind.ok().filter(|kind| *kind != Kind::VirtualKey && row.document.contains(SEALED)) else {
        return Ok(row.document.clone());
    };
    let Ok(mut value) = serde_json::from_str::<Value>(&row.document) else { return Ok(row.document.clone()) };
    let mut error = None;
    each(kind, &mut value, &mut |field, text| {
        if text.starts_with(SEALED) {
            match seal.unseal(Context { kind: kind.as_str(), id: &row.id, field }, text) {
                Ok(secret) => *text = secret.reveal().to_owned(),
                Err(failed) => error = Some(failed),
            }
        }
    });
    error.map_or_else(|| Ok(value.to_string()), Err)
}

/// The token of a virtual key; `None`: it is not kept.
pub(super) fn token(seal: &Seal, row: &Row, env: Env) -> Result<Option<Secret>, SealError> {
    let document: Value = serde_json::from_str(&row.document).unwrap_or_default();
    let Some(text) = document.get("value").and_then(Value::as_str) else { return Ok(None) };
    if let Some(name) = text.strip_prefix(REFERENCE) {
        return Ok(env(name).map(|token| Secret::new(&token)));
    }
    seal.unseal(Context { kind: &row.kind, id: &row.id, field: "value" }, text).map(Some)
}

/// A document as it is shown.
pub(super) fn redacted(kind: Kind, document: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return String::new() };
    each(kind, &mut value, &mut |_, text| {
        if !text.starts_with(REFERENCE) {
            REDACTED.clone_into(text);
        }
    });
    if let Some(fields) = value.as_object_mut() {
        fields.remove("value_hash");
        fields.remove("value_hashes");
    }
    value.to_string()
}

/// A body in which each secret that was shown as [`REDACTED`] is the one that is kept in its place. The token of a virtual key is not
/// in it: it is the gateway's to make. What is no JSON stays: its reader tells of it.
pub(super) fn restored(kind: Kind, body: &str, stored: &str) -> Result<String, Vec<Problem>> {
    let Ok(mut new) = serde_json::from_str::<Value>(body) else { return Ok(body.to_owned()) };
    if kind == Kind::VirtualKey {
        return without_token(new, body);
    }
    let (mut known, mut old) = (Vec::new(), serde_json::from_str::<Value>(stored).unwrap_or_default());
    each(kind, &mut old, &mut |field, text| known.push((field.to_owned(), text.clone())));
    let (mut is_changed, mut wrong) = (false, Vec::new());
    each(kind, &mut new, &mut |field, text| {
        if text != REDACTED {
            return;
        }
        match known.iter().find(|(place, _)| place == field) {
            Some((_, before)) => (is_changed, *text) = (true, before.clone()),
            None => wrong.push(problem(field, "stands for a secret that is kept, and none is kept here")),
        }
    });
    match (wrong.is_empty(), is_changed) {
        (false, _) => Err(wrong),
        (true, true) => Ok(new.to_string()),
        (true, false) => Ok(body.to_owned()),
    }
}

/// What is written back as it was shown says nothing; another token would be one that somebody chose.
fn without_token(mut document: Value, body: &str) -> Result<String, Vec<Problem>> {
    match document.as_object_mut().and_then(|fields| fields.remove("value")) {
        None => Ok(body.to_owned()),
        Some(value) if value.is_null() || value == REDACTED => Ok(document.to_string()),
        Some(_) => Err(vec![problem("value", "is made by the gateway: leave it out, or rotate the key")]),
    }
}

/// What a rotation makes of a virtual key's document: the new token opens it, and the one before until a moment.
pub(super) fn rotated(document: &str, new: &Secret, ends_at_ms: u64, env: Env) -> String {
    let mut value: Value = serde_json::from_str(document).unwrap_or_default();
    let Some(fields) = value.as_object_mut() else { return document.to_owned() };
    let of_environment = |text: &str| Some(TokenHash::of(&env(text.strip_prefix(REFERENCE)?)?).to_hex());
    let before = fields.remove("value_hash").and_then(|hash| Some(hash.as_str()?.to_owned()));
    let before = before.or_else(|| of_environment(fields.get("value")?.as_str()?));
    // Two open it at most: those before the last one do not any more.
    let hashes: Vec<_> =
        before.map(|hash| json!({ "value_hash": hash, "expires_at_ms": ends_at_ms })).into_iter().collect();
    fields.insert("value".to_owned(), Value::String(new.reveal().to_owned()));
    fields.insert("value_hashes".to_owned(), Value::Array(hashes));
    value.to_string()
}

/// The tokens of a virtual key as they are kept, if a call gave them to it: by making it, or by a rotation. Taken over, they are told
/// as such again.
pub(super) fn tokens_of_calls(row: &Row) -> Option<Vec<(String, Value)>> {
    let Ok(Value::Object(fields)) = serde_json::from_str(&row.document) else { return None };
    let is_made_by_call = row.file_mac.is_none() && row.origin == Origin::Api;
    if !is_made_by_call && !fields.contains_key(EARLIER) {
        return None;
    }
    let mut tokens: Vec<_> = fields.into_iter().filter(|(name, _)| TOKENS.contains(&&**name)).collect();
    if tokens.iter().all(|(name, _)| name != EARLIER) {
        tokens.push((EARLIER.to_owned(), json!([])));
    }
    Some(tokens)
}

/// A virtual key that opens nothing: it is not active, and its token is one that nobody has.
pub(super) fn revoked(document: &str, unknown: &Secret) -> String {
    let mut value: Value = serde_json::from_str(document).unwrap_or_default();
    let Some(fields) = value.as_object_mut() else { return document.to_owned() };
    TOKENS.iter().for_each(|name| drop(fields.remove(*name)));
    fields.insert("value".to_owned(), Value::String(unknown.reveal().to_owned()));
    fields.insert("is_active".to_owned(), Value::Bool(false));
    value.to_string()
}

/// Shows each secret with the name of its place, which no reordering changes.
fn each(kind: Kind, document: &mut Value, show: &mut dyn FnMut(&str, &mut String)) {
    let Some(fields) = document.as_object_mut() else { return };
    match kind {
        Kind::VirtualKey => one(fields, "value", "value", show),
        Kind::AuthConfig => one(fields, "admin_password", "admin_password", show),
        Kind::Provider => {
            for key in fields.get_mut("keys").and_then(Value::as_array_mut).into_iter().flatten() {
                let Some(key) = key.as_object_mut() else { continue };
                let name = key.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                one(key, "value", &format!("keys/{name}"), show);
            }
            let headers = fields.get_mut("network_config").and_then(|network| network.get_mut("extra_headers"));
            for (name, value) in headers.and_then(Value::as_object_mut).into_iter().flatten() {
                if let Value::String(text) = value {
                    show(&format!("extra_headers/{name}"), text);
                }
            }
        }
        _ => {}
    }
}

fn one(fields: &mut Map<String, Value>, name: &str, place: &str, show: &mut dyn FnMut(&str, &mut String)) {
    if let Some(Value::String(text)) = fields.get_mut(name) {
        show(place, text);
    }
}
