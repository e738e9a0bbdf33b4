//! Reading one entity in its normal form, with the same readers and checks as a whole file.

use super::super::check::check_one;
use super::super::json::{self, Json};
use super::super::node::{Node, Read};
use super::super::path::Path;
use super::super::problem::Log;
use super::super::provider::provider;
use super::super::{Problem, Vocabulary, World, env, not_yet};
use super::{Kind, Shape};

/// Reads an entity, and gives it with its warnings. Places are told as seen from the entity: `provider_configs[0].weight`.
/// `env` gives the value of an environment variable; what the entity refers to is looked for in `world`.
///
/// # Errors
/// All problems, warnings among them, in the order of the document, when one of them keeps the entity from being used.
pub fn read_entity(
    kind: Kind,
    id: &str,
    document: &str,
    env: impl Fn(&str) -> Option<String>,
    world: &dyn World,
    vocabulary: &Vocabulary<'_>,
) -> Result<(Shape, Vec<Problem>), Vec<Problem>> {
    let written = json::parse(document)?;
    read(&written, Log::of_entity(&written, kind), (kind, id), env, world, vocabulary)
}

/// Reads an entity that is kept, as [`read_entity`] does. A provider's key that is gone and budgets whose durations have become the same
/// are warnings: what is named may be changed without who names it, and what is kept must be read all the same.
///
/// # Errors
/// All problems, warnings among them, in the order of the document, when one of them keeps the entity from being used.
pub fn read_kept(
    kind: Kind,
    id: &str,
    document: &str,
    env: impl Fn(&str) -> Option<String>,
    world: &dyn World,
    vocabulary: &Vocabulary<'_>,
) -> Result<(Shape, Vec<Problem>), Vec<Problem>> {
    let written = json::parse(document)?;
    read(&written, Log::of_kept(&written, kind), (kind, id), env, world, vocabulary)
}

fn read<'a>(
    written: &'a Json,
    log: Log<'a>,
    (kind, id): (Kind, &str),
    env: impl Fn(&str) -> Option<String>,
    world: &dyn World,
    vocabulary: &Vocabulary<'_>,
) -> Result<(Shape, Vec<Problem>), Vec<Problem>> {
    let resolved = if env::has_reference(written) { Some(env::resolve(written, &env, &log)) } else { None };
    let document = resolved.as_ref().unwrap_or(written);
    let log = log.onto(document);
    let shape = Shape::read(kind, id, Node::document(document, &log)).completed(world);
    check_id(kind, id, document, &log);
    check_one(&shape, world, vocabulary, &log);
    not_yet::check(document, id, vocabulary, &log);
    let problems = log.into_problems();
    if problems.iter().all(Problem::is_warning) { Ok((shape, problems)) } else { Err(problems) }
}

impl Shape {
    fn read(kind: Kind, id: &str, node: Node<'_>) -> Self {
        match kind {
            Kind::Client => Self::Client(Box::new(Read::read(node))),
            Kind::AuthConfig => Self::AuthConfig(Read::read(node)),
            Kind::Plugins => Self::Plugins(Read::read(node)),
            Kind::Framework => Self::Framework(Read::read(node)),
            Kind::Provider => Self::Provider(Box::new(provider(id, node))),
            Kind::Budget => Self::Budget(Read::read(node)),
            Kind::RateLimit => Self::RateLimit(Read::read(node)),
            Kind::ProviderLimits => Self::ProviderLimits(Box::new(Read::read(node))),
            Kind::ModelConfig => Self::ModelConfig(Box::new(Read::read(node))),
            Kind::Customer => Self::Customer(Box::new(Read::read(node))),
            Kind::Team => Self::Team(Box::new(Read::read(node))),
            Kind::VirtualKey => Self::VirtualKey(Box::new(Read::read(node))),
            Kind::RoutingRule => Self::RoutingRule(Box::new(Read::read(node))),
            Kind::PricingOverride => Self::PricingOverride(Box::new(Read::read(node))),
        }
    }

    /// The entity with what it leaves to be found elsewhere.
    fn completed(self, world: &dyn World) -> Self {
        match self {
            Self::PricingOverride(one) => Self::PricingOverride(Box::new(one.with_provider(world))),
            other => other,
        }
    }
}

/// An entity's id never changes: it is that under which it is kept.
fn check_id(kind: Kind, id: &str, document: &Json, log: &Log<'_>) {
    let Some(field) = kind.id_field() else { return };
    if document.field(field).and_then(Json::as_text).is_some_and(|written| written != id) {
        let message = format!("cannot be changed: this {} is `{id}`", kind.label());
        log.error(Path::Root.field(field), message);
    }
}
