//! How much the model thinks, both ways (`types/thinking_config_param.py`, `types/output_config_param.py` of the Python SDK).

use crate::hub::field::{Field, Lost};
use crate::hub::part::{Part, Role};
use crate::hub::request::{Request, Thinking};
use crate::hub::sink::Sink;
use crate::hub::source::{Result, Source};
use crate::hub::text::Str;

use super::model::Generation;
use super::{request_blocks, tools};

/// The smallest budget that Anthropic takes, in tokens.
const MIN_BUDGET: u64 = 1_024;

/// So many tokens are left to the answer where a client's budget does not fit under the limit.
const ANSWER: u64 = 1_024;

/// Efforts, and budgets of tokens that come near them.
const EFFORTS: [(&str, u64); 7] = [
    ("none", 0),
    ("minimal", 1_024),
    ("low", 2_048),
    ("medium", 8_192),
    ("high", 16_384),
    ("xhigh", 32_768),
    ("max", 65_536),
];

/// Reads `thinking`.
pub(super) fn read<'a>(source: &mut Source<'a>, request: &mut Request<'a>) -> Result<()> {
    let (mut kind, mut budget, mut is_shown) = (None, None, None);
    source.members(|source, name| {
        match name {
            "type" => kind = Some(source.text()?),
            "budget_tokens" => budget = source.count()?,
            "display" => is_shown = source.text_or_null()?.map(|display| !display.is("omitted")),
            _ => source.skip()?,
        }
        Ok(())
    })?;
    let thinking = request.thinking.get_or_insert_default();
    thinking.is_shown = is_shown;
    match kind.as_ref().map(Str::raw) {
        Some("disabled") => thinking.budget = Some(0),
        Some("enabled") => thinking.budget = budget,
        _ => thinking.is_adaptive = true,
    }
    Ok(())
}

/// How a request asks a model to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Not a word of it.
    Nothing,
    /// Not to.
    Disabled,
    /// As it likes.
    Adaptive,
    /// With so many tokens at most.
    Budget(u64),
}

/// What is written of thinking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) ask: Ask,
    /// How hard it tries.
    pub(super) effort: Option<&'static str>,
    is_shown: Option<bool>,
}

impl Asked {
    /// What of a request's wish a model of this generation can be asked, within an output limit in tokens.
    pub(super) fn of(request: &Request<'_>, generation: Generation, limit: u64, lost: &mut Lost) -> Self {
        let none = Self { ask: Ask::Nothing, effort: None, is_shown: None };
        let Some(thinking) = &request.thinking else { return none };
        let asked = Self { is_shown: thinking.is_shown, ..none };
        if is_off(thinking) {
            let ask = if generation.thinks_unasked() { Ask::Disabled } else { Ask::Nothing };
            return Self { ask, ..none };
        }
        // A model that has to call a tool cannot be asked to think before.
        let is_forced = tools::is_forced(request);
        if generation.thinks_by_effort() {
            let ask = if is_forced { Ask::Nothing } else { Ask::Adaptive };
            return Self { ask, effort: effort(thinking, generation), ..asked };
        }
        let budget = budget(thinking, request.max_output, limit);
        if is_forced || budget < MIN_BUDGET {
            lost.add(Field::Thinking);
            return none;
        }
        if is_amid_thoughtless_work(request) {
            lost.add_hint(Field::Thinking);
            return none;
        }
        Self { ask: Ask::Budget(budget), ..asked }
    }

    /// Whether it thinks before it answers, because it was asked to.
    pub(super) const fn is_on(self) -> bool {
        matches!(self.ask, Ask::Adaptive | Ask::Budget(_))
    }

    /// Writes `thinking`.
    pub(super) fn write(self, sink: &mut Sink) {
        let kind = match self.ask {
            Ask::Nothing => return,
            Ask::Disabled => "disabled",
            Ask::Adaptive => "adaptive",
            Ask::Budget(_) => "enabled",
        };
        sink.key("thinking").object(|sink| {
            sink.plain_member("type", kind);
            if let Ask::Budget(budget) = self.ask {
                sink.count_member("budget_tokens", budget);
            }
            if let Some(is_shown) = self.is_shown.filter(|_| self.is_on()) {
                sink.plain_member("display", if is_shown { "summarized" } else { "omitted" });
            }
        });
    }
}

fn is_off(thinking: &Thinking<'_>) -> bool {
    let is_none = thinking.effort.as_ref().is_some_and(|effort| effort.is("none"));
    thinking.budget.map_or(is_none, |budget| budget == 0)
}

/// The effort that Anthropic knows.
fn effort(thinking: &Thinking<'_>, generation: Generation) -> Option<&'static str> {
    let named = thinking.effort.as_ref().and_then(|effort| EFFORTS.iter().find(|(name, _)| effort.is(name)));
    let near = || EFFORTS.iter().rfind(|(_, tokens)| thinking.budget.is_some_and(|budget| *tokens <= budget));
    let (name, _) = named.or_else(near)?;
    Some(match *name {
        "none" | "minimal" => "low",
        "xhigh" if !generation.knows_xhigh() => "high",
        name => name,
    })
}

/// The tokens to think with. An effort takes two thirds of the limit at most. A budget of the client's own is kept where it leaves the
/// answer as much as the client left it, or `ANSWER`. Neither is lowered below `MIN_BUDGET` for the answer's sake, and both are below
/// the limit, as Anthropic demands.
fn budget(thinking: &Thinking<'_>, own_limit: Option<u64>, limit: u64) -> u64 {
    let (asked, most) = match thinking.budget {
        Some(budget) => {
            let left = own_limit.map_or(0, |own| own.saturating_sub(budget));
            let answer = if left == 0 { ANSWER } else { left.min(ANSWER) };
            (budget, limit.saturating_sub(answer))
        }
        None => (budget_of_effort(thinking), limit.saturating_sub(limit / 3)),
    };
    asked.min(most).max(MIN_BUDGET).min(limit.saturating_sub(1))
}

fn budget_of_effort(thinking: &Thinking<'_>) -> u64 {
    let named = thinking.effort.as_ref().and_then(|effort| EFFORTS.iter().find(|(name, _)| effort.is(name)));
    named.map_or(8_192, |(_, tokens)| *tokens)
}

/// Whether the model is to go on with work that it began without a thought, or with one that cannot be given back. All its turns since
/// the user last spoke count as one, which Anthropic refuses with a budget unless it begins with a thought.
fn is_amid_thoughtless_work(request: &Request<'_>) -> bool {
    let is_result = |part: &&Part<'_>| matches!(part, Part::ToolResult(_));
    let turns = request.alternating();
    let work = turns.iter().rev().take_while(|(role, parts)| *role == Role::Assistant || parts.iter().any(is_result));
    let first = work
        .filter(|(role, _)| *role == Role::Assistant)
        .filter_map(|(_, parts)| request_blocks::first_written(request.from, parts))
        .last();
    first.is_some_and(|part| !matches!(part, Part::Reasoning(_)))
}
