//! The variables of an expression while it is evaluated.

use std::any::Any;
use std::collections::HashMap;

use cel::common::types::{CelBool, CelDouble, CelMap, CelMapKey, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::context::VariableResolver;
use regex::Regex;

use smallvec::SmallVec;

use super::super::rule::{Facts, Who};
use super::check::Found;
use super::content::{Unreadable, is_short};

/// Every variable.
pub(super) const VARIABLES: [&str; 17] = [
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
    "budget_used",
    "tokens_used",
    "requests_used",
    "request",
];

/// The variables that are numbers: how much of a limit is used.
pub(super) const NUMBERS: [&str; 3] = ["budget_used", "tokens_used", "requests_used"];

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

/// What an expression finds under a name that no variable can have: `@`, one of these, and an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prepared {
    /// A pattern.
    Pattern,
    /// A field of the body.
    Field,
    /// Whether the body has a field.
    HasField,
}

impl Prepared {
    const LETTERS: [(char, Self); 3] = [('p', Self::Pattern), ('f', Self::Field), ('h', Self::HasField)];

    /// The name of the one of that index.
    pub(super) fn name(self, index: usize) -> String {
        let letter = Self::LETTERS.iter().find(|(_, kind)| *kind == self).map_or(' ', |(letter, _)| *letter);
        format!("@{letter}{index}")
    }

    /// What such a name stands for.
    pub(super) fn of(name: &str) -> Option<(Self, usize)> {
        let rest = name.strip_prefix('@')?;
        let (_, kind) = Self::LETTERS.iter().find(|(letter, _)| rest.starts_with(*letter))?;
        Some((*kind, rest.get(1..)?.parse().ok()?))
    }
}

/// The variables of one evaluation; those that the expression does not need are missing.
pub(super) struct Scope<'v> {
    /// `model`, `provider` and `request_type`, then those of who calls.
    texts: [CelString<'v>; 9],
    user: CelString<'v>,
    /// Those of [`NUMBERS`].
    used: [CelDouble; 3],
    headers: Option<&'v (dyn Val + 'v)>,
    params: Option<&'v (dyn Val + 'v)>,
    body: Option<&'v (dyn Val + 'v)>,
    /// Fields of the body; `None` for those that are not there.
    fields: SmallVec<[Option<&'v (dyn Val + 'v)>; 4]>,
    patterns: &'v [Pattern],
    no_and_yes: [CelBool; 2],
}

impl<'v> Scope<'v> {
    /// `None` where what it needs of the body cannot be read, or is too long for loops.
    pub(super) fn of(who: &Who<'v>, facts: &Facts<'v, '_>, found: &'v Found) -> Option<Self> {
        let (content, needs) = (facts.content, found.needs);
        let [key, team, customer] = who.ids_and_names();
        let (model, provider, operation) = (facts.model, facts.provider, facts.operation.as_str());
        let texts = [model, provider, operation, key.0, key.1, team.0, team.1, customer.0, customer.1];
        let field = |name: &str| Ok(content.field(name)?.map(|value| value as &(dyn Val + 'v)));
        let fields: Result<SmallVec<_>, Unreadable> = found.fields.iter().map(|name| field(name)).collect();
        let scope = Self {
            texts: texts.map(CelString::from),
            user: CelString::from(""),
            used: if needs.used { facts.used.percents().map(CelDouble::from) } else { Default::default() },
            headers: needs.headers.then(|| content.headers() as &(dyn Val + 'v)),
            params: needs.params.then(|| content.params() as &(dyn Val + 'v)),
            body: if found.is_whole_body { Some(content.body().ok()?) } else { None },
            fields: fields.ok()?,
            patterns: &found.patterns,
            no_and_yes: [false, true].map(CelBool::from),
        };
        let mut values = scope.fields.iter().flatten().chain(&scope.body);
        let is_too_long = needs.loops && values.any(|value| !is_short(*value));
        (!is_too_long).then_some(scope)
    }

    /// Only what needs no request.
    pub(super) fn empty(found: &'v Found) -> Self {
        Self {
            texts: [""; 9].map(CelString::from),
            user: CelString::from(""),
            used: Default::default(),
            headers: None,
            params: None,
            body: None,
            fields: SmallVec::new(),
            patterns: &found.patterns,
            no_and_yes: [false, true].map(CelBool::from),
        }
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
            _ => return self.number(name).or_else(|| self.prepared(name)),
        };
        self.text(index).map(|text| text as &(dyn Val + 'b))
    }

    fn number<'b>(&'b self, name: &str) -> Option<&'b (dyn Val + 'b)> {
        let index = NUMBERS.iter().position(|number| *number == name)?;
        self.used.get(index).map(|value| value as &(dyn Val + 'b))
    }

    fn prepared<'b>(&'b self, name: &str) -> Option<&'b (dyn Val + 'b)> {
        match Prepared::of(name)? {
            (Prepared::Pattern, index) => self.patterns.get(index).map(|pattern| pattern as &(dyn Val + 'b)),
            (Prepared::Field, index) => self.fields.get(index)?.map(|value| value as &(dyn Val + 'b)),
            (Prepared::HasField, index) => {
                let is_there = self.fields.get(index)?.is_some();
                self.no_and_yes.get(usize::from(is_there)).map(|value| value as &(dyn Val + 'b))
            }
        }
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
