//! The gateway as a real process, against a fake provider: what clients, vendors and operators see of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

mod abandoned;
mod bad_input;
mod balancing;
mod bodies;
mod broken_streams;
mod budgets;
mod churn;
mod clamping;
mod commands;
mod concurrency;
mod connections;
mod credentials;
mod crowd;
mod durability;
mod evasion;
mod explain;
mod explained_limits;
mod failover;
mod failover_costs;
mod framing;
mod gate;
mod governance;
mod hostile_vendors;
mod keys;
mod leaving;
mod life;
mod listeners;
mod live_config;
mod logs;
mod management;
mod metering;
mod outage;
mod outside;
mod own_credentials;
mod prices;
mod privacy;
mod rate_levels;
mod refused_by_limits;
mod resuming;
mod retries;
mod routes;
mod routing_faults;
mod rules;
mod settlement;
mod shared_limits;
mod shared_store;
mod slow_clients;
mod spending;
mod spent_targets;
mod splices;
mod stickiness;
mod store_commands;
mod stream_faults;
mod streams;
mod tls;
mod translation;
mod upstream_tls;
mod vendors;
