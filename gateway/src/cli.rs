//! The command line.

use std::fmt::Display;
use std::io::{BufWriter, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use policy::declare::File;
use store::{Config, Migrated, StoreError};

use crate::abandoned;
use crate::audit::{self, AuditError};
use crate::boot;
use crate::config::{self, ConfigError, Loaded};
use crate::explain::{self, Explained};
use crate::keyring;
use crate::place;
use crate::seal;

/// An LLM governance gateway.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(Serve),
    /// Check a configuration; exits 0 if it can be served, 2 if not.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Show the tokens that open the virtual keys without `value`: those that were made for them, or those that a rotation made.
    Keys(Place),
    /// Tell what would become of a request: who calls, which rules match, where it goes. Exits 0 if it would go ahead, 1 if it
    /// would be refused.
    Explain(Explain),
    /// Show the attempts that were charged in full because nobody saw their end (a crash, a cut connection): name, time, virtual
    /// key, provider and model, US dollars.
    Abandoned {
        /// The configuration file, where it names a store of its own.
        #[arg(long)]
        config: Option<PathBuf>,
        /// The gateway's data folder.
        #[arg(long, default_value = "./data")]
        data: PathBuf,
        /// Take the charge of this attempt back. No gateway may be running on the folder.
        #[arg(long, value_name = "ATTEMPT")]
        void: Option<String>,
    },
    /// Look at the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Change what secrets are sealed with.
    #[command(subcommand)]
    Seal(Seal),
    /// Bring the tables of the store up to date, and say what was done. `serve` does so by itself.
    Migrate(Place),
    /// Copy the embedded store into a file, beside a gateway that may be running. A key file in the data folder is not in it.
    Backup {
        #[command(flatten)]
        place: Place,
        /// The file; there must be none of this name yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a backup in the place of the embedded store, which is put aside. No gateway may be running on the folder.
    Restore {
        #[command(flatten)]
        place: Place,
        /// The file.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Print the version.
    Version,
}

/// What is done with the audit log.
#[derive(Debug, Subcommand)]
enum Audit {
    /// Check every row; exits 1 and names the row if one was changed, moved, added or taken away.
    Verify(Place),
    /// Write every row to standard output, oldest first, as JSON Lines.
    Export(Place),
}

/// What is done with seals.
#[derive(Debug, Subcommand)]
enum Seal {
    /// Seal everything anew under another encryption key: `TOLLGATE_NEW_ENCRYPTION_KEY`, or a file's, or, where the key is in the
    /// data folder's key file, a new one. Every gateway on the store must be restarted then.
    Rotate {
        #[command(flatten)]
        place: Place,
        /// The file with the new key.
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
}

/// Where things are kept.
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// The gateway's data folder.
    #[arg(long, default_value = "./data")]
    data: PathBuf,
}

/// What `serve` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The configuration file.
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// The folder for what must outlive the process; it is made if it is not there.
    #[arg(long, default_value = "./data")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// The address for everything but calls to models, in the place of `admin.listen`; neither: the address for calls has it all.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin_listen: Option<String>,
}

/// What `explain` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The configuration file.
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// The virtual key, by its id or its token; without it the call is anonymous.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// The request's body; `-` reads it from standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: Option<PathBuf>,
    /// The model, for a small request of no matter what.
    #[arg(long, conflicts_with = "request")]
    pub(crate) model: Option<String>,
    /// The path that is called, perhaps with a query.
    #[arg(long, default_value = "/v1/chat/completions")]
    pub(crate) path: String,
    /// A header of the request, as `name: value`; may be given more than once.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// The gateway's data folder: tokens of virtual keys that have no `value`, and the last price list from a URL.
    #[arg(long, default_value = "./data")]
    pub(crate) data: PathBuf,
    /// Answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The exit code of a configuration that cannot be served.
const BAD_CONFIGURATION: u8 = 2;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(arguments) => serve(&arguments),
        Command::Check { config } => check(&config),
        Command::Keys(place) => at(&place, |file| keyring::list(&mut file.clone(), &place.data)),
        Command::Explain(arguments) => explain(&arguments),
        Command::Abandoned { config, data, void } => abandoned(config.as_deref(), &data, void.as_deref()),
        Command::Audit(Audit::Verify(place)) => at(&place, |file| audit::verify(file, &place.data)),
        Command::Audit(Audit::Export(place)) => at(&place, |file| export(file, &place.data)),
        Command::Seal(Seal::Rotate { place, new_key_file }) => {
            at(&place, |file| seal::rotate(file, &place.data, new_key_file.as_deref()))
        }
        Command::Migrate(place) => at(&place, |file| store::migrate(place::of(file, &place.data)).map(migrated)),
        Command::Backup { place, to } => at(&place, |file| {
            let made = store::back_up(place::of(file, &place.data), &to)?;
            let (bytes, segments) = (made.bytes, made.segments);
            Ok::<_, StoreError>(format!("{}: {bytes} bytes, {segments} segments of the journal", to.display()))
        }),
        Command::Restore { place, from } => at(&place, |file| {
            let restored = store::restore(place::of(file, &place.data), &from)?;
            let segments = restored.segments;
            Ok::<_, StoreError>(format!(
                "restored, with {segments} segments of the journal; what was there is in {}",
                place.data.join("before-restore-…").display()
            ))
        }),
        Command::Version => {
            say(&format!("tollgate {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
    }
}

fn serve(arguments: &Serve) -> ExitCode {
    boot::start_logging();
    let loaded = match config::load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error),
    };
    match boot::serve(arguments, loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("tollgate: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn check(path: &Path) -> ExitCode {
    match config::load(path).and_then(|loaded| boot::compile(&loaded, None).map(|snapshot| (loaded, snapshot))) {
        Ok((loaded, snapshot)) => {
            report(&loaded);
            say(&format!(
                "{}: ok ({} providers, {} virtual keys, {} models with prices)",
                path.display(),
                snapshot.providers().count(),
                snapshot.key_count(),
                snapshot.catalog().len(),
            ));
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// Does something with the store that a configuration names, and says what came of it.
fn at<E: Display>(place: &Place, work: impl FnOnce(&File) -> Result<String, E>) -> ExitCode {
    let loaded = match config::load(&place.config) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error),
    };
    match work(&loaded.file) {
        Ok(text) => {
            if !text.is_empty() {
                say(&text);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("tollgate: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn export(file: &File, data: &Path) -> Result<String, AuditError> {
    audit::export(file, data, &mut BufWriter::new(stdout().lock()))?;
    Ok(String::new())
}

fn migrated(migrated: Migrated) -> String {
    match migrated {
        Migrated { before, after } if before == after => format!("nothing to do: the tables have version {after}"),
        Migrated { before: 0, after } => format!("the tables were made, with version {after}"),
        Migrated { before, after } => format!("the tables were brought from version {before} to version {after}"),
    }
}

fn abandoned(config: Option<&Path>, data: &Path, void: Option<&str>) -> ExitCode {
    let place = match config.map(config::load).transpose() {
        Ok(loaded) => loaded.map_or_else(|| Config::in_folder(data), |loaded| place::of(&loaded.file, data)),
        Err(error) => return refuse(&error),
    };
    let told = match void {
        Some(attempt) => abandoned::void(&place, attempt),
        None => abandoned::list(&place),
    };
    match told {
        Ok(text) => {
            if !text.is_empty() {
                say(&text);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("tollgate: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn explain(arguments: &Explain) -> ExitCode {
    match explain::explain(arguments) {
        Ok(Explained { text, is_admitted }) => {
            say(&text);
            if is_admitted { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

fn report(loaded: &Loaded) {
    for warning in &loaded.warnings {
        complain(&format!("{}: warning: {warning}", loaded.name));
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    complain(&error.to_string());
    ExitCode::from(BAD_CONFIGURATION)
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a command's complaint goes to standard error")]
fn complain(text: &str) {
    eprintln!("{text}");
}
