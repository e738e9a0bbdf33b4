use super::*;
use crate::key::{KeyTokens, VirtualKey};
use crate::request::{Dialect, Fields, Operation, OperationSet, Request};
use crate::route::rule::Used;
use crate::snapshot::{Customer, Team};

mod mistakes;
mod random;

#[derive(Debug)]
struct Headers(&'static [(&'static str, &'static str)]);

impl Fields for Headers {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn each(&self, show: &mut dyn FnMut(&str, &str)) {
        self.0.iter().for_each(|(name, value)| show(name, value));
    }
}

const HEADERS: &[(&str, &str)] = &[("x-tier", "gold"), ("x-many", "first"), ("x-many", "second")];
const QUERY: &str = "Region=eu%2Dwest&flag&q=a+b&bad=100%&region=us";

fn request(body: &str) -> Request<'_> {
    Request {
        headers: &Headers(HEADERS),
        query: QUERY,
        body: body.as_bytes(),
        ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "gpt-4o")
    }
}

fn ask(expression: &str, body: &str) -> Match {
    ask_about(expression, &request(body), "openai")
}

fn ask_about(expression: &str, request: &Request<'_>, provider: &str) -> Match {
    let condition = Condition::compile(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let content = Content::of(request);
    let key = VirtualKey {
        id: "vk-1".into(),
        name: "One".into(),
        tokens: KeyTokens::new(),
        is_active: true,
        expires_at_ms: None,
        team: None,
        customer: None,
        providers: Vec::new(),
        unlisted_providers: true,
        operations: OperationSet::ALL,
        balance: None,
        limits: crate::limit::Limits::default(),
    };
    let team = Team { id: "ml".into(), name: "ML".into(), customer: None, limits: crate::limit::Limits::default() };
    let customer = Customer { id: "acme".into(), name: "Acme".into(), limits: crate::limit::Limits::default() };
    let who = Who { key: Some(&key), team: Some(&team), customer: Some(&customer) };
    let facts = Facts {
        model: request.model,
        provider,
        operation: request.operation,
        content: &content,
        used: &Used::default(),
    };
    condition.evaluate(&who, &facts)
}

const BODY: &str = r#"{"model": "gpt-4o", "max_tokens": 5000, "temperature": 0.7, "top_p": 1.0, "n": 1, "stream": true,
    "big": 18446744073709551615, "nothing": null, "tools": [], "user": "a\"b",
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]}"#;

#[test]
fn expressions_mean_what_their_readers_expect() {
    for (expression, expected) in [
        ("", Match::Yes),
        (" \n\t", Match::Yes),
        ("true", Match::Yes),
        ("false", Match::No),
        ("1 == 1", Match::Yes),
        ("request.model == 'gpt-4o'", Match::Yes),
        ("request[\"model\"] == 'gpt-4o'", Match::Yes),
        ("has(request.model) && has(request.body.tools)", Match::Yes),
        ("request.type == request_type && request.provider == provider", Match::Yes),
        ("request.headers['x-tier'] == 'gold' && request.params.region == 'eu-west'", Match::Yes),
        ("request.body.max_tokens == 5000", Match::Yes),
        ("'model' in request && size(request) == 6", Match::Yes),
        ("model.startsWith('gpt-')", Match::Yes),
        ("model.startsWith('claude')", Match::No),
        ("model.endsWith('4o') && model.contains('t-') && size(model) == 6", Match::Yes),
        ("model.matches(\"^gpt-.*\")", Match::Yes),
        ("matches(model, 'claude|gemini')", Match::No),
        ("model.matches('^gpt') && !model.matches('mini$')", Match::Yes),
        ("model in ['gpt-4o', 'gpt-4o-mini']", Match::Yes),
        ("provider == 'openai' && request_type == 'chat_completion'", Match::Yes),
        ("virtual_key_id == 'vk-1' && virtual_key_name == 'One'", Match::Yes),
        ("team_id == 'ml' && team_name == 'ML' && customer_id == 'acme' && customer_name == 'Acme'", Match::Yes),
        ("user_id == ''", Match::Yes),
        ("headers[\"x-tier\"] == \"gold\"", Match::Yes),
        ("\"x-tier\" in headers", Match::Yes),
        ("\"x-other\" in headers", Match::No),
        ("headers['x-many'] == 'first'", Match::Yes),
        ("params.region == 'eu-west' && params.flag == '' && params['q'] == 'a b' && params.bad == '100%'", Match::Yes),
        ("has(request_body.tools)", Match::Yes),
        ("has(request_body.tool_choice)", Match::No),
        ("request_body.max_tokens > 4000", Match::Yes),
        ("model == 'gpt-4o' && request_body.max_tokens > 4000", Match::Yes),
        ("request_body.temperature > 0.5", Match::Yes),
        ("request_body.temperature > 1", Match::No),
        ("request_body.top_p >= 1 && request_body.n >= 1", Match::Yes),
        ("request_body.top_p == 1 && request_body.n == 1.0", Match::Yes),
        ("request_body.big > 1", Match::Yes),
        ("request_body.n + 1 == 2", Match::Yes),
        ("request_body.nothing == null", Match::Yes),
        ("request_body.stream", Match::Yes),
        ("request_body.user == 'a\"b'", Match::Yes),
        ("request_body.messages.exists(m, m.role == 'system')", Match::Yes),
        ("request_body.messages.all(m, m.role == 'user')", Match::No),
        ("request_body.messages[1].content == 'hello'", Match::Yes),
        ("request_body.messages.filter(m, m.role == 'user').size() == 1", Match::Yes),
        ("size(request_body.messages.map(m, m.content)) == 2", Match::Yes),
        ("double(request_body.max_tokens) / 2.0 == 2500.0 && int('7') == 7 && string(7) == '7'", Match::Yes),
        ("type(request_body.n) == int", Match::Yes),
        ("request_body.stream ? model == 'gpt-4o' : false", Match::Yes),
    ] {
        assert_eq!(ask(expression, BODY), expected, "{expression}");
    }
}

