//! What asking the routing rules costs: ten of them in four scopes, none of which matches but the last.

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::key::{KeyTokens, VirtualKey};
use policy::request::{Dialect, Operation, OperationSet, Request};
use policy::route::expr::{Condition, Content};
use policy::route::rule::{Facts, Failures, Rule, RuleScope, RuleTarget, Used, Who};
use policy::route::{Caller, Weight};
use policy::snapshot::{Change, Customer, Snapshot, Team};

fn rule(index: u32, expression: &str) -> Change {
    let scope = match index % 4 {
        0 => RuleScope::VirtualKey("vk".into()),
        1 => RuleScope::Team("ml".into()),
        2 => RuleScope::Customer("acme".into()),
        _ => RuleScope::Global,
    };
    Change::PutRule(Arc::new(Rule {
        id: format!("rule-{index}").into(),
        name: "a rule".into(),
        scope,
        priority: 0,
        order: index,
        condition: Arc::new(Condition::compile(expression).expect("the expression is right")),
        targets: vec![RuleTarget { provider: None, model: Some("m".into()), credential: None, weight: Weight::ONE }],
        fallbacks: None,
        is_chained: false,
        balance: None,
        failures: Failures::default(),
    }))
}

fn world(expression: impl Fn(u32) -> String) -> Snapshot {
    let key = VirtualKey {
        id: "vk".into(),
        name: "a key".into(),
        tokens: KeyTokens::new(),
        is_active: true,
        expires_at_ms: None,
        team: Some("ml".into()),
        customer: None,
        providers: Vec::new(),
        unlisted_providers: true,
        operations: OperationSet::ALL,
        balance: None,
        limits: policy::limit::Limits::default(),
    };
    let changes = [
        Change::PutCustomer(Arc::new(Customer {
            id: "acme".into(),
            name: "Acme".into(),
            limits: policy::limit::Limits::default(),
        })),
        Change::PutTeam(Arc::new(Team {
            id: "ml".into(),
            name: "ML".into(),
            customer: Some("acme".into()),
            limits: policy::limit::Limits::default(),
        })),
        Change::PutVirtualKey(Arc::new(key)),
    ];
    let changes = changes.into_iter().chain((0..10).map(|index| rule(index, &expression(index))));
    changes.fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).expect("nothing contradicts"))
}

/// A conversation of one kilobyte.
fn body() -> String {
    let text = "What is the answer to the question of all questions? ".repeat(2);
    let message = format!(r#"{{"role": "user", "content": "{text}"}}"#);
    let messages = vec![message; 6].join(", ");
    format!(
        r#"{{"model": "gpt-4o", "max_tokens": 500, "temperature": 0.7, "stream": true, "messages": [{messages}],
            "user": "someone", "tools": [], "metadata": {{"a": "b", "c": "d"}}}}"#
    )
}

fn rules(criterion: &mut Criterion) {
    let body = body();
    let by_model = world(|index| format!("model.startsWith('model-{index}') && team_id == 'ml'"));
    let by_body = world(|index| format!("request_body.max_tokens > 4000 + {index} && model == 'gpt-4o'"));
    for (name, snapshot) in [("remembered", &by_model), ("each reading a body of 1 KB", &by_body)] {
        let caller = Caller { key: snapshot.key("vk").cloned(), own_credential: None };
        let request =
            Request { body: body.as_bytes(), ..Request::new(Dialect::OpenAi, Operation::ChatCompletion, "gpt-4o") };
        criterion.bench_function(&format!("ten rules in four scopes, {name}"), |bencher| {
            bencher.iter(|| {
                let content = Content::of(black_box(&request));
                let operation = request.operation;
                let facts =
                    Facts { model: request.model, provider: "", operation, content: &content, used: &Used::default() };
                snapshot.rules().first_match(&Who::of(snapshot, &caller), &facts, &mut ()).is_some()
            });
        });
    }
    let expression = "model == 'gpt-4o' && request_body.max_tokens > 4000";
    criterion.bench_function("compiling an expression", |bencher| {
        bencher.iter(|| Condition::compile(black_box(expression)).is_ok());
    });
}

criterion_group!(benches, rules);
criterion_main!(benches);
