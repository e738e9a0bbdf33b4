//! The fake provider as a program, for tests and demonstrations that are not written in Rust.

use std::io::Write as _;
use std::net::SocketAddr;

use clap::Parser;
use loadtest::fake::{Controls, FakeOptions, FakeProvider};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A fake LLM provider that speaks OpenAI, Anthropic and Gemini, and fails on demand.
#[derive(Parser)]
struct Flags {
    /// Where to listen; port 0 takes any free port. The address is printed.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Controls for models that carry none, written as in a model name: `~words=100~delay_ms=10`.
    #[arg(long, default_value = "")]
    controls: String,
    /// Keep only totals, not one entry per request.
    #[arg(long)]
    no_books: bool,
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let controls = Controls::parse(&flags.controls).map_err(anyhow::Error::msg)?;
    let options = FakeOptions { books: !flags.no_books, controls };
    let provider = FakeProvider::start_with(flags.listen, options)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {}", provider.url())?;
    stdout.flush()?;
    loop {
        std::thread::park();
    }
}
