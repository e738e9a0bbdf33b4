//! The management API beside the edge: where its socket lies, and what it is told of the edge.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::{Parts, Server, State};
use anyhow::{Context, Result};
use engine::clock::Clock;
use engine::control::Control;
use store::{Config, Logs};

use crate::explain::Running;
use crate::kept;
use crate::proxy::BodyLimits;
use crate::proxy::manage::Manage;

const SOCKET: &str = "admin.sock";
/// A socket's path may be no longer: the smallest limit of the systems that there are, and the end of the text.
const LONGEST_PATH: usize = 103;

/// Starts management for an edge that listens at an address, and says how the edge reaches it. It ends when it is dropped.
pub(crate) fn start(
    control: Control,
    clock: Clock,
    limits: BodyLimits,
    place: &Config,
    listener: SocketAddr,
) -> Result<(Server, Manage)> {
    let explainer = Arc::new(Running { control: control.clone(), clock, limits });
    let logs = Some(Arc::new(Logs::open(place).context("the request log cannot be opened")?));
    let parts = Parts { control, env: kept::environment, logs, explainer, version: env!("CARGO_PKG_VERSION") };
    let state = State::new(parts).context("there is no randomness for the management API")?;
    let socket = socket(&place.folder)?;
    let server = Server::start(&socket, state)
        .with_context(|| format!("the management API cannot listen on {}", socket.display()))?;
    let manage = Manage::at(&socket, listener);
    Ok((server, manage.with_context(|| format!("the path {} is not UTF-8", socket.display()))?))
}

/// In the data folder, or where its path is too long for a socket, in a folder of this process's own.
fn socket(data: &Path) -> Result<PathBuf> {
    let data = data.canonicalize().with_context(|| format!("the data folder {} is not there", data.display()))?;
    let near = data.join(SOCKET);
    if near.as_os_str().len() <= LONGEST_PATH {
        return Ok(near);
    }
    let folder = std::env::temp_dir().join(format!("tollgate-{}-{:08x}", std::process::id(), fastrand::u32(..)));
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    made.with_context(|| format!("the folder {} cannot be made for the management API's socket", folder.display()))?;
    Ok(folder.join(SOCKET))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_lies_in_the_data_folder_unless_its_path_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(socket(folder.path()).unwrap(), folder.path().canonicalize().unwrap().join(SOCKET));
        let deep = folder.path().join("d".repeat(100));
        std::fs::create_dir(&deep).unwrap();
        let elsewhere = socket(&deep).unwrap();
        assert!(
            elsewhere.as_os_str().len() <= LONGEST_PATH && !elsewhere.starts_with(&deep),
            "{}",
            elsewhere.display()
        );
        std::fs::remove_dir(elsewhere.parent().unwrap()).unwrap();
    }
}
