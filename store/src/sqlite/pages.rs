//! Pages of entities.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::entities::{read, select};
use super::number::{column, number};
use crate::registry::{Filter, RegistryError, Row, Sort};

/// Rows that a filter lets through, and how many there are in all.
pub(super) fn page(connection: &Connection, filter: &Filter) -> Result<(Vec<Row>, u64), RegistryError> {
    let (conditions, mut values) = conditions(filter);
    let mut count = connection.prepare_cached(&format!("SELECT count(*) FROM entities WHERE {conditions}"))?;
    let total = count.query_row(params_from_iter(&values), |row| row.get(0)).map(number)?;
    let select = select!("WHERE ");
    let order = order(filter);
    let mut rows = connection.prepare_cached(&format!("{select}{conditions} ORDER BY {order} LIMIT ? OFFSET ?"))?;
    values.extend([Value::Integer(filter.limit.into()), Value::Integer(column(filter.offset))]);
    let rows = rows.query_map(params_from_iter(&values), read)?.collect::<Result<_, _>>()?;
    Ok((rows, total))
}

/// What is asked for is never part of the statement, only which columns it is asked of.
fn conditions(filter: &Filter) -> (String, Vec<Value>) {
    let mut conditions = "is_deleted = 0 AND kind = ?".to_owned();
    let mut values = vec![filter.kind.clone().into()];
    if let Some(team) = &filter.team_id {
        conditions.push_str(" AND team_id = ?");
        values.push(team.clone().into());
    }
    if let Some(customer) = &filter.customer_id {
        conditions.push_str(" AND customer_id = ?");
        values.push(customer.clone().into());
    }
    if let Some(search) = filter.search.as_ref().filter(|search| !search.is_empty()) {
        // No pattern, so there is nothing in it to escape.
        conditions.push_str(" AND (instr(lower(name), ?) > 0 OR instr(lower(id), ?) > 0)");
        let search = Value::Text(search.to_ascii_lowercase());
        values.extend([search.clone(), search]);
    }
    for field in &filter.fields {
        // The other rows of the table need not be documents, whatever is looked at first.
        let said = format!("CASE WHEN is_deleted = 0 AND kind = ? THEN json_extract(document, '$.{}') END", field.name);
        conditions.push_str(&format!(" AND coalesce({said}, ?) = ?"));
        values.extend([filter.kind.clone().into(), field.absent.to_owned().into(), field.text.clone().into()]);
    }
    (conditions, values)
}

fn order(filter: &Filter) -> String {
    let column = match filter.sort {
        Sort::Name => "name",
        Sort::Created => "created_ms",
        Sort::Updated => "updated_ms",
    };
    // The plus keeps the rows of one team from being looked for along an index of all rows, which has them in order.
    let plus = if filter.team_id.is_some() || filter.customer_id.is_some() { "+" } else { "" };
    let direction = if filter.is_descending { " DESC" } else { "" };
    format!("{plus}{column}{direction}, id{direction}")
}
