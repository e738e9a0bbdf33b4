//! The answer of `tollgate explain`, for people.

use super::accounts;
use super::view::{AttemptView, CallerView, DroppedView, PlanView, RefusalView, TargetView, View, WayView};

const MARGIN: &str = "          ";

/// The whole answer, without a line break at its end.
pub(super) fn of(view: &View) -> String {
    let mut page = Page::default();
    page.put("caller", view.caller.as_ref().map(caller));
    page.put("asked", [asked(view)]);
    for one in &view.ways {
        page.put("rules", way(one, view.plans));
    }
    page.put("dropped", view.dropped.iter().map(dropped));
    if let Some(plan) = &view.plan {
        page.put("plan", targets(plan, view.plans));
        page.put("spread", [spread(plan, view.plans)]);
        page.put("stream", plan.stream_recovery.map(stream));
    }
    page.put("accounts", view.accounts.iter().map(accounts::text));
    page.put("refused", view.refusal.as_ref().map(|refusal| refused(refusal, view.plans)));
    page.0.join("\n")
}

/// Lines under headings in a margin.
#[derive(Default)]
struct Page(Vec<String>);

impl Page {
    fn put(&mut self, heading: &str, lines: impl IntoIterator<Item = String>) {
        for (line, n) in lines.into_iter().zip(0_usize..) {
            let heading = if n == 0 { heading } else { "" };
            self.0.push(format!("{heading:<width$}{line}", width = MARGIN.len()));
        }
    }
}

fn caller(caller: &CallerView) -> String {
    let mut text = match &caller.key {
        None => "anonymous".to_owned(),
        Some(key) => {
            let of =
                |what: &str, id: &Option<String>| id.as_ref().map_or(String::new(), |id| format!(", {what} `{id}`"));
            let (team, customer) = (of("team", &key.team), of("customer", &key.customer));
            format!("virtual key `{}` ({}){team}{customer}", key.id, key.name)
        }
    };
    if caller.has_own_credential {
        text.push_str(", with a vendor key of its own");
    }
    text
}

fn asked(view: &View) -> String {
    let request = &view.request;
    let model = request.model.as_ref().map_or(String::new(), |model| format!("model `{model}`, "));
    let provider = request.provider.as_ref().map_or(String::new(), |name| format!("of provider `{name}`, "));
    let stream = if request.stream { ", streamed" } else { "" };
    format!("{model}{provider}{} in the {} dialect{stream}", request.operation, request.dialect)
}

fn way(way: &WayView, plans: u32) -> Vec<String> {
    let mut lines = Vec::new();
    if plans > 1 && way.share < 1.0 {
        lines.push(format!("in {} of calls:", percent(way.share, plans)));
    }
    lines.extend(way.rules.iter().map(|rule| {
        let result = match (rule.result, rule.is_chained) {
            ("matched", true) => "matched; the rules are asked again with what it chose",
            ("matched", false) => "matched",
            ("failed", _) => "failed: its condition cannot be evaluated for this request",
            _ => "no match",
        };
        format!("`{}` ({}), of {}: {result}", rule.id, rule.name, rule.scope)
    }));
    lines
}

fn dropped(dropped: &DroppedView) -> String {
    let slash = if dropped.model.is_empty() || dropped.provider.is_empty() { "" } else { "/" };
    format!("{}{slash}{}: {}", dropped.provider, dropped.model, dropped.text)
}

fn targets(plan: &PlanView, plans: u32) -> Vec<String> {
    let numbered = plan.targets.iter().zip(1..);
    numbered.flat_map(|(target, n)| target_lines(target, n, plans)).collect()
}

fn target_lines(target: &TargetView, n: u32, plans: u32) -> Vec<String> {
    let TargetView { provider, model, max_retries, backoff_initial_ms, backoff_max_ms, .. } = target;
    let share = match target.share {
        share if share >= 1.0 => "always first".to_owned(),
        share if share > 0.0 => format!("first in {} of calls", percent(share, plans)),
        _ => "when those before it failed".to_owned(),
    };
    let retries = match max_retries {
        0 => "no retry".to_owned(),
        1 => format!("1 retry after up to {backoff_initial_ms} ms"),
        most => format!("{most} retries after up to {backoff_initial_ms} ms, then up to {backoff_max_ms} ms"),
    };
    let attempts = target.attempts.iter().map(attempt);
    std::iter::once(format!("{n}. {provider}/{model}: {share}; {retries}")).chain(attempts).collect()
}

fn attempt(attempt: &AttemptView) -> String {
    let AttemptView { credential, weight, model, translated_to, worst_case_usd, denied, .. } = attempt;
    let translated = translated_to
        .as_ref()
        .map_or_else(String::new, |form| format!(" (translated: {} in the {} dialect)", form.operation, form.dialect));
    let cost = worst_case_usd.as_ref().map_or("without a price".to_owned(), |cost| format!("at most {cost} USD"));
    let denied = denied.as_ref().map_or(String::new(), |refusal| format!("; not now: {}", refusal.kind));
    format!("   key `{credential}` (weight {weight}): model `{model}`{translated}, {cost}{denied}")
}

fn spread(plan: &PlanView, plans: u32) -> String {
    let how = match plan.balance {
        "adaptive" => "by weight and by how each one does",
        _ => "by weight",
    };
    let kept = match plan.kept_together_by {
        Some("session") => "; calls of this session stay together",
        Some(_) => "; calls whose prompts begin like this one stay together",
        None => "",
    };
    let counted = if plans > 1 { format!("; shares are counted over {plans} plans") } else { String::new() };
    format!("{how}{kept}; all routes taken as well{counted}")
}

fn stream(recovery: &str) -> String {
    let what = match recovery {
        "resume" => "another target goes on with a stream that breaks off",
        "buffer" => "nothing is sent until the stream is whole",
        _ => "a stream that breaks off ends with an error",
    };
    format!("{what} (`stream_recovery: {recovery}`)")
}

fn refused(refusal: &RefusalView, plans: u32) -> String {
    let RefusalView { status, kind, message, share } = refusal;
    let often = if *share < 1.0 { format!("in {} of calls: ", percent(*share, plans)) } else { String::new() };
    format!("{often}{status} {kind}: {message}")
}

/// Counted shares are rounded; exact ones are 0 or all.
fn percent(share: f64, plans: u32) -> String {
    let about = if plans > 1 && share < 1.0 { "about " } else { "" };
    if share > 0.0 && share < 0.01 {
        return "less than 1 %".to_owned();
    }
    format!("{about}{:.0} %", (share * 100.0).min(if share < 1.0 { 99.0 } else { 100.0 }))
}
