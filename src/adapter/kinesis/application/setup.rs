//! Finds the tables of an application, or creates them as KCL 3 does, and refuses those of another
//! version.

use super::dynamo::{DynamoTable, OWNER_INDEX, call_failed};
use super::layout::{Form, LEASE_KEY, Layout, TABLES_ITEM, VERSION_ITEM};
use super::lease::{OWNER, shortened};
use super::notes::Notes;
use super::table::{self, Item, Kind, LeaseTable, TableError, Value};
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableDescription, TableStatus,
};
use std::thread;
use std::time::Duration;

/// How long to wait for another worker that creates the tables at the same time.
const LOOKS: u32 = 30;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the index of an existing table may take.
const INDEX_LOOKS: u32 = 3600;

/// The version of the tables that this crate knows.
const VERSION_3: &str = "CLIENT_VERSION_3X";

/// Finds or creates the tables. The layout of the given table is replaced.
pub(super) struct Setup<'a> {
    pub(super) table: DynamoTable,
    pub(super) worker: &'a str,
    pub(super) now: Timestamp,
    pub(super) notes: &'a Notes,
}

impl Setup<'_> {
    /// Returns the tables, ready for use.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for the tables of another version, or a migration under way;
    /// [`ErrorKind::Io`] if a call fails.
    pub(super) fn run(mut self) -> Result<DynamoTable, Error> {
        let application = self.table.layout.application.clone();
        let created = match self.describe(&application)? {
            Some(table) => {
                check_key(&table, &application)?;
                false
            }
            None => self.create_leases(&application)?,
        };
        self.wait_for(&application)?;
        self.table.layout.form = self.find_form(created)?;
        self.create_index(&application)?;
        if self.table.layout.form == Form::Three {
            let workers = self.table.layout.table(Kind::Worker);
            if self.describe(&workers)?.is_none() {
                self.create(&workers, self.table.layout.key(Kind::Worker))?;
                self.wait_for(&workers)?;
            }
        }
        Ok(self.table)
    }

    /// Finds out in which form the tables are. Waits for those that another worker is creating.
    fn find_form(&mut self, created: bool) -> Result<Form, Error> {
        for look in 0..LOOKS {
            if let Some(form) = self.known_form()? {
                return Ok(form);
            }
            // A table that another worker has just created may become one of KCL 3.5.
            let is_new = created || look >= LOOKS / 3;
            if is_new && self.has_no_leases()? {
                return self.create_version();
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(self.refused(
            "has leases but no version, as those of KCL 2: move the application to KCL 3 first",
        ))
    }

    /// Returns the form in which the application has a version.
    fn known_form(&self) -> Result<Option<Form>, Error> {
        for form in [Form::Single, Form::Three] {
            let Some(version) = self.coordinator_item(form, VERSION_ITEM)? else { continue };
            let tables = self.coordinator_item(form, TABLES_ITEM)?;
            return match refusal(form, &version, tables.as_ref()) {
                Some(why) => Err(self.refused(&why)),
                None => Ok(Some(form)),
            };
        }
        Ok(None)
    }

    fn refused(&self, why: &str) -> Error {
        let application = &self.table.layout.application;
        Error::new(ErrorKind::Unsupported, format!("the lease table {application:?} {why}"))
    }

    /// Returns an item as it would be in this form; `None` also if there is no such table.
    fn coordinator_item(&self, form: Form, key: &str) -> Result<Option<Item>, Error> {
        let layout = Layout { form, ..self.table.layout.clone() };
        let name = layout.table(Kind::Coordinator);
        if form == Form::Three && self.describe(&name)?.is_none() {
            return Ok(None);
        }
        let table = DynamoTable { layout, ..self.table.clone() };
        self.repeat(|| table.get(Kind::Coordinator, key))
    }

    fn has_no_leases(&self) -> Result<bool, Error> {
        Ok(self.repeat(|| self.table.scan(Kind::Lease))?.is_empty())
    }

    /// Says that the application is one of KCL 3, in the form of three tables.
    fn create_version(&mut self) -> Result<Form, Error> {
        self.table.layout.form = Form::Three;
        let name = self.table.layout.table(Kind::Coordinator);
        if self.describe(&name)?.is_none() {
            self.create(&name, self.table.layout.key(Kind::Coordinator))?;
        }
        self.wait_for(&name)?;
        let by = |version: &str| {
            [
                ("cv".to_owned(), Value::text(version)),
                ("mb".to_owned(), Value::text(self.worker)),
                ("mts".to_owned(), Value::number(self.now.as_millis())),
            ]
        };
        let before = Value::Map(by("CLIENT_VERSION_INIT").into());
        let mut item = Item::from(by(VERSION_3));
        item.insert("h".to_owned(), Value::List(vec![before]));
        self.repeat(|| match self.table.create(Kind::Coordinator, VERSION_ITEM, item.clone()) {
            Ok(()) | Err(TableError::Refused) => Ok(()),
            Err(error) => Err(error),
        })?;
        // Two forms would have two leaders.
        if self.coordinator_item(Form::Single, VERSION_ITEM)?.is_some() {
            return Err(self.refused(
                "was created by KCL 3.5 at this moment, too: delete the other tables of the \
                 application, and start again",
            ));
        }
        self.notes.say("the application is new: its tables are created");
        Ok(Form::Three)
    }

    /// Repeats a call while it may succeed later.
    fn repeat<T>(&self, call: impl Fn() -> Result<T, TableError>) -> Result<T, Error> {
        let mut last = String::new();
        for _ in 0..LOOKS {
            match call() {
                Ok(done) => return Ok(done),
                Err(TableError::Fatal(error)) => return Err(error),
                Err(TableError::Unknown(error)) => last = error.to_string(),
                Err(_) => last = "too many calls".to_owned(),
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(Error::new(ErrorKind::Io, last))
    }

    fn describe(&self, name: &str) -> Result<Option<TableDescription>, Error> {
        let call = self.table.client.describe_table().table_name(name);
        match self.table.blocking.wait(call.send())? {
            Ok(described) => Ok(described.table),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(call_failed(&error, name)),
        }
    }

    /// Creates a table. Returns false if another worker has done so.
    fn create(&self, name: &str, key: &str) -> Result<bool, Error> {
        let call = self
            .table
            .client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key_element(key, KeyType::Hash)?)
            .attribute_definitions(text_attribute(key)?);
        is_first(self.table.blocking.wait(call.send())?, name)
    }

    /// Creates the table of leases, with its index at once: adding it later takes minutes.
    fn create_leases(&self, name: &str) -> Result<bool, Error> {
        let index = GlobalSecondaryIndex::builder()
            .index_name(OWNER_INDEX)
            .set_key_schema(Some(index_keys()?))
            .projection(keys_only())
            .build()
            .map_err(cannot_make)?;
        let call = self
            .table
            .client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key_element(LEASE_KEY, KeyType::Hash)?)
            .attribute_definitions(text_attribute(LEASE_KEY)?)
            .attribute_definitions(text_attribute(OWNER)?)
            .global_secondary_indexes(index);
        is_first(self.table.blocking.wait(call.send())?, name)
    }

    fn wait_for(&self, name: &str) -> Result<(), Error> {
        for _ in 0..LOOKS * 4 {
            let table = self.describe(name)?;
            let status = table.as_ref().and_then(|table| table.table_status.as_ref());
            if matches!(status, Some(TableStatus::Active | TableStatus::Updating)) {
                return Ok(());
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(Error::new(ErrorKind::Io, format!("the table {name:?} does not become active")))
    }

    fn create_index(&self, name: &str) -> Result<(), Error> {
        for look in 0..INDEX_LOOKS {
            let table = self.describe(name)?;
            let indexes = table.map(|table| table.global_secondary_indexes.unwrap_or_default());
            let mut indexes = indexes.unwrap_or_default().into_iter();
            let index = indexes.find(|index| index.index_name.as_deref() == Some(OWNER_INDEX));
            match index.map(|index| index.index_status) {
                Some(Some(IndexStatus::Active)) => return Ok(()),
                None => self.ask_for_index(name).map(drop)?,
                Some(_) if look == 10 => self.notes.say("waiting for the index of the lease table"),
                Some(_) => {}
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(Error::new(ErrorKind::Io, format!("the index of {name:?} does not become active")))
    }

    fn ask_for_index(&self, name: &str) -> Result<bool, Error> {
        let index = CreateGlobalSecondaryIndexAction::builder()
            .index_name(OWNER_INDEX)
            .set_key_schema(Some(index_keys()?))
            .projection(keys_only())
            .build()
            .map_err(cannot_make)?;
        let call = self
            .table
            .client
            .update_table()
            .table_name(name)
            .attribute_definitions(text_attribute(OWNER)?)
            .attribute_definitions(text_attribute(LEASE_KEY)?)
            .global_secondary_index_updates(
                GlobalSecondaryIndexUpdate::builder().create(index).build(),
            );
        is_first(self.table.blocking.wait(call.send())?, name)
    }
}

/// Returns the keys of the index of owners: the leases of an owner are found by one query.
fn index_keys() -> Result<Vec<KeySchemaElement>, Error> {
    Ok(vec![key_element(OWNER, KeyType::Hash)?, key_element(LEASE_KEY, KeyType::Range)?])
}

/// Returns why an application cannot be joined, if its items say so: its version, and the state of
/// a move from one form of tables to the other.
fn refusal(form: Form, version: &Item, tables: Option<&Item>) -> Option<String> {
    let version = table::text(version, "cv").unwrap_or("unknown");
    if version != VERSION_3 {
        return Some(format!(
            "is of the version {:?} by its item {VERSION_ITEM}: a migration from KCL 2 is not \
             finished",
            shortened(version)
        ));
    }
    let status = tables.map(|item| table::text(item, "tm").unwrap_or("unknown"));
    match (form, status) {
        (_, None)
        | (Form::Three, Some("TABLE_MIGRATION_STATUS_INIT"))
        | (Form::Single, Some("TABLE_MIGRATION_STATUS_COMPLETE")) => None,
        (_, Some(status)) => Some(format!(
            "is being moved to one table by KCL 3.5: the status is {:?}",
            shortened(status)
        )),
    }
}

/// Refuses a table that is not one of leases.
fn check_key(table: &TableDescription, name: &str) -> Result<(), Error> {
    let names: Vec<&str> =
        table.key_schema().iter().map(|element| element.attribute_name()).collect();
    if names == [LEASE_KEY] {
        return Ok(());
    }
    let message = format!(
        "the table {name:?} has the key {names:?} and not {LEASE_KEY:?}: it is not a lease table"
    );
    Err(Error::new(ErrorKind::Mismatch, message))
}

/// Returns false if another worker has changed the table at the same time.
fn is_first<T, E>(done: Result<T, SdkError<E>>, name: &str) -> Result<bool, Error>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match done {
        Ok(_) => Ok(true),
        Err(error) => match (error.code(), error.message()) {
            (Some("ResourceInUseException" | "LimitExceededException"), _) => Ok(false),
            (_, Some(message)) if message.contains("already exists") => Ok(false),
            _ => Err(call_failed(&error, name)),
        },
    }
}

fn keys_only() -> Projection {
    Projection::builder().projection_type(ProjectionType::KeysOnly).build()
}

fn key_element(name: &str, key_type: KeyType) -> Result<KeySchemaElement, Error> {
    let element = KeySchemaElement::builder().attribute_name(name).key_type(key_type);
    element.build().map_err(cannot_make)
}

fn text_attribute(name: &str) -> Result<AttributeDefinition, Error> {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    attribute.attribute_type(ScalarAttributeType::S).build().map_err(cannot_make)
}

fn cannot_make(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::new(ErrorKind::Unsupported, "a call of DynamoDB cannot be made").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s267_a_migration_under_way_is_refused_by_name() {
        let item = |name: &str, text: &str| Item::from([(name.to_owned(), Value::text(text))]);
        let three = item("cv", VERSION_3);
        assert_eq!(refusal(Form::Three, &three, None), None);
        for version in ["CLIENT_VERSION_2X", "CLIENT_VERSION_3X_WITH_ROLLBACK"] {
            let why = refusal(Form::Single, &item("cv", version), None).unwrap();
            assert!(why.contains(version) && why.contains("KCL 2"), "{why}");
        }
        assert!(refusal(Form::Three, &Item::new(), None).unwrap().contains("unknown"));
        let of = |form, status: &str| {
            let status = format!("TABLE_MIGRATION_STATUS_{status}");
            refusal(form, &three, Some(&item("tm", &status)))
        };
        assert_eq!(of(Form::Three, "INIT"), None);
        assert_eq!(of(Form::Single, "COMPLETE"), None);
        for (form, status) in [
            (Form::Three, "DEPLOYED"),
            (Form::Three, "PENDING"),
            (Form::Three, "COMPLETE"),
            (Form::Single, "PENDING"),
        ] {
            let why = of(form, status).unwrap();
            assert!(why.contains(status) && why.contains("KCL 3.5"), "{why}");
        }
    }
}
