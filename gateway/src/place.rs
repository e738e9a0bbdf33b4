//! Where things are kept, as the configuration says.

use std::path::{Path, PathBuf};

use policy::declare::{File, PostgresShape, SslMode, StoreShape};
use policy::provider::Secret;
use store::{Config, Database, Postgres};

/// The data folder, and the database that the configuration names, or else the file in that folder.
pub(crate) fn of(file: &File, data: &Path) -> Config {
    let database = match &file.config_store {
        None | Some(StoreShape::Sqlite { path: None }) => return Config::in_folder(data),
        Some(StoreShape::Sqlite { path: Some(path) }) => Database::Sqlite { path: PathBuf::from(&**path) },
        Some(StoreShape::Postgres(server)) => Database::Postgres(postgres(server)),
    };
    Config { folder: data.to_owned(), database }
}

fn postgres(shape: &PostgresShape) -> Postgres {
    Postgres {
        host: shape.host.to_string(),
        port: shape.port,
        user: shape.user.to_string(),
        password: shape.password.clone().unwrap_or_else(|| Secret::new("")),
        db_name: shape.db_name.to_string(),
        ssl_mode: match shape.ssl_mode {
            SslMode::Disable => store::SslMode::Disable,
            SslMode::Prefer => store::SslMode::Prefer,
            SslMode::Require => store::SslMode::Require,
            SslMode::VerifyCa => store::SslMode::VerifyCa,
            SslMode::VerifyFull => store::SslMode::VerifyFull,
        },
        ssl_root_cert: shape.ssl_root_cert.as_deref().map(PathBuf::from),
        max_open_conns: shape.max_open_conns,
        max_idle_conns: shape.max_idle_conns,
    }
}
