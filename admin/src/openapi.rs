//! The document of the API (OpenAPI 3.1), made of the same tables and functions as its routes.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, Ref, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, RefOr, Required};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};

use crate::api::crud::{MadeBy, Resource};
use crate::api::entities::RESOURCES;
use crate::error::ErrorBody;
use crate::page::ListQuery;
use crate::session::COOKIE;

/// The shapes of a document, by name.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;
/// Gives a reference to a shape, which it adds to those of the document.
pub(crate) type SchemaOf = fn(&mut Schemas) -> RefOr<Schema>;

/// How a request may fail, whatever it is.
pub(crate) struct Failures;

const FAILURES: [(&str, &str); 12] = [
    ("400", "The request is wrong; the message says what, and `param` where."),
    ("401", "Management needs a log-in."),
    ("403", "Not from here, or not without more."),
    ("404", "There is nothing of that name."),
    ("405", "The path does not take this method; `Allow` says which it takes."),
    ("409", "It contradicts what is there."),
    ("413", "The body is too large."),
    ("415", "The body is not sent as application/json."),
    ("429", "Too many failed log-ins from this address."),
    ("500", "Something failed inside; the log says what, under the request's id."),
    ("503", "The store cannot be reached; nothing was changed."),
    ("504", "It took longer than a minute. What was to be changed may be changed yet."),
];

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response =
            |text: &str| ResponseBuilder::new().description(text).content(JSON, json_content(error())).build();
        FAILURES.into_iter().map(|(status, text)| (status.to_owned(), response(text).into())).collect()
    }
}

const JSON: &str = "application/json";

fn error() -> RefOr<Schema> {
    Ref::from_schema_name(ErrorBody::name()).into()
}

fn json_content(schema: RefOr<Schema>) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

/// A reference to a shape, which is added to the shapes of the document.
pub(crate) fn schema_of<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    Ref::from_schema_name(T::name()).into()
}

