//! Budgets that say whose they are, as those of a file may: kept on their owners, which name them.

use policy::declare::Problem;
use policy::declare::entity::Kind;
use serde_json::{Map, Value, json};

use super::ControlError;
use super::calls::Given;
use super::change::{Draft, problem};

/// The fields that say whose a budget is. The last one is in no list of its own.
const OWNERS: [(&str, Kind); 3] =
    [("virtual_key_id", Kind::VirtualKey), ("team_id", Kind::Team), ("customer_id", Kind::Customer)];
const OF_CONFIG: &str = "provider_config_id";

/// A budget's body without its owner, and its owner.
pub(super) struct Owned {
    terms: Map<String, Value>,
    field: &'static str,
    kind: Kind,
    id: String,
}

impl Owned {
    /// Reads the body of a budget that says whose it is. `None`: of anything else.
    pub(super) fn read(kind: Kind, body: &str) -> Result<Option<Self>, ControlError> {
        let Ok(Value::Object(mut terms)) = serde_json::from_str(body) else { return Ok(None) };
        if kind != Kind::Budget {
            return Ok(None);
        }
        if terms.get(OF_CONFIG).is_some_and(|id| !id.is_null()) {
            return Err(wrong(OF_CONFIG, "write the budget into that config instead: `provider_configs` of its key"));
        }
        let mut found = None;
        for (field, kind) in OWNERS {
            let Some(id) = terms.remove(field).filter(|id| !id.is_null()) else { continue };
            let Some(id) = id.as_str() else { return Err(wrong(field, "expected an id")) };
            if let Some((first, ..)) = found.replace((field, kind, id.to_owned())) {
                let message = format!("a budget has one owner, and this one has `{first}` already");
                return Err(wrong(field, &message));
            }
        }
        Ok(found.map(|(field, kind, id)| Self { terms, field, kind, id }))
    }

    /// What is said of the owner so that it has the budget besides those that it has.
    fn body(&self, id: &str, has: &[Value]) -> String {
        let mut budget = self.terms.clone();
        budget.insert("id".to_owned(), json!(id));
        json!({ "budget_ids": has, "budgets": [budget] }).to_string()
    }

    /// A problem of what was said of the owner, as one of the budget.
    fn place(problem: Problem) -> Problem {
        let path = problem.path.strip_prefix("budgets[0]").unwrap_or(&problem.path);
        Problem { path: path.trim_start_matches('.').to_owned(), ..problem }
    }
}

impl Draft<'_> {
    /// Makes a budget together with its owner's naming it: both, or nothing.
    pub(super) fn create_owned(&mut self, id: &str, owned: &Owned) -> Given {
        if self.row(Kind::Budget, id)?.is_some() {
            return Err(ControlError::Exists { kind: Kind::Budget, id: id.to_owned() });
        }
        let owner = self.row(owned.kind, &owned.id)?;
        let owner = owner.ok_or_else(|| wrong(owned.field, &format!("no {} has this id", owned.kind.label())))?;
        let stored = self.opened(&owner)?;
        let body = owned.body(id, &named_by(&stored));
        let merged = self.merged(owned.kind, &owned.id, Some(&stored), &body);
        let put = merged.and_then(|normalised| self.put_all(normalised, Some(&owner)));
        put.map_err(|error| match error {
            ControlError::Invalid(problems) => ControlError::Invalid(problems.into_iter().map(Owned::place).collect()),
            other => other,
        })
    }

    /// The body of a change of a budget without its owner, who must be the one that it has: who has it is said on the owner's side.
    pub(super) fn without_owner(&self, id: &str, owned: Owned) -> Result<String, ControlError> {
        let owner = self.row(owned.kind, &owned.id)?;
        let has_it = owner.is_some_and(|owner| named_by(&owner.document).iter().any(|named| named == id));
        if !has_it {
            let message = format!("cannot be changed here: say it in `budget_ids` of the {}", owned.kind.label());
            return Err(wrong(owned.field, &message));
        }
        Ok(Value::Object(owned.terms).to_string())
    }
}

/// The ids of the budgets that an owner names.
fn named_by(document: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    document.get("budget_ids").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn wrong(field: &str, message: &str) -> ControlError {
    ControlError::Invalid(vec![problem(field, message)])
}
