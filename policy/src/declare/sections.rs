//! The smaller sections: plugins, access profiles.

use super::node::{Node, Read};
use super::scalar::{any_text, one_of};

/// One entry of `plugins`.
#[derive(Clone, Debug)]
pub struct PluginShape {
    /// `name`
    pub name: Box<str>,
    /// `enabled`
    pub is_enabled: bool,
    /// `config.is_vk_mandatory` of the governance plugin: whether a call needs a virtual key.
    pub is_vk_mandatory: Option<bool>,
}

/// Plugins of the original whose work is built in here.
pub(super) const BUILT_IN: [&str; 3] = ["governance", "logging", "telemetry"];

impl Read for PluginShape {
    fn read(node: Node<'_>) -> Self {
        let is_governance = node.json.field("name").and_then(|name| name.as_text()) == Some("governance");
        node.object(|fields| Self {
            name: fields.required("name"),
            is_enabled: fields.or("enabled", true),
            is_vk_mandatory: fields
                .with("config", |node| if is_governance { governance_config(node) } else { free_object(node) })
                .flatten(),
        })
    }
}

fn governance_config(node: Node<'_>) -> Option<bool> {
    node.object(|fields| fields.optional("is_vk_mandatory"))
}

/// The configuration of a plugin that is not known: any object.
fn free_object(node: Node<'_>) -> Option<bool> {
    node.map(|_, _| ());
    None
}

/// Reads `source_of_truth`: whether the file is the only one. Absent, it is the file and the API.
pub(super) fn source_of_truth(node: Node<'_>) -> bool {
    one_of(node, &[("config.json", true)]).unwrap_or(false)
}

/// Checks `access_profiles`, of which nothing is built yet.
pub(super) fn access_profiles(node: Node<'_>) {
    node.list(|node| {
        node.object(|fields| {
            fields.required::<Box<str>>("name");
            fields.with("description", any_text);
            fields.or("is_active", true);
            fields.list::<Box<str>>("tags");
            fields.with("provider_configs", |node| node.list(profile_provider));
            fields.with("mcp_servers", |node| node.list(profile_server));
            fields.with("mcp_tool_overrides", |node| node.list(profile_tool));
        });
    });
}

fn profile_provider(node: Node<'_>) {
    node.object(|fields| {
        fields.required::<Box<str>>("provider_name");
        fields.or("all_models_allowed", false);
        fields.optional::<crate::list::AllowList>("allowed_models");
    });
}

fn profile_server(node: Node<'_>) {
    node.object(|fields| {
        fields.required::<Box<str>>("mcp_server_id");
    });
}

fn profile_tool(node: Node<'_>) {
    node.object(|fields| {
        fields.required::<Box<str>>("mcp_client_id");
        fields.required::<Box<str>>("tool_name");
        fields.with("action", |node| one_of(node, &[("include", ()), ("exclude", ())]));
    });
}
