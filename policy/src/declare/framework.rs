//! The `framework` section: where prices come from.

use super::node::{Node, Read};

/// The `framework` section.
#[derive(Clone, Debug, Default)]
pub struct FrameworkShape {
    /// `pricing.pricing_url`, as the path of a file; `None`: the price lists that are built in.
    pub price_list: Option<Box<str>>,
}

struct Pricing {
    url: Option<Box<str>>,
}

impl Read for FrameworkShape {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| {
            let pricing: Pricing = fields.section("pricing");
            Self { price_list: pricing.url }
        })
    }
}

impl Read for Pricing {
    fn read(node: Node<'_>) -> Self {
        node.object(|fields| Self { url: fields.with("pricing_url", file).flatten() })
    }
}

/// The path in `file:///path`. Other schemes are read, and refused as not built yet.
fn file(node: Node<'_>) -> Option<Box<str>> {
    let url = Box::<str>::read(node);
    match url.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => Some(path.into()),
        Some(("http" | "https", _)) => None,
        _ => {
            node.error("must be a `file:///absolute/path`, or an http or https URL");
            None
        }
    }
}
