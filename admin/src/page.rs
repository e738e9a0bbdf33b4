//! Parts of lists: which rows, how many, from where on, in which order.

use policy::declare::entity::Kind;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::registry::{FieldIs, Filter, Sort};
use utoipa::IntoParams;

use crate::error::ApiError;

/// How many are given where a part of a list is asked for without saying how many.
const DEFAULT: u32 = 25;
/// The most that are given at once where a part is asked for.
const MOST: u32 = 100;
/// The most that are given where all are asked for.
const ALL: u32 = 10_000;

/// The parameters of a list. Without any, all are given, up to 10,000.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// A part of the name or of the id, in upper or lower case.
    pub(crate) search: Option<String>,
    /// How many: 25 by default, 100 at most.
    #[param(format = Int64, maximum = 4_294_967_295_u32)]
    limit: Option<u32>,
    /// How many are left out before the first.
    #[param(format = Int64, maximum = 4_294_967_295_u32)]
    offset: Option<u32>,
    /// By what they are sorted.
    #[param(inline)]
    sort_by: Option<SortBy>,
    /// In which direction.
    #[param(inline)]
    order: Option<Order>,
    /// All, up to 10,000 of them.
    export: Option<bool>,
    /// Accepted for compatibility: what is in force and what is kept are the same.
    from_memory: Option<bool>,
    team_id: Option<String>,
    customer_id: Option<String>,
    scope: Option<String>,
    scope_id: Option<String>,
    provider: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum SortBy {
    Name,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    Asc,
    Desc,
}

/// Which part of a list is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

impl ListQuery {
    pub(crate) fn bounds(&self) -> Bounds {
        let is_part = self.limit.is_some() || self.offset.is_some();
        let limit = if self.export == Some(true) || !is_part { ALL } else { self.limit.unwrap_or(DEFAULT).min(MOST) };
        Bounds { limit, offset: self.offset.unwrap_or(0) }
    }

    /// What the database filters by, for a list that has these filters of its own.
    pub(crate) fn filter(&self, kind: Kind, own: &[&str]) -> Result<Filter, ApiError> {
        let given = [
            ("team_id", &self.team_id),
            ("customer_id", &self.customer_id),
            ("scope", &self.scope),
            ("scope_id", &self.scope_id),
            ("provider", &self.provider),
        ];
        if let Some((name, _)) = given.iter().find(|(name, value)| value.is_some() && !own.contains(name)) {
            return Err(ApiError::invalid(format!("{name}: this list has no such filter")).about(*name));
        }
        let texts = given.iter().map(|(_, value)| *value).chain([&self.search]);
        if texts.flatten().any(|text| text.contains('\0')) {
            return Err(ApiError::invalid("a filter holds the character U+0000, which no row does"));
        }
        let Bounds { limit, offset } = self.bounds();
        // A rule that says nothing of its scope is everybody's.
        let fields =
            [("scope", &self.scope, "global"), ("scope_id", &self.scope_id, ""), ("provider", &self.provider, "")];
        let fields = fields.into_iter().filter_map(|(name, text, absent)| {
            let text = text.clone()?;
            Some(FieldIs { name, text, absent })
        });
        Ok(Filter {
            kind: kind.as_str().to_owned(),
            search: self.search.clone().filter(|text| !text.is_empty()),
            team_id: self.team_id.clone(),
            customer_id: self.customer_id.clone(),
            fields: fields.collect(),
            sort: match self.sort_by {
                None | Some(SortBy::CreatedAt) => Sort::Created,
                Some(SortBy::Name) => Sort::Name,
                Some(SortBy::UpdatedAt) => Sort::Updated,
            },
            is_descending: matches!(self.order, Some(Order::Desc)),
            limit,
            offset: offset.into(),
        })
    }
}

/// The envelope of a list.
pub(crate) fn envelope(plural: &str, items: Vec<Value>, total: u64, bounds: Bounds) -> Value {
    let mut reply = Map::new();
    let count = items.len();
    reply.insert(plural.to_owned(), Value::Array(items));
    reply.insert("count".to_owned(), json!(count));
    reply.insert("total_count".to_owned(), json!(total));
    reply.insert("limit".to_owned(), json!(bounds.limit));
    reply.insert("offset".to_owned(), json!(bounds.offset));
    Value::Object(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(query: &ListQuery) -> (u32, u32) {
        (query.bounds().limit, query.bounds().offset)
    }

    #[test]
    fn a_part_is_25_rows_and_100_at_most_and_all_is_bounded() {
        let none = ListQuery::default();
        assert_eq!(bounds(&none), (ALL, 0));
        assert_eq!(bounds(&ListQuery { offset: Some(7), ..none.clone() }), (25, 7));
        assert_eq!(bounds(&ListQuery { limit: Some(3), ..none.clone() }), (3, 0));
        assert_eq!(bounds(&ListQuery { limit: Some(101), ..none.clone() }), (100, 0));
        assert_eq!(bounds(&ListQuery { export: Some(true), limit: Some(3), ..none }), (ALL, 0));
    }

    #[test]
    fn a_filter_that_a_list_does_not_have_is_refused() {
        let query = ListQuery { team_id: Some("t".to_owned()), ..ListQuery::default() };
        assert!(query.filter(Kind::Team, &["customer_id"]).is_err());
        assert_eq!(query.filter(Kind::VirtualKey, &["team_id"]).unwrap().team_id.as_deref(), Some("t"));
    }
}