/// What is said of the API as a whole.
pub(crate) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tollgate management API")
        .version("1")
        .description(Some("What a configuration file can say can be changed here while calls are served."))
        .build();
    let mut schemas = Schemas::new();
    schema_of::<ErrorBody>(&mut schemas);
    let mut document = OpenApiBuilder::new().info(info).build();
    for resource in &RESOURCES {
        describe(resource, &mut document, &mut schemas);
    }
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)))
        .security_scheme("api_key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme("virtual_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-bf-vk"))))
        .security_scheme("virtual_key_bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE))));
    document.components = Some(components.build());
    let none: [&str; 0] = [];
    document.security = Some(["basic", "api_key", "session"].map(|name| SecurityRequirement::new(name, none)).into());
    document
}

/// What must be said of what is new, where its body has one shape for `POST` and `PUT`: one field of each list.
const REQUIRED: [(&str, &[&[&str]]); 3] = [
    ("/api/providers", &[&["provider", "name"]]),
    ("/api/providers/{provider}/keys", &[&["name"]]),
    ("/api/api-keys", &[&["name"]]),
];

/// Says in the shapes of bodies what must be in them.
pub(crate) fn require(document: &mut OpenApi) {
    for (path, fields) in REQUIRED {
        let item = document.paths.paths.get_mut(path);
        let body = item.and_then(|item| item.post.as_mut()).and_then(|post| post.request_body.as_mut());
        let Some(RefOr::T(body)) = body else { continue };
        let Some(RefOr::T(content)) = body.content.get_mut(JSON) else { continue };
        let Some(shape) = content.schema.as_mut() else { continue };
        let needs = fields.iter().map(|names| match names {
            [name] => Schema::from(ObjectBuilder::new().required(*name)),
            names => {
                let one = |any: AnyOfBuilder, name: &&str| any.item(ObjectBuilder::new().required(*name));
                Schema::AnyOf(names.iter().fold(AnyOfBuilder::new(), one).build())
            }
        });
        let all = needs.fold(AllOfBuilder::new().item(shape.clone()), AllOfBuilder::item);
        *shape = RefOr::T(Schema::AllOf(all.build()));
    }
}

/// Adds the operations of a list and of what is in it.
fn describe(resource: &Resource, document: &mut OpenApi, schemas: &mut Schemas) {
    let (reply, body) = ((resource.reply)(schemas), (resource.body)(schemas));
    let one = envelope(resource.singular, reply.clone());
    let several = envelope(resource.plural, ArrayBuilder::new().items(reply).build().into());
    let several = with_counts(several);
    let in_path = format!("{}/{{id}}", resource.path);
    let label = resource.label;
    let mut add = |path: &str, method, operation: OperationBuilder| {
        document.paths.add_path_operation(path, vec![method], operation.tag(tag(resource)).build());
    };
    let list = operation(resource, "list", &format!("Lists every {label}, or a part of them."));
    add(resource.path, HttpMethod::Get, list.parameters(Some(list_parameters(resource))).response("200", ok(several)));
    if resource.made_by == MadeBy::Post {
        let create = operation(resource, "create", &format!("Makes a {label}."));
        let whole = with_required(&body, resource.required);
        let create = create.request_body(Some(request(&whole))).response("201", ok(with_message(&one)));
        add(resource.path, HttpMethod::Post, create);
    }
    let read = operation(resource, "get", &format!("Gives a {label}.")).parameter(id());
    add(&in_path, HttpMethod::Get, read.response("200", ok(one.clone())));
    for (method, name) in [(HttpMethod::Put, "update"), (HttpMethod::Patch, "patch")] {
        if name == "patch" && resource.kind != policy::declare::entity::Kind::PricingOverride {
            continue;
        }
        let text = format!("Changes a {label}. What is absent stays, `null` removes.");
        let mut update = operation(resource, name, &text).parameter(id()).request_body(Some(request(&body)));
        if resource.made_by == MadeBy::Put {
            update = update.response("201", ok(with_message(&one)));
        }
        add(&in_path, method, update.response("200", ok(with_message(&one))));
    }
    let remove = operation(resource, "delete", &format!("Removes a {label}.")).parameter(id());
    add(&in_path, HttpMethod::Delete, remove.response("200", ok(message())));
}

fn operation(resource: &Resource, verb: &str, text: &str) -> OperationBuilder {
    let id = format!("{verb}_governance_{}", if verb == "list" { resource.plural } else { resource.singular });
    let mut operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(text));
    for (status, response) in Failures::responses() {
        operation = operation.response(status, response);
    }
    operation
}

fn tag(resource: &Resource) -> &'static str {
    resource.plural
}

fn id() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(text))
        .build()
}

fn list_parameters(resource: &Resource) -> Vec<Parameter> {
    let own = ["team_id", "customer_id", "scope", "scope_id", "provider"];
    let all = ListQuery::into_params(|| Some(ParameterIn::Query));
    all.into_iter().filter(|one| !own.contains(&&*one.name) || resource.filters.contains(&&*one.name)).collect()
}

fn request(body: &RefOr<Schema>) -> utoipa::openapi::request_body::RequestBody {
    RequestBodyBuilder::new().content(JSON, json_content(body.clone())).required(Some(Required::True)).build()
}

/// A shape of which some fields must be there.
fn with_required(body: &RefOr<Schema>, required: &[&str]) -> RefOr<Schema> {
    if required.is_empty() {
        return body.clone();
    }
    let needs = required.iter().fold(ObjectBuilder::new(), |object, name| object.required(*name));
    RefOr::T(Schema::AllOf(AllOfBuilder::new().item(body.clone()).item(needs).build()))
}

fn ok(schema: impl Into<RefOr<Schema>>) -> Response {
    ResponseBuilder::new().description("As asked.").content(JSON, json_content(schema.into())).build()
}

fn envelope(name: &str, schema: RefOr<Schema>) -> Object {
    ObjectBuilder::new().property(name, schema).required(name).build()
}

fn with_message(one: &Object) -> Object {
    ObjectBuilder::from(one.clone()).property("message", String::schema()).required("message").build()
}

fn with_counts(several: Object) -> Object {
    let counts = ["count", "total_count", "limit", "offset"].into_iter();
    counts
        .fold(several.into(), |object: ObjectBuilder, name| object.property(name, u64::schema()).required(name))
        .build()
}

fn message() -> Object {
    envelope("message", String::schema())
}
