//! The variables of an expression while it is evaluated.

use std::any::Any;
use std::collections::HashMap;

use cel::common::types::{CelMap, CelMapKey, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::context::VariableResolver;
use regex::Regex;

use super::super::rule::{Facts, Who};
use super::Needs;

/// Every variable.
pub(super) const VARIABLES: [&str; 14] = [
    "model",
    "provider",
    "request_type",
    "headers",
    "params",
    "request_body",
    "virtual_key_id",
    "virtual_key_name",
    "team_id",
    "team_name",
    "customer_id",
    "customer_name",
    "user_id",
    "request",
];

/// The members of `request`, and the variables that they are.
pub(super) const MEMBERS: [(&str, &str); 6] = [
    ("model", "model"),
    ("provider", "provider"),
    ("type", "request_type"),
    ("headers", "headers"),
    ("params", "params"),
    ("body", "request_body"),
];

pub(super) const PATTERN_TYPE: Type = Type::new_unspecified_type("pattern");
static STATIC_PATTERN_TYPE: Type = PATTERN_TYPE;

/// A regular expression, compiled with the expression it stands in.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// Compiles one; large ones are refused.
    pub(super) fn compile(text: &str) -> Result<Self, regex::Error> {
        const MOST_BYTES: usize = 256 * 1024;
        let builder = &mut regex::RegexBuilder::new(text);
        builder.size_limit(MOST_BYTES).dfa_size_limit(MOST_BYTES).nest_limit(32).build().map(Self)
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &STATIC_PATTERN_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// The name under which an expression finds the pattern of an index. No variable can have it.
pub(super) fn pattern_name(index: usize) -> String {
    format!("@{index}")
}

/// The variables of one evaluation; those that the expression does not need are missing.
pub(super) struct Scope<'v> {
    /// `model`, `provider` and `request_type`, then those of who calls.
    texts: [CelString<'v>; 9],
    user: CelString<'v>,
    headers: Option<&'v (dyn Val + 'v)>,
    params: Option<&'v (dyn Val + 'v)>,
    body: Option<&'v (dyn Val + 'v)>,
    patterns: &'v [Pattern],
}

impl<'v> Scope<'v> {
    /// `None` where the body is needed and cannot be read, or is too long for loops.
    pub(super) fn of(who: &Who<'v>, facts: &Facts<'v, '_>, needs: Needs, patterns: &'v [Pattern]) -> Option<Self> {
        let content = facts.content;
        let body = match needs.body {
            true => Some(content.body()?),
            false => None,
        };
        if needs.loops && needs.body && !content.is_short() {
            return None;
        }
        let asked = [facts.model, facts.provider, facts.operation.as_str()];
        let [key, team, customer] = who.ids_and_names();
        let [model, provider, operation] = asked;
        let texts = [model, provider, operation, key.0, key.1, team.0, team.1, customer.0, customer.1];
        Some(Self {
            texts: texts.map(CelString::from),
            user: CelString::from(""),
            headers: needs.headers.then(|| content.headers() as &(dyn Val + 'v)),
            params: needs.params.then(|| content.params() as &(dyn Val + 'v)),
            body: body.map(|body| body as &(dyn Val + 'v)),
            patterns,
        })
    }

    /// Only patterns.
    pub(super) fn empty(patterns: &'v [Pattern]) -> Self {
        let texts = [""; 9].map(CelString::from);
        Self { texts, user: CelString::from(""), headers: None, params: None, body: None, patterns }
    }

    fn text(&self, index: usize) -> Option<&CelString<'v>> {
        self.texts.get(index)
    }

    fn find<'b>(&'b self, name: &str) -> Option<&'b (dyn Val + 'b)> {
        let index = match name {
            "model" => 0,
            "provider" => 1,
            "request_type" => 2,
            "virtual_key_id" => 3,
            "virtual_key_name" => 4,
            "team_id" => 5,
            "team_name" => 6,
            "customer_id" => 7,
            "customer_name" => 8,
            "user_id" => return Some(&self.user),
            "headers" => return self.headers.map(|value| value as &(dyn Val + 'b)),
            "params" => return self.params.map(|value| value as &(dyn Val + 'b)),
            "request_body" => return self.body.map(|value| value as &(dyn Val + 'b)),
            _ => {
                let pattern = self.patterns.get(name.strip_prefix('@')?.parse::<usize>().ok()?)?;
                return Some(pattern);
            }
        };
        self.text(index).map(|text| text as &(dyn Val + 'b))
    }

    /// `request` as a whole: only for expressions that do not name its members.
    fn whole<'b>(&'b self) -> CelMap<'b> {
        let entry = |(member, variable): (&'static str, &str)| {
            Some((CelMapKey::from(member), self.find(variable)?.clone_as_boxed()))
        };
        MEMBERS.into_iter().filter_map(entry).collect::<HashMap<_, _>>().into()
    }
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "request" => Some(CowVal::owned(self.whole())),
            _ => self.find(variable).map(CowVal::Borrowed),
        }
    }
}
