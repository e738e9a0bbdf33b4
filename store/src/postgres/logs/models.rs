//! The providers' models that are told apart in sums.

use std::collections::{BTreeMap, HashSet};

use deadpool_postgres::Transaction;

use crate::journal::{CallStatus, Called};
use crate::logs::rollup::MOST_MODELS;
use crate::number::column;
use crate::postgres::failure::Failure;
use crate::postgres::text::{hash_of, plain, text};

/// A provider's model.
type Model<'a> = (&'a str, &'a str);

/// All of them.
pub(super) async fn all(transaction: &Transaction<'_>) -> Result<Vec<(String, String)>, Failure> {
    let rows = transaction.query("SELECT provider, model FROM log_models ORDER BY provider, model", &[]).await?;
    rows.iter().map(|row| Ok((plain(row.try_get(0)?), plain(row.try_get(1)?)))).collect()
}

/// Those of the calls' models that are told apart: those that a call was answered by, as far as there is room.
pub(super) async fn name<'a>(
    transaction: &Transaction<'_>,
    calls: &'a [Called<'_>],
) -> Result<HashSet<Model<'a>>, Failure> {
    let mut seen: BTreeMap<Model<'_>, bool> = BTreeMap::new();
    for called in calls.iter().filter(|called| !called.model.is_empty()) {
        *seen.entry((&called.provider, &called.model)).or_default() |= called.status == CallStatus::Success;
    }
    let mut unknown: BTreeMap<Vec<u8>, (Model<'_>, bool)> =
        seen.into_iter().map(|(model, was_answered)| (hash(model), (model, was_answered))).collect();
    let mut named = HashSet::new();
    let mut take = |found: Vec<Vec<u8>>, unknown: &mut BTreeMap<_, (Model<'a>, bool)>| {
        named.extend(found.iter().filter_map(|hash| unknown.remove(hash)).map(|(model, _)| model));
    };
    take(known(transaction, unknown.keys()).await?, &mut unknown);
    unknown.retain(|_, (_, was_answered)| *was_answered);
    if !unknown.is_empty() {
        take(add(transaction, &unknown).await?, &mut unknown);
    }
    Ok(named)
}

fn hash((provider, model): Model<'_>) -> Vec<u8> {
    hash_of([provider, model])
}

async fn known(transaction: &Transaction<'_>, hashes: impl Iterator<Item = &Vec<u8>>) -> Result<Vec<Vec<u8>>, Failure> {
    let find = transaction.prepare_cached("SELECT name_hash FROM log_models WHERE name_hash = ANY($1)").await?;
    let rows = transaction.query(&find, &[&hashes.collect::<Vec<_>>()]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Gives those that there was room for.
async fn add(
    transaction: &Transaction<'_>,
    models: &BTreeMap<Vec<u8>, (Model<'_>, bool)>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let add = "INSERT INTO log_models (name_hash, provider, model)
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[])
        LIMIT greatest($4 - (SELECT count(*) FROM log_models), 0) RETURNING name_hash";
    let hashes: Vec<_> = models.keys().collect();
    let (providers, models): (Vec<_>, Vec<_>) =
        models.values().map(|((provider, model), _)| (text(provider), text(model))).unzip();
    let rows = transaction.query(add, &[&hashes, &providers, &models, &column(MOST_MODELS)]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}
