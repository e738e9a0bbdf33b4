//! The shapes of entities in requests and replies, for the document of the API. Requests are read by `policy`, whose word counts;
//! replies are the documents that are kept, with their limits in place.

mod body;
mod reply;

pub use body::*;
pub use reply::*;
