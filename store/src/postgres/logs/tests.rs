//! Which is the faster way to add rows. Not run by itself: `cargo test -p store --lib adding_rows -- --ignored --nocapture`.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "it is for its figures")]

use std::pin::pin;
use std::time::Instant;

use deadpool_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::{days, rows};
use crate::Called;
use crate::config::SslMode;
use crate::logs::LogId;
use crate::postgres::failure::Failure;
use crate::postgres::schema;
use crate::postgres::server::Server;
use crate::postgres::tests::{config, database::TestDatabase};

const NOW: u64 = 1_795_000_000_000;
const ROWS: u64 = 1_000;
const ROUNDS: u64 = 21;

fn call(number: u64) -> Called<'static> {
    Called {
        at_ms: NOW + number / 4,
        request_id: format!("0195f2c1-{number:04x}-7000-8000-{:012x}", number * 7).into(),
        key: format!("vk-{}", number % 50).into(),
        team: format!("team-{}", number % 10).into(),
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        model_asked: "openai/gpt-4o-mini".into(),
        operation: "chat_completion".into(),
        total_us: 1_234_567,
        cost_nano: number * 1_000,
        attempts: 1,
        source: "reported".into(),
        ..Called::default()
    }
}

/// The same as `rows::insert`, by `COPY`, which tells nothing of places that are taken: they are asked for before.
async fn copy(transaction: &Transaction<'_>, placed: &[rows::Placed<'_>]) -> Result<(), Failure> {
    let places: Vec<_> = placed.iter().map(|(place, _)| place.cast_signed()).collect();
    let (first, last) = (places[0], places[places.len() - 1]);
    let taken =
        format!("SELECT place FROM request_logs WHERE place >= {first} AND place <= {last} AND place = ANY($1)");
    assert!(transaction.query(&taken, &[&places]).await?.is_empty());
    let copy = "COPY request_logs (place, latency_us, input_tokens, output_tokens, total_tokens, cost_nano, request_id, virtual_key,
        team, customer, provider, model, model_asked, operation, status, reason_text, detail) FROM STDIN (FORMAT binary)";
    let types: Vec<_> = (0..17).map(|nth| if nth < 6 { Type::INT8 } else { Type::TEXT }).collect();
    let mut writer = pin!(BinaryCopyInWriter::new(transaction.copy_in(copy).await?, &types));
    for (place, called) in placed {
        let (numbers, texts, detail) =
            (rows::numbers_of(*place, called), rows::texts_of(called), rows::detail(called)?);
        let values = numbers.iter().map(|number| number as &(dyn ToSql + Sync));
        let values = values.chain(texts.iter().map(|text| text as _)).chain([&detail as _]);
        writer.as_mut().write(&values.collect::<Vec<_>>()).await?;
    }
    writer.as_mut().finish().await?;
    Ok(())
}

#[test]
#[ignore = "it is for its figures"]
fn adding_rows_by_copy_and_by_insert() {
    let database = TestDatabase::new();
    let server = Server::new(&config(&database, SslMode::Disable)).unwrap();
    schema::migrate(&server, &schema::MIGRATIONS).unwrap();
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS * 2 {
        let calls: Vec<_> = (round * ROWS..(round + 1) * ROWS).map(call).collect();
        let placed: Vec<_> =
            calls.iter().zip(0..).map(|(call, n)| (LogId::of(call.at_ms, round * ROWS + n).0, call)).collect();
        let begin = Instant::now();
        let add = server.transact(&mut || {}, async |transaction, _| {
            days::prepare(transaction, placed.iter().map(|(place, _)| days::of(*place)).collect()).await?;
            if round % 2 == 0 {
                copy(transaction, &placed).await
            } else {
                assert_eq!(rows::insert(transaction, &placed).await?.len(), calls.len());
                Ok(())
            }
        });
        add.unwrap();
        times[usize::from(round % 2 == 1)].push(begin.elapsed());
    }
    for (what, times) in ["COPY", "INSERT"].iter().zip(&mut times) {
        times.sort_unstable();
        println!("{ROWS} rows by {what}: {:?} (least {:?})", times[times.len() / 2], times[0]);
    }
}
