//! Reading and changing entities, alike for all kinds that are one list each. A table says what differs; the routes and the
//! document of the API are both made of it.

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use engine::control::{Control, Entry};
use http::StatusCode;
use policy::declare::entity::Kind;
use serde_json::{Map, Value, json};

use crate::auth::Who;
use crate::body::written;
use crate::error::ApiError;
use crate::extract::{JsonText, Named, Params};
use crate::openapi::SchemaOf;
use crate::page::{ListQuery, envelope};
use crate::state::State;
use crate::view::Lens;

/// A list of entities.
pub(crate) struct Resource {
    /// Of this kind.
    pub(crate) kind: Kind,
    /// Where it is.
    pub(crate) path: &'static str,
    /// The field of a reply that holds one.
    pub(crate) singular: &'static str,
    /// The field of a reply that holds several.
    pub(crate) plural: &'static str,
    /// What one is called in words.
    pub(crate) label: &'static str,
    /// The filters that its list has besides those of all lists.
    pub(crate) filters: &'static [&'static str],
    /// How one comes to be.
    pub(crate) made_by: MadeBy,
    /// What one looks like in replies.
    pub(crate) reply: SchemaOf,
    /// What must be said of a new one.
    pub(crate) required: &'static [&'static str],
    /// What one looks like in requests.
    pub(crate) body: SchemaOf,
}

/// How an entity comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MadeBy {
    /// By a `POST` to the list; it gets an id if it names none.
    Post,
    /// By a `PUT` to its name.
    Put,
}

type Reply = Result<Response, ApiError>;

/// The routes of a list and of what is in it.
pub(crate) fn routes(resource: &'static Resource) -> [(String, MethodRouter<State>); 2] {
    let mut list = get(move |Shared(state), Params(query)| list(state, resource, query));
    if resource.made_by == MadeBy::Post {
        list = list.post(move |Shared(state), who, JsonText(body)| create(state, resource, who, body));
    }
    let one = get(move |Shared(state), Named(id)| read(state, resource, id))
        .put(move |Shared(state), Named(id), who, JsonText(body)| update(state, resource, id, who, body))
        .delete(move |Shared(state), Named(id), who| remove(state, resource, id, who));
    // The original takes prices changed by PATCH too: what is absent stays either way.
    let one = if resource.kind == Kind::PricingOverride {
        one.patch(move |Shared(state), Named(id), who, JsonText(body)| update(state, resource, id, who, body))
    } else {
        one
    };
    [(resource.path.to_owned(), list), (format!("{}/{{id}}", resource.path), one)]
}

async fn list(state: State, resource: &'static Resource, query: ListQuery) -> Reply {
    let filter = query.filter(resource.kind, resource.filters)?;
    let bounds = query.bounds();
    state
        .blocking(move |state| {
            let (entries, total) = state.control.page(&filter)?;
            let lens = Lens::of(&state.control);
            let items = entries.iter().map(|entry| lens.show(entry)).collect();
            Ok(Json(envelope(resource.plural, items, total, bounds)).into_response())
        })
        .await
}

async fn read(state: State, resource: &'static Resource, id: String) -> Reply {
    state
        .blocking(move |state| {
            let entry = find(&state.control, resource.kind, &id)?;
            Ok(Json(one(resource, None, Lens::of(&state.control).show(&entry))).into_response())
        })
        .await
}

async fn create(state: State, resource: &'static Resource, who: Who, body: String) -> Reply {
    state
        .blocking(move |state| {
            let body = written(resource.kind, body);
            let created = state.control.create(resource.kind, &body, &who.actor())?;
            let mut shown = Lens::of(&state.control).show(&created.entry);
            if let (Some(token), Some(fields)) = (created.token, shown.as_object_mut()) {
                fields.insert("value".to_owned(), json!(token.reveal()));
            }
            Ok((StatusCode::CREATED, Json(one(resource, Some("created"), shown))).into_response())
        })
        .await
}

async fn update(state: State, resource: &'static Resource, id: String, who: Who, body: String) -> Reply {
    state
        .blocking(move |state| {
            let (kind, control) = (resource.kind, &state.control);
            let body = written(kind, body);
            if resource.made_by == MadeBy::Put && !has_nul(&id) && control.get(kind, &id)?.is_none() {
                let made = control.create_as(kind, &id, &body, &who.actor())?;
                let shown = Lens::of(control).show(&made.entry);
                return Ok((StatusCode::CREATED, Json(one(resource, Some("created"), shown))).into_response());
            }
            find(control, kind, &id)?;
            let entry = control.update(kind, &id, &body, &who.actor())?;
            Ok(Json(one(resource, Some("updated"), Lens::of(control).show(&entry))).into_response())
        })
        .await
}

async fn remove(state: State, resource: &'static Resource, id: String, who: Who) -> Reply {
    state
        .blocking(move |state| {
            find(&state.control, resource.kind, &id)?;
            state.control.remove(resource.kind, &id, &who.actor()).map_err(ApiError::of_removal)?;
            Ok(Json(json!({ "message": format!("{} deleted", resource.label) })).into_response())
        })
        .await
}

/// An entity; there must be one.
pub(crate) fn find(control: &Control, kind: Kind, id: &str) -> Result<Entry, ApiError> {
    let found = if has_nul(id) { None } else { control.get(kind, id)? };
    found.ok_or_else(|| ApiError::not_found(format!("there is no {} `{}`", kind.label(), id.escape_debug())))
}

/// No database keeps it, and some refuse to look for it.
fn has_nul(id: &str) -> bool {
    id.contains('\0')
}

fn one(resource: &Resource, done: Option<&str>, shown: Value) -> Value {
    let mut reply = Map::new();
    if let Some(done) = done {
        reply.insert("message".to_owned(), json!(format!("{} {done}", resource.label)));
    }
    reply.insert(resource.singular.to_owned(), shown);
    Value::Object(reply)
}
