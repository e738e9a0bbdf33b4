//! Checks an expression once it is parsed: its names, its depth, its patterns. What it needs is found on the way, and what can
//! be prepared is: members of `request` become the variables that they are, fields of the body and patterns get names.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SelectExpr, SourceInfo, operators,
};

use super::scope::{MEMBERS, NUMBERS, Pattern, Prepared, VARIABLES};
use super::{ExprError, Needs};
use crate::nearest::hint;

/// How deep an expression may be nested.
const MOST_DEPTH: usize = 32;
/// How deep `all`, `exists`, `map` and the like may be nested: each multiplies the work by the length of a list.
const MOST_LOOPS: usize = 2;

const TYPES: [&str; 10] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];
const FUNCTIONS: [&str; 12] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "uint",
];
/// What the parser turns into something else, where it has the right number of arguments.
const MACROS: [&str; 7] = ["all", "exists", "existsOne", "exists_one", "filter", "has", "map"];

/// What was found in an expression.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// What it looks at.
    pub(super) needs: Needs,
    /// Whether it looks at any variable.
    pub(super) is_variable: bool,
    /// Its patterns, in the order of their names.
    pub(super) patterns: Vec<Pattern>,
    /// The fields of the body that it names, in the order of their names in it.
    pub(super) fields: Vec<Box<str>>,
    /// Whether it looks at the body other than by the names of its fields.
    pub(super) is_whole_body: bool,
}

/// Checks an expression, and prepares it.
pub(super) fn check(root: &mut IdedExpr, text: &str, source: &SourceInfo) -> Result<Found, ExprError> {
    let mut walk = Walk { text, source, found: Found::default(), bound: Vec::new(), loops: 0 };
    walk.expression(root, 1)?;
    match never_boolean(&root.expr) {
        Some(kind) => Err(walk.error(root.id, format!("is never true or false, but {kind}"))),
        None => Ok(walk.found),
    }
}

/// What the value is, where that can only be something else than true or false.
fn never_boolean(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Literal(LiteralValue::Boolean(_)) => None,
        Expr::Literal(LiteralValue::String(_)) => Some("a text"),
        Expr::Literal(LiteralValue::Null) => Some("null"),
        Expr::Literal(LiteralValue::Bytes(_)) => Some("bytes"),
        Expr::Literal(_) => Some("a number"),
        Expr::List(_) => Some("a list"),
        Expr::Map(_) => Some("an object"),
        Expr::Ident(name) => match name.as_str() {
            "headers" | "params" | "request" | "request_body" => Some("an object"),
            name if NUMBERS.contains(&name) => Some("a number"),
            name if VARIABLES.contains(&name) => Some("a text"),
            name if name.starts_with('@') => None,
            _ => Some("a type"),
        },
        _ => None,
    }
}

struct Walk<'a> {
    text: &'a str,
    source: &'a SourceInfo,
    found: Found,
    /// The variables of the loops around.
    bound: Vec<String>,
    loops: usize,
}

