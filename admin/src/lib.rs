//! The management API: what is configured, read and changed over HTTP. Served on a Unix socket behind the edge, on threads of its
//! own; never sees Pingora.

mod api;
mod auth;
mod body;
pub mod edge;
mod error;
mod explain;
mod extract;
mod openapi;
mod page;
mod router;
pub mod schema;
mod serve;
mod session;
mod state;
mod view;

pub use explain::{Asks, Explainer, Question};
pub use router::{document, router};
pub use serve::Server;
pub use state::{Parts, State};
