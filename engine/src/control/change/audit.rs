//! What the audit log is told of a change.

use policy::declare::entity::Kind;
use store::registry::AuditEntry;

use super::super::secrets;
use super::Draft;

impl Draft<'_> {
    /// Tells the audit log of something that changes no entity.
    pub(in super::super) fn tell_of(&mut self, kind: &str, id: &str) {
        let entry = AuditEntry { kind: kind.to_owned(), entity_id: id.to_owned(), ..self.entry(self.action) };
        self.write.audit.push(entry);
    }

    /// Tells the audit log of an entity before and after. A change with a name of its own, such as a rotation, is told by that.
    pub(super) fn tell(&mut self, action: &str, kind: Kind, id: &str, before: Option<&str>, after: Option<&str>) {
        let shown = |document: Option<&str>| document.map(|document| secrets::redacted(kind, document));
        let action = if self.action == "create" || self.action == "update" { action } else { self.action };
        self.write.audit.push(AuditEntry {
            kind: kind.as_str().to_owned(),
            entity_id: id.to_owned(),
            before: shown(before),
            after: shown(after),
            ..self.entry(action)
        });
    }

    fn entry(&self, action: &str) -> AuditEntry {
        AuditEntry {
            at_ms: self.write.at_ms,
            actor: self.actor.name.to_owned(),
            actor_kind: self.actor.kind.as_str().to_owned(),
            address: self.actor.address.to_owned(),
            action: action.to_owned(),
            ..AuditEntry::default()
        }
    }
}
