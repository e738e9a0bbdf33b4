//! `tollgate`: the gateway's binary.

mod abandoned;
mod admin;
mod audit;
mod boot;
mod cli;
mod config;
mod explain;
mod first_bytes;
mod kept;
mod keyring;
mod ledger;
mod life;
mod listen;
mod log_keeper;
mod place;
mod prices;
mod proxy;
mod request_id;
mod resolve;
mod seal;
mod telemetry;
mod throttle;
mod trust;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