impl Walk<'_> {
    fn error(&self, id: u64, message: impl Into<String>) -> ExprError {
        let start = self.source.offset_for(id).and_then(|(start, _)| usize::try_from(start).ok()).unwrap_or(0);
        let before = self.text.char_indices().take_while(|(index, _)| *index < start).count();
        ExprError::new(before + 1, message)
    }

    fn expression(&mut self, node: &mut IdedExpr, depth: usize) -> Result<(), ExprError> {
        let id = node.id;
        if depth > MOST_DEPTH {
            return Err(self.error(id, format!("is nested more than {MOST_DEPTH} deep here")));
        }
        self.rename(node)?;
        match &mut node.expr {
            Expr::Unspecified => Err(self.error(id, "is no expression")),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(id, &name.clone()),
            Expr::Select(select) => self.expression(&mut select.operand, depth + 1),
            Expr::Call(call) => self.call(id, call, depth),
            Expr::List(list) => self.all(&mut list.elements, depth),
            Expr::Map(map) => self.map(id, map, depth),
            Expr::Struct(_) => Err(self.error(id, "messages cannot be built here")),
            Expr::Comprehension(comprehension) => self.comprehension(id, comprehension, depth),
        }
    }

    fn all(&mut self, nodes: &mut [IdedExpr], depth: usize) -> Result<(), ExprError> {
        nodes.iter_mut().try_for_each(|node| self.expression(node, depth + 1))
    }

    fn map(&mut self, id: u64, map: &mut MapExpr, depth: usize) -> Result<(), ExprError> {
        for entry in &mut map.entries {
            let EntryExpr::MapEntry(entry) = &mut entry.expr else {
                return Err(self.error(id, "messages cannot be built here"));
            };
            self.expression(&mut entry.key, depth + 1)?;
            self.expression(&mut entry.value, depth + 1)?;
        }
        Ok(())
    }

    /// Gives members of `request` the names of the variables that they are, and fields of the body names of their own.
    fn rename(&mut self, node: &mut IdedExpr) -> Result<(), ExprError> {
        if let Expr::Select(SelectExpr { operand, .. }) = &mut node.expr {
            self.rename_member(operand)?;
        } else if let Expr::Call(CallExpr { func_name, args, .. }) = &mut node.expr
            && func_name == operators::INDEX
            && let Some(operand) = args.first_mut()
        {
            self.rename_member(operand)?;
        }
        self.rename_member(node)?;
        // Inside a loop the body is refused, by its name.
        if let Some((name, is_test)) = field_of(node, "request_body").filter(|_| self.loops == 0) {
            let known = self.found.fields.iter().position(|field| **field == *name);
            let index = known.unwrap_or(self.found.fields.len());
            let kind = if is_test { Prepared::HasField } else { Prepared::Field };
            if known.is_none() {
                self.found.fields.push(name.into());
            }
            node.expr = Expr::Ident(kind.name(index));
            self.found.is_variable = true;
            self.found.needs.body = true;
        }
        Ok(())
    }

    fn rename_member(&self, node: &mut IdedExpr) -> Result<(), ExprError> {
        if let Some(variable) = self.member_of_request(node)? {
            node.expr = Expr::Ident(variable.to_owned());
        }
        Ok(())
    }

    /// `request.model` and `request["model"]` are `model`. `None` for what is no member of `request`.
    fn member_of_request(&self, node: &IdedExpr) -> Result<Option<&'static str>, ExprError> {
        let Some((name, is_test)) = field_of(node, "request") else { return Ok(None) };
        let member = MEMBERS.iter().find(|(member, _)| *member == name);
        match member {
            None => {
                let known = MEMBERS.iter().map(|(member, _)| *member);
                Err(self.error(node.id, format!("`request` has no `{name}`{}", hint(name, known))))
            }
            Some(_) if is_test => Ok(None),
            Some((_, variable)) => Ok(Some(variable)),
        }
    }

    fn name(&mut self, id: u64, name: &str) -> Result<(), ExprError> {
        if name.starts_with('@') || self.bound.iter().any(|bound| bound == name) || TYPES.contains(&name) {
            return Ok(());
        }
        if !VARIABLES.contains(&name) {
            return Err(self.error(id, format!("no variable `{name}` is known{}", hint(name, VARIABLES))));
        }
        if self.loops > 0 && matches!(name, "request" | "request_body") {
            // Else the work would grow with the square of the body, and the results of `map` too.
            let message = format!("`{name}` cannot be used inside a loop, only the loop's own variable");
            return Err(self.error(id, message));
        }
        let needs = &mut self.found.needs;
        self.found.is_variable = true;
        match name {
            "headers" => needs.headers = true,
            "params" => needs.params = true,
            "request_body" => (needs.body, self.found.is_whole_body) = (true, true),
            "request" => {
                (needs.headers, needs.params, needs.body) = (true, true, true);
                self.found.is_whole_body = true;
            }
            "model" | "provider" | "request_type" => {}
            name if NUMBERS.contains(&name) => needs.used = true,
            _ => needs.who = true,
        }
        Ok(())
    }

    fn call(&mut self, id: u64, call: &mut CallExpr, depth: usize) -> Result<(), ExprError> {
        let name = call.func_name.as_str();
        let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.');
        if MACROS.contains(&name) {
            return Err(self.error(id, format!("`{name}` has other arguments than these")));
        }
        let is_type = name == "type" && call.target.is_none();
        if !(is_operator || is_type || FUNCTIONS.contains(&name)) {
            let known = FUNCTIONS.iter().chain(&MACROS).copied().chain(["type"]);
            return Err(self.error(id, format!("no function `{name}` is known{}", hint(name, known))));
        }
        if name == "matches" {
            self.pattern(id, call)?;
        }
        if let Some(target) = &mut call.target {
            self.expression(target, depth + 1)?;
        }
        self.all(&mut call.args, depth)
    }

    /// Compiles the pattern of `matches`. It must be written out: compiling what a request says would let callers decide
    /// how much work that is.
    fn pattern(&mut self, id: u64, call: &mut CallExpr) -> Result<(), ExprError> {
        let place = match &call.target {
            Some(_) => 0,
            None => 1,
        };
        let wrong = self.error(id, "`matches` needs a pattern written as a text, as in model.matches(\"^gpt-\")");
        let count = call.args.len();
        let Some(argument) = call.args.get_mut(place).filter(|_| count == place + 1) else { return Err(wrong) };
        let Expr::Literal(LiteralValue::String(text)) = &argument.expr else { return Err(wrong) };
        let pattern = Pattern::compile(text.inner()).map_err(|error| {
            let reason = match error {
                regex::Error::CompiledTooBig(_) => "too large".to_owned(),
                error => error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
            };
            self.error(argument.id, format!("the pattern cannot be used: {reason}"))
        })?;
        argument.expr = Expr::Ident(Prepared::Pattern.name(self.found.patterns.len()));
        self.found.patterns.push(pattern);
        Ok(())
    }

    fn comprehension(&mut self, id: u64, parts: &mut ComprehensionExpr, depth: usize) -> Result<(), ExprError> {
        if self.loops == MOST_LOOPS {
            return Err(self.error(id, format!("loops over lists are nested more than {MOST_LOOPS} deep here")));
        }
        let variables = [Some(&parts.iter_var), parts.iter_var2.as_ref(), Some(&parts.accu_var)];
        let variables: Vec<String> = variables.into_iter().flatten().cloned().collect();
        if let Some(taken) = variables.iter().find(|name| VARIABLES.contains(&name.as_str())) {
            return Err(self.error(id, format!("`{taken}` is a variable already: choose another name here")));
        }
        self.expression(&mut parts.iter_range, depth + 1)?;
        self.expression(&mut parts.accu_init, depth + 1)?;
        self.found.needs.loops = true;
        self.loops += 1;
        let outer = self.bound.len();
        self.bound.extend(variables);
        for part in [&mut parts.loop_cond, &mut parts.loop_step, &mut parts.result] {
            self.expression(part, depth + 1)?;
        }
        self.bound.truncate(outer);
        self.loops -= 1;
        Ok(())
    }
}

/// The name in `object.name`, `object["name"]` and `has(object.name)`, and whether it is the last.
fn field_of<'a>(node: &'a IdedExpr, object: &str) -> Option<(&'a str, bool)> {
    let is_object = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == object);
    match &node.expr {
        Expr::Select(SelectExpr { operand, field, test }) if is_object(operand) => Some((field.as_str(), *test)),
        Expr::Call(CallExpr { func_name, args, .. }) if func_name == operators::INDEX => match &**args {
            [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] if is_object(operand) => {
                Some((name.inner(), false))
            }
            _ => None,
        },
        _ => None,
    }
}
