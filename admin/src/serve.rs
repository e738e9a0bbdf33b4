//! Serving on a Unix socket, on threads of its own: what is asked here never takes time from calls to models.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::router::router;
use crate::state::State;

const THREADS: usize = 2;
/// Work that blocks: each of them may wait for the database.
const BLOCKING_THREADS: usize = 16;
/// How long requests under way may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Management as it is served. Dropping it ends it, once what is under way is answered.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves on a socket that only this user can open. What an earlier process left there is replaced.
    ///
    /// # Errors
    /// When the socket cannot be made: a path of more than some 100 bytes is too long for one.
    pub fn start(socket: &Path, state: State) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("admin")
            .enable_all()
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            bind(socket)?
        };
        let (stop, stopped) = oneshot::channel();
        let serve = move || run(runtime, listener, state, stopped);
        let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(serve)?;
        Ok(Self { socket: socket.to_owned(), stop: Some(stop), thread: Some(thread) })
    }

    /// Where it is served.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn run(runtime: Runtime, listener: UnixListener, state: State, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        let (began, mut ending) = tokio::sync::watch::channel(false);
        let stop = async move {
            let _ = stopped.await;
            let _ = began.send(true);
        };
        let serving = axum::serve(listener, router(state)).with_graceful_shutdown(stop);
        let grace_is_over = async {
            let _ = ending.wait_for(|is_ending| *is_ending).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            ended = serving => {
                if let Err(error) = ended {
                    tracing::error!("management ended: {error}");
                }
            }
            () = grace_is_over => tracing::warn!("management ended with requests under way"),
        }
    });
    runtime.shutdown_timeout(GRACE);
}

fn bind(socket: &Path) -> io::Result<UnixListener> {
    if std::fs::symlink_metadata(socket).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(socket)?;
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
