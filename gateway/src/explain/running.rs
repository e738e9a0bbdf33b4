//! The same of a running gateway, as the management API asks it: with what is in force, what was used, and how routes do.

use admin::{Asks, Explainer, Question};
use engine::clock::Clock;
use engine::control::Control;
use engine::explain::Books;
use http::{Method, Uri};
use policy::admit::enter_with;
use policy::decision::{Reason, Refusal};
use policy::request::Operation;
use policy::route::Caller;
use policy::snapshot::Snapshot;
use policy::window::Now;

use super::view::View;
use super::{Sent, judge, small_body};
use crate::proxy::BodyLimits;
use crate::proxy::route::{self, Route};

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) control: Control,
    pub(crate) clock: Clock,
    pub(crate) limits: BodyLimits,
}

impl Explainer for Running {
    fn explain(&self, question: &Question) -> Result<String, String> {
        let sent = sent(question)?;
        let (snapshot, now) = (self.control.snapshot(), self.control.now());
        let mut view = View::of_request(&sent);
        let caller = caller(&snapshot, question, &sent, now);
        let health = self.control.health().at(self.clock.micros());
        let books = Books { ledger: self.control.ledger(), now };
        if let Err(refusal) = judge(&mut view, &snapshot, (&sent, caller), self.limits, &health, books) {
            view.refuse(&refusal);
        }
        serde_json::to_string(&view).map_err(|error| error.to_string())
    }
}

fn sent(question: &Question) -> Result<Sent, String> {
    let uri: Uri = question.path.parse().map_err(|_| "path: that is none".to_owned())?;
    let path = uri.path().to_owned();
    let Route::Inference(asked) = route::find(&Method::POST, &path) else {
        let near = route::nearest(&Method::POST, &path);
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(format!("path: no model is called at {path}{hint}"));
    };
    let body = match &question.asks {
        Asks::Body(body) => body.clone(),
        Asks::Model(Some(model)) => small_body(&asked, model),
        Asks::Model(None) if asked.gemini.is_some() => small_body(&asked, ""),
        Asks::Model(None) => return Err("model: say which is asked for".to_owned()),
    };
    Ok(Sent { asked, path, query: uri.query().map(str::to_owned), headers: question.headers.clone(), body })
}

/// Whoever manages need not know a key's token to ask for it.
fn caller(snapshot: &Snapshot, question: &Question, sent: &Sent, now: Now) -> Result<Caller, Refusal> {
    let Some(id) = &question.key else { return sent.caller(snapshot, now) };
    let operation: Operation = sent.asked.operation;
    match snapshot.key(id) {
        Some(key) => enter_with(key, operation, now),
        None => Err(Refusal::new(Reason::VirtualKeyNotFound, "there is no virtual key of this id")),
    }
}
