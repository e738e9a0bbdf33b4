//! Lists and sets of operations: what a virtual key or a custom provider may be used for.

use crate::list::AllowList;
use crate::request::{Operation, OperationSet};

use super::nearest::hint;
use super::node::{Node, Read};

/// Operations of the original that are not built yet. Streamed ones end in `_stream` there; here they go with the plain ones.
const LATER: &[&str] = &[
    "responses_retrieve",
    "responses_delete",
    "responses_cancel",
    "responses_input_items",
    "speech",
    "transcription",
    "image_generation",
    "image_edit",
    "image_variation",
    "video_generation",
    "video_edit",
    "video_retrieve",
    "video_download",
    "video_delete",
    "video_list",
    "video_remix",
    "batch_create",
    "batch_list",
    "batch_retrieve",
    "batch_cancel",
    "batch_results",
    "batch_delete",
    "file_upload",
    "file_list",
    "file_retrieve",
    "file_delete",
    "file_content",
    "rerank",
    "ocr",
    "compaction",
    "decisions",
    "mcp_tool_execution",
    "passthrough",
    "websocket_responses",
    "realtime",
];

/// Families of operations of the original that are not built yet.
const LATER_FAMILIES: [&str; 2] = ["cached_content_", "container_"];

/// Whether an operation of this name is to come.
pub(super) fn is_later(name: &str) -> bool {
    let is_of_family = LATER_FAMILIES.iter().any(|family| name.starts_with(family));
    is_of_family || LATER.contains(&name) || name.strip_suffix("_stream").is_some_and(|plain| LATER.contains(&plain))
}

/// Reads an object of operation names and booleans: just those are allowed that are `true`.
pub(super) fn flags(node: Node<'_>) -> OperationSet {
    let written = node.map(|name, node| {
        let plain = name.strip_suffix("_stream").unwrap_or(name);
        if Operation::from_name(plain).is_none() && !is_later(name) {
            node.log.error_about_secret(node.path, format!("unknown operation{}", hint(name, names())));
        }
        (Box::<str>::from(name), bool::read(node))
    });
    let allowed = written.iter().filter(|(_, allowed)| *allowed).filter_map(|(name, _)| Operation::from_name(name));
    allowed.collect()
}

/// Reads a list of operation names; `["*"]` is all.
impl Read for OperationSet {
    fn read(node: Node<'_>) -> Self {
        let list = AllowList::read(node);
        let Some(allowed) = list.as_names() else { return Self::ALL };
        node.list(|item| {
            let name = item.json.as_text().unwrap_or_default();
            if Operation::from_name(name).is_none() && !is_later(name) && !name.is_empty() {
                item.error(format!("unknown operation{}", hint(name, names())));
            }
        });
        allowed.iter().filter_map(|name| Operation::from_name(name)).collect()
    }
}

fn names() -> impl Iterator<Item = &'static str> + Clone {
    Operation::ALL.iter().map(|operation| operation.as_str())
}
