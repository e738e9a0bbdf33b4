//! Conditions of routing rules: CEL expressions, compiled and bounded when they are written.

mod bounds;
mod check;
mod content;
mod error;
mod scope;
mod value;

pub use content::Content;
pub use error::ExprError;

use std::sync::LazyLock;

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::common::types::{CelBool, STRING_TYPE};
use cel::common::value::CowVal;
use cel::parser::Parser;
use cel::{Context, Env, ExecutionError, Value};

use super::rule::{Facts, Who};
use check::Found;
use scope::{PATTERN_TYPE, Pattern, Prepared, Scope};

/// What a condition comes to for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It holds.
    Yes,
    /// It does not hold, or asks for a field or a key that is not there.
    No,
    /// It cannot be evaluated, or is neither true nor false. Counts as no match.
    Failed,
}

/// What a condition looks at besides the model, the provider and the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Who calls: ids and names of key, team and customer.
    pub who: bool,
    /// The request's headers.
    pub headers: bool,
    /// The request's query parameters.
    pub params: bool,
    /// The request's body.
    pub body: bool,
    /// Each item of lists, with `all`, `exists`, `map` and the like.
    pub loops: bool,
    /// What is used of limits.
    pub used: bool,
}

impl Needs {
    /// Whether it looks at nothing that is different in each request.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        !(self.headers || self.params || self.body || self.used)
    }
}

/// A compiled condition.
#[derive(Clone, Debug)]
pub struct Condition {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Constant(bool),
    Computed { root: Box<IdedExpr>, found: Box<Found> },
}

/// What all expressions can call. Built once: it takes longer than most evaluations.
static ROOT: LazyLock<Context<'static, 'static>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // A pattern is compiled with its expression, so `matches` gets it ready-made.
    let member = env.add_member_overload("matches", "matches_pattern", STRING_TYPE, vec![PATTERN_TYPE], matches);
    let global = env.add_overload("matches", "matches_pattern_global", vec![STRING_TYPE, PATTERN_TYPE], matches);
    debug_assert!(member.is_ok() && global.is_ok(), "nothing else declares `matches`");
    Context::with_env(std::sync::Arc::new(env))
});

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = &*arguments else { return Err(ExecutionError::missing_argument_or_target()) };
    let text = text.downcast_ref::<cel::common::types::CelString<'_>>();
    match (text, pattern.downcast_ref::<Pattern>()) {
        (Some(text), Some(pattern)) => Ok(CowVal::owned(CelBool::from(pattern.is_match(text.inner())))),
        _ => Err(ExecutionError::missing_argument_or_target()),
    }
}

impl Condition {
    /// Holds always.
    #[must_use]
    pub fn always() -> Self {
        Self { text: Box::default(), kind: Kind::Constant(true) }
    }

    /// Holds never.
    #[must_use]
    pub fn never() -> Self {
        Self { text: "false".into(), kind: Kind::Constant(false) }
    }

    /// Compiles an expression; an empty one holds always.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(text: &str) -> Result<Self, ExprError> {
        if text.trim().is_empty() {
            return Ok(Self { text: text.into(), ..Self::always() });
        }
        bounds::check(text)?;
        let parser = Parser::new().max_recursion_depth(bounds::MOST_BRACKETS);
        let (mut root, source) =
            parser.parse_with_source_info(text).map_err(|errors| error::of_parser(text, &errors))?;
        let found = check::check(&mut root, text, &source)?;
        let kind = match &root.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Kind::Constant(*value.inner()),
            _ if !found.is_variable => Kind::Constant(constant(&root, &found)?),
            _ => Kind::Computed { root: Box::new(root), found: Box::new(found) },
        };
        Ok(Self { text: text.into(), kind })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it looks at.
    #[must_use]
    pub fn needs(&self) -> Needs {
        match &self.kind {
            Kind::Constant(_) => Needs::default(),
            Kind::Computed { found, .. } => found.needs,
        }
    }

    /// Its value where that is always the same.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        match self.kind {
            Kind::Constant(value) => Some(value),
            Kind::Computed { .. } => None,
        }
    }

    /// Evaluates it for one request.
    #[must_use]
    pub fn evaluate(&self, who: &Who<'_>, facts: &Facts<'_, '_>) -> Match {
        let (root, found) = match &self.kind {
            Kind::Constant(true) => return Match::Yes,
            Kind::Constant(false) => return Match::No,
            Kind::Computed { root, found } => (root, found),
        };
        let Some(scope) = Scope::of(who, facts, found) else { return Match::Failed };
        match in_scope(root, &scope) {
            Ok(Some(true)) => Match::Yes,
            Ok(Some(false)) | Err(ExecutionError::NoSuchKey(_)) => Match::No,
            // A field of the body that is not there: all other names were checked.
            Err(ExecutionError::UndeclaredReference(name)) if Prepared::of(&name).is_some() => Match::No,
            Ok(None) | Err(_) => Match::Failed,
        }
    }
}

/// The value, or `None` where it is neither true nor false.
fn in_scope<'x>(root: &'x IdedExpr, scope: &'x Scope<'_>) -> Result<Option<bool>, ExecutionError> {
    let context: &Context<'x, 'x> = &ROOT;
    let mut context = context.new_inner_scope();
    context.set_variable_resolver(scope);
    let value = Value::resolve_val(root, &context)?;
    Ok(value.downcast_ref::<CelBool>().map(|value| *value.inner()))
}

/// The value of an expression without variables.
fn constant(root: &IdedExpr, found: &Found) -> Result<bool, ExprError> {
    match in_scope(root, &Scope::empty(found)) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(ExprError::new(1, "is never true or false")),
        Err(error) => Err(ExprError::new(1, format!("cannot be evaluated: {error}"))),
    }
}

#[cfg(test)]
mod tests;
