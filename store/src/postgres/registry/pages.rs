//! Pages of entities.

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::entities::{read, select};
use super::tables::{is_askable, value};
use crate::number::{column, number};
use crate::postgres::failure::Failure;
use crate::registry::{Filter, Row, Sort};

type Values = Vec<Box<dyn ToSql + Sync + Send>>;

/// Rows that a filter lets through, and how many there are in all.
pub(super) async fn page(transaction: &Transaction<'_>, filter: &Filter) -> Result<(Vec<Row>, u64), Failure> {
    let texts = [filter.search.as_deref(), filter.team_id.as_deref(), filter.customer_id.as_deref()];
    let fields = filter.fields.iter().map(|field| &*field.text);
    if !is_askable(texts.into_iter().flatten().chain(fields).chain([&*filter.kind])) {
        return Ok((Vec::new(), 0));
    }
    let (conditions, mut values) = conditions(filter);
    let count = transaction.prepare_cached(&format!("SELECT count(*) FROM entities WHERE {conditions}")).await?;
    let total = number(value(&transaction.query_one(&count, &refs(&values)).await?, 0)?);
    values.extend([Box::new(i64::from(filter.limit)) as _, Box::new(column(filter.offset)) as _]);
    let (select, order) = (select!("WHERE "), order(filter));
    let (limit, offset) = (values.len() - 1, values.len());
    let rows = format!("{select}{conditions} ORDER BY {order} LIMIT ${limit} OFFSET ${offset}");
    let rows = transaction.query(&transaction.prepare_cached(&rows).await?, &refs(&values)).await?;
    Ok((rows.iter().map(read).collect::<Result<_, _>>()?, total))
}

/// What is asked for is never part of the statement, only which columns it is asked of.
fn conditions(filter: &Filter) -> (String, Values) {
    let mut conditions = "NOT is_deleted AND kind = $1".to_owned();
    let mut values: Values = vec![Box::new(filter.kind.clone())];
    for (name, text) in [("team_id", &filter.team_id), ("customer_id", &filter.customer_id)] {
        let Some(text) = text else { continue };
        values.push(Box::new(text.clone()));
        let nth = values.len();
        conditions.push_str(&format!(" AND substr({name}, 1, 200) = substr(${nth}, 1, 200) AND {name} = ${nth}"));
    }
    if let Some(search) = filter.search.as_ref().filter(|search| !search.is_empty()) {
        values.push(Box::new(search.to_ascii_lowercase()));
        let nth = values.len();
        let (name, id) = (lowered("name"), lowered("id"));
        // No pattern, so there is nothing in it to escape.
        conditions.push_str(&format!(" AND (strpos({name}, ${nth}) > 0 OR strpos({id}, ${nth}) > 0)"));
    }
    for field in &filter.fields {
        values.extend([Box::new(field.absent.to_owned()) as _, Box::new(field.text.clone()) as _]);
        let (absent, text) = (values.len() - 1, values.len());
        // The other rows of the table need not be documents, whatever is looked at first.
        let said = format!("CASE WHEN NOT is_deleted AND kind = $1 THEN document::jsonb ->> '{}' END", field.name);
        conditions.push_str(&format!(" AND coalesce({said}, ${absent}) = ${text}"));
    }
    (conditions, values)
}

/// `lower` would go by the server's language.
fn lowered(column: &str) -> String {
    format!("translate({column}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')")
}

/// The index has the beginning of a name.
fn order(filter: &Filter) -> String {
    let (direction, nulls) = if filter.is_descending { (" DESC", " NULLS LAST") } else { ("", " NULLS FIRST") };
    match filter.sort {
        Sort::Name => {
            format!("substr(name, 1, 200){direction}{nulls}, name{direction}{nulls}, id{direction}")
        }
        Sort::Created => format!("created_ms{direction}, id{direction}"),
        Sort::Updated => format!("updated_ms{direction}, id{direction}"),
    }
}

fn refs(values: &Values) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}
