//! The gateway as a real process, against a fake provider: what clients, vendors and operators see of it.

mod support;

mod bodies;
mod failover;
mod gate;
mod keys;
mod privacy;
mod routes;
mod splices;
mod upstream_tls;
