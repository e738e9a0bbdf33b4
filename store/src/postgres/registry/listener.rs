//! Hears of changes as soon as another node has committed them. What is missed while the connection is down is not lost: who follows
//! asks for the revision now and then.

use std::future::poll_fn;
use std::sync::Weak;
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::{AsyncMessage, Connection};

use super::CHANNEL;
use crate::config::Postgres;
use crate::postgres::failure::Failure;
use crate::postgres::server::driver_config;
use crate::postgres::tls;
use crate::registry::Signal;

/// The pause before another connection is tried.
const PAUSE: Duration = Duration::from_secs(1);

/// Rings for each change, for as long as somebody has the signal.
pub(super) async fn listen(config: Postgres, signal: Weak<Signal>) {
    while signal.strong_count() > 0 {
        // Whoever reads or writes reports that the server is gone.
        drop(listen_once(&config, &signal).await);
        sleep(PAUSE).await;
    }
}

async fn listen_once(config: &Postgres, signal: &Weak<Signal>) -> Result<(), Failure> {
    let (client, mut connection) = driver_config(config).connect(tls::connector(config)?).await?;
    let asking = async {
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        ring(signal);
        // The connection ends with its client.
        std::future::pending::<Result<(), Failure>>().await
    };
    tokio::select! {
        done = asking => done,
        () = hear(&mut connection, signal) => Ok(()),
    }
}

/// Until the connection ends.
async fn hear<S, T>(connection: &mut Connection<S, T>, signal: &Weak<Signal>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            ring(signal);
        }
    }
}

fn ring(signal: &Weak<Signal>) {
    if let Some(signal) = signal.upgrade() {
        signal.ring();
    }
}
