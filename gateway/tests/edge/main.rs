//! The gateway as a real process, against a fake provider: what clients, vendors and operators see of it.

mod support;

mod gate;
mod keys;
mod privacy;
mod routes;
