//! In which tables the rows of an application are.

use super::lock::LEADER;
use super::table::{self, Item, Kind};

/// The item that says which version of KCL an application is of.
pub(super) const VERSION_ITEM: &str = "Migration3.0";
/// The item that says which form its tables have, if they change from one to the other.
pub(super) const TABLES_ITEM: &str = "TableMigration3.5";

/// The attribute that tells the kinds of rows apart in one table.
pub(super) const ENTITY: &str = "entityType";

/// The key of the table of leases.
pub(super) const LEASE_KEY: &str = "leaseKey";

/// How the rows are spread over tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A table for each kind: KCL 3.0 to 3.4, and what this crate creates.
    Three,
    /// One table: what KCL 3.5 creates.
    Single,
}

/// The tables of an application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    pub(super) application: String,
    pub(super) form: Form,
}

impl Layout {
    /// Returns the table of a kind of rows.
    pub(super) fn table(&self, kind: Kind) -> String {
        match (self.form, kind) {
            (Form::Single, _) | (Form::Three, Kind::Lease) => self.application.clone(),
            (Form::Three, Kind::Worker) => format!("{}-WorkerMetricStats", self.application),
            (Form::Three, Kind::Coordinator) => format!("{}-CoordinatorState", self.application),
        }
    }

    /// Returns the attribute that is the key of a kind of rows.
    pub(super) fn key(&self, kind: Kind) -> &'static str {
        match (self.form, kind) {
            (Form::Single, _) | (Form::Three, Kind::Lease) => LEASE_KEY,
            (Form::Three, Kind::Worker) => "wid",
            (Form::Three, Kind::Coordinator) => "key",
        }
    }

    /// Returns the type of a row, if rows of its table have one.
    pub(super) fn entity(&self, kind: Kind, key: &str) -> Option<&'static str> {
        match (self.form, kind) {
            (Form::Three, _) => None,
            (Form::Single, Kind::Lease) => Some("LEASE"),
            (Form::Single, Kind::Worker) => Some("WORKER_METRIC_STATS"),
            (Form::Single, Kind::Coordinator) if key == LEADER => Some("LEADER"),
            (Form::Single, Kind::Coordinator) => Some("CLIENT_VERSION_MIGRATION"),
        }
    }

    /// Returns true if a row of the kind's table is of this kind. A row without a type is a lease,
    /// or the only kind of its table.
    pub(super) fn is_of(&self, kind: Kind, item: &Item) -> bool {
        match (self.form, kind, table::text(item, ENTITY)) {
            (_, Kind::Lease, entity) => entity.is_none_or(|entity| entity == "LEASE"),
            (Form::Single, Kind::Worker, entity) => entity == Some("WORKER_METRIC_STATS"),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Value;
    use super::*;

    #[test]
    fn rows_are_told_apart_by_their_table_or_their_type() {
        let layout = |form| Layout { application: "app".to_owned(), form };
        let (three, single) = (layout(Form::Three), layout(Form::Single));
        let kinds = [Kind::Lease, Kind::Worker, Kind::Coordinator];
        let tables = kinds.map(|kind| three.table(kind));
        assert_eq!(tables, ["app", "app-WorkerMetricStats", "app-CoordinatorState"]);
        assert_eq!(kinds.map(|kind| three.key(kind)), ["leaseKey", "wid", "key"]);
        assert_eq!(kinds.map(|kind| single.table(kind)), ["app"; 3]);
        assert_eq!(kinds.map(|kind| single.key(kind)), ["leaseKey"; 3]);
        let of_type = |entity: &str| [(ENTITY.to_owned(), Value::text(entity))].into();
        for layout in [&three, &single] {
            assert!(layout.is_of(Kind::Lease, &Item::new()));
            assert!(layout.is_of(Kind::Lease, &of_type("LEASE")));
            for other in ["LEADER", "WORKER_METRIC_STATS", "STREAM", "something new"] {
                assert!(!layout.is_of(Kind::Lease, &of_type(other)), "{other}");
            }
        }
        assert!(!single.is_of(Kind::Worker, &Item::new()));
        assert!(three.is_of(Kind::Worker, &Item::new()));
        assert_eq!(single.entity(Kind::Coordinator, LEADER), Some("LEADER"));
    }
}
