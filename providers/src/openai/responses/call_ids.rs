//! Ids for the calls of formats that have none: a running number over the conversation.

use crate::hub::part::{ToolCall, ToolResult};
use crate::hub::text::Str;

/// The calls that got an id.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    made: usize,
    /// The tool's name and the id of calls that have no result yet.
    open: Vec<(String, Str<'static>)>,
}

impl CallIds {
    pub(super) fn of_call<'s>(&mut self, call: &'s ToolCall<'_>) -> Str<'s> {
        if let Some(id) = &call.id {
            return id.by_ref();
        }
        let id = self.make();
        self.open.push((call.name.raw().to_owned(), id.clone()));
        id
    }

    /// A result without an id belongs to the first call of its tool that has none yet.
    pub(super) fn of_result<'s>(&mut self, result: &'s ToolResult<'_>) -> Str<'s> {
        if let Some(id) = &result.id {
            return id.by_ref();
        }
        let is_its = |(name, _): &(String, _)| result.name.as_ref().is_none_or(|own| own.raw() == name);
        match self.open.iter().position(is_its) {
            Some(place) => self.open.remove(place).1,
            None => self.make(),
        }
    }

    fn make(&mut self) -> Str<'static> {
        self.made += 1;
        Str::of(&format!("call_{}", self.made)).into_owned()
    }
}
