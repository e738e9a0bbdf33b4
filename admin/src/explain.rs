//! How the edge is asked what would become of a request: it reads requests, so it explains them.

use std::fmt;

use http::HeaderMap;

/// A request that is not made, only asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// The path that the client would call, with its query.
    pub path: String,
    /// The id of the virtual key that it would call with.
    pub key: Option<String>,
    /// The headers that it would send.
    pub headers: HeaderMap,
    /// What it would send.
    pub asks: Asks,
}

/// What would be sent.
#[derive(Clone, Debug)]
pub enum Asks {
    /// The least that asks for a model; `None`: the path says which.
    Model(Option<String>),
    /// This body.
    Body(Vec<u8>),
}

/// Says what would become of a request.
pub trait Explainer: fmt::Debug + Send + Sync {
    /// Gives the answer as JSON. Blocks while it is made.
    ///
    /// # Errors
    /// When the question describes no request, in words for who asked.
    fn explain(&self, question: &Question) -> Result<String, String>;
}