#[test]
fn what_is_not_there_is_no_match_and_what_cannot_be_is_a_failure() {
    for (expression, body, expected) in [
        ("request_body.max_tokens > 4000", "{}", Match::No),
        ("request_body.max_tokens > 4000 && model == 'gpt-4o'", "{}", Match::No),
        ("model == 'gpt-4o' && request_body.max_tokens > 4000", "{}", Match::No),
        ("request_body.max_tokens > 4000 || model == 'gpt-4o'", "{}", Match::Yes),
        ("request_body.a.b.c == 1", r#"{"a": {}}"#, Match::No),
        ("headers['x-none'] == 'a'", "{}", Match::No),
        ("headers.missing == 'a' || params.missing == 'b'", "{}", Match::No),
        ("has(request_body.tools)", "", Match::No),
        ("request_body.max_tokens > 4000", r#"{"max_tokens": "many"}"#, Match::Failed),
        ("request_body.max_tokens > 4000", r#"{"max_tokens": null}"#, Match::Failed),
        ("request_body.max_tokens > 4000", "[1]", Match::Failed),
        ("request_body.max_tokens > 4000", "not JSON", Match::Failed),
        ("request_body.stream", r#"{"stream": "yes"}"#, Match::Failed),
        ("request_body.messages[0].role == 'user'", r#"{"messages": []}"#, Match::Failed),
        ("request_body.n / 0 == 1", r#"{"n": 1}"#, Match::Failed),
        ("request_body.n + 1 > 0", r#"{"n": 9223372036854775807}"#, Match::Failed),
    ] {
        assert_eq!(ask(expression, body), expected, "{expression} of {body}");
    }
}

#[test]
fn a_body_that_is_too_large_too_deep_or_too_long_is_not_looked_at() {
    let sized = |bytes: usize| format!(r#"{{"n": 1, "pad": "{}"}}"#, "x".repeat(bytes - 19));
    assert_eq!(ask("request_body.n == 1", &sized(1024 * 1024)), Match::Yes);
    assert_eq!(ask("request_body.n == 1", &sized(1024 * 1024 + 1)), Match::Failed);
    assert_eq!(ask("model == 'gpt-4o'", &sized(1024 * 1024 + 1)), Match::Yes);

    let nested = |depth: usize| format!(r#"{{"n": 1, "deep": {}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(ask("request_body.n == 1", &nested(100)), Match::Yes);
    assert_eq!(ask("request_body.n == 1", &nested(100_000)), Match::Yes);
    assert_eq!(ask("has(request_body.deep) && request_body.n == 1", &nested(100_000)), Match::Failed);
    assert_eq!(ask("'n' in request_body", &nested(100)), Match::Yes);
    assert_eq!(ask("'n' in request_body", &nested(100_000)), Match::Failed);

    let long = |items: usize| format!(r#"{{"n": 1, "a": [{}1]}}"#, "1,".repeat(items - 1));
    assert_eq!(ask("request_body.a.all(x, x == 1)", &long(1_000)), Match::Yes);
    assert_eq!(ask("request_body.a.all(x, x == 1)", &long(1_001)), Match::Failed);
    assert_eq!(ask("1 in request_body.a", &long(1_001)), Match::Yes);
}

#[test]
fn what_an_expression_needs_is_known() {
    let needs = |expression: &str| Condition::compile(expression).unwrap().needs();
    let none = Needs::default();
    assert_eq!(needs("request.model == 'a' && request['type'] == 'b' && provider == ''"), none);
    assert_eq!(needs("has(request.model) || model == ''"), Needs { headers: true, params: true, body: true, ..none });
    assert_eq!(needs("team_name == 'a'"), Needs { who: true, ..none });
    assert_eq!(needs("request.headers.a == 'a'"), Needs { headers: true, ..none });
    assert_eq!(needs("params.a == 'a'"), Needs { params: true, ..none });
    assert_eq!(needs("has(request.body.a)"), Needs { body: true, ..none });
    assert_eq!(needs("size(request) == 6"), Needs { headers: true, params: true, body: true, ..none });
    assert_eq!(needs("['a'].exists(x, x == model)"), Needs { loops: true, ..none });
    assert_eq!(needs("true"), none);
}

#[test]
fn an_expression_without_variables_is_evaluated_when_it_is_written() {
    for (expression, value) in [("", Some(true)), ("true", Some(true)), ("!true", Some(false)), ("1 > 2", Some(false))]
    {
        assert_eq!(Condition::compile(expression).unwrap().constant(), value, "{expression}");
    }
    assert_eq!(Condition::compile("model == ''").unwrap().constant(), None);
    assert_eq!(Condition::compile("'abc'.matches('^a')").unwrap().constant(), Some(true));
}
