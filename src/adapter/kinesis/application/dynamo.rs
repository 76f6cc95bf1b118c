//! The tables of an application in DynamoDB.

use super::layout::{ENTITY, LEASE_KEY, Layout};
use super::lease::OWNER;
use super::table::{Condition, Item, Kind, LeaseTable, TableError, Update, Value};
use crate::adapter::aws::Blocking;
use crate::error::{Error, ErrorKind};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;

/// The index from a worker to its leases.
pub(super) const OWNER_INDEX: &str = "LeaseOwnerToLeaseKeyIndex";

type Row = HashMap<String, AttributeValue>;

/// The rows of one application.
#[derive(Clone)]
pub(super) struct DynamoTable {
    pub(super) client: Client,
    pub(super) blocking: Blocking,
    pub(super) layout: Layout,
}

impl DynamoTable {
    fn wait<T: Send, E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
        &self,
        kind: Kind,
        call: impl Future<Output = Result<T, SdkError<E>>> + Send,
    ) -> Result<T, TableError> {
        let done = self.blocking.wait(call).map_err(TableError::Fatal)?;
        done.map_err(|error| table_error(&error, &self.layout.table(kind)))
    }

    /// Returns the key and the content of a row; `None` if its key is not a text.
    fn read(&self, kind: Kind, mut row: Row) -> Option<(String, Item)> {
        let key = match row.remove(self.layout.key(kind)) {
            Some(AttributeValue::S(key)) => key,
            _ => return None,
        };
        Some((key, row.into_iter().map(|(name, value)| (name, from_attribute(value))).collect()))
    }
}

impl LeaseTable for DynamoTable {
    fn get(&self, kind: Kind, key: &str) -> Result<Option<Item>, TableError> {
        let call = self.client.get_item().table_name(self.layout.table(kind));
        let call = call.key(self.layout.key(kind), AttributeValue::S(key.to_owned()));
        let found = self.wait(kind, call.consistent_read(true).send())?;
        Ok(found.item.and_then(|row| self.read(kind, row)).map(|(_, item)| item))
    }

    fn scan(&self, kind: Kind) -> Result<Vec<(String, Item)>, TableError> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let call = self.client.scan().table_name(self.layout.table(kind)).consistent_read(true);
            let page = self.wait(kind, call.set_exclusive_start_key(start).send())?;
            let found = page.items.unwrap_or_default().into_iter();
            let found = found.filter_map(|row| self.read(kind, row));
            rows.extend(found.filter(|(_, item)| self.layout.is_of(kind, item)));
            match page.last_evaluated_key {
                Some(key) if !key.is_empty() => start = Some(key),
                _ => return Ok(rows),
            }
        }
    }

    fn owned_by(&self, worker: &str) -> Result<Vec<String>, TableError> {
        let mut keys = Vec::new();
        let mut start = None;
        loop {
            let call = self.client.query().table_name(self.layout.table(Kind::Lease));
            let call = call
                .index_name(OWNER_INDEX)
                .key_condition_expression("#owner = :worker")
                .expression_attribute_names("#owner", OWNER)
                .expression_attribute_values(":worker", AttributeValue::S(worker.to_owned()));
            let page = self.wait(Kind::Lease, call.set_exclusive_start_key(start).send())?;
            for mut row in page.items.unwrap_or_default() {
                if let Some(AttributeValue::S(key)) = row.remove(LEASE_KEY) {
                    keys.push(key);
                }
            }
            match page.last_evaluated_key {
                Some(key) if !key.is_empty() => start = Some(key),
                _ => return Ok(keys),
            }
        }
    }

    fn create(&self, kind: Kind, key: &str, item: Item) -> Result<(), TableError> {
        let mut row: Row =
            item.into_iter().map(|(name, value)| (name, to_attribute(&value))).collect();
        row.insert(self.layout.key(kind).to_owned(), AttributeValue::S(key.to_owned()));
        if let Some(entity) = self.layout.entity(kind, key) {
            row.insert(ENTITY.to_owned(), AttributeValue::S(entity.to_owned()));
        }
        let call = self
            .client
            .put_item()
            .table_name(self.layout.table(kind))
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", self.layout.key(kind));
        self.wait(kind, call.send()).map(drop)
    }

    fn update(&self, kind: Kind, key: &str, update: &Update) -> Result<(), TableError> {
        let mut expression = Expression::new(self.layout.key(kind));
        let mut set: Vec<String> =
            update.set.iter().map(|(name, value)| expression.equals(name, value)).collect();
        if let (Kind::Worker | Kind::Coordinator, Some(entity)) =
            (kind, self.layout.entity(kind, key))
        {
            set.push(expression.equals(ENTITY, &Value::text(entity)));
        }
        let raise = update.raise.iter().map(|name| expression.raises(name)).collect::<Vec<_>>();
        let remove = update.remove.iter().map(|name| expression.name(name)).collect::<Vec<_>>();
        let clauses = [("SET", set), ("ADD", raise), ("REMOVE", remove)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let text: Vec<String> =
            clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect();
        let condition = expression.conditions(&update.conditions);
        let call = self
            .client
            .update_item()
            .table_name(self.layout.table(kind))
            .key(self.layout.key(kind), AttributeValue::S(key.to_owned()))
            .update_expression(text.join(" "))
            .set_condition_expression(condition)
            .set_expression_attribute_names(Some(expression.names))
            .set_expression_attribute_values(some(expression.values));
        self.wait(kind, call.send()).map(drop)
    }

    fn delete(&self, kind: Kind, key: &str, conditions: &[Condition]) -> Result<(), TableError> {
        let mut expression = Expression::new(self.layout.key(kind));
        let condition = expression.conditions(conditions);
        let call = self
            .client
            .delete_item()
            .table_name(self.layout.table(kind))
            .key(self.layout.key(kind), AttributeValue::S(key.to_owned()))
            .set_condition_expression(condition)
            .set_expression_attribute_names(some(expression.names))
            .set_expression_attribute_values(some(expression.values));
        self.wait(kind, call.send()).map(drop)
    }
}

/// Returns nothing for an empty map, which DynamoDB refuses.
fn some<V>(map: HashMap<String, V>) -> Option<HashMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

/// An expression whose names and values stand beside it: some names are words of DynamoDB.
struct Expression {
    key: &'static str,
    names: HashMap<String, String>,
    values: Row,
}

impl Expression {
    fn new(key: &'static str) -> Self {
        Expression { key, names: HashMap::new(), values: HashMap::new() }
    }

    fn name(&mut self, name: &str) -> String {
        let short = format!("#{name}");
        self.names.insert(short.clone(), name.to_owned());
        short
    }

    fn value(&mut self, value: &Value) -> String {
        let short = format!(":v{}", self.values.len());
        self.values.insert(short.clone(), to_attribute(value));
        short
    }

    fn equals(&mut self, name: &str, value: &Value) -> String {
        format!("{} = {}", self.name(name), self.value(value))
    }

    fn raises(&mut self, name: &str) -> String {
        format!("{} {}", self.name(name), self.value(&Value::number(1)))
    }

    fn conditions(&mut self, conditions: &[Condition]) -> Option<String> {
        let parts: Vec<String> = conditions
            .iter()
            .map(|condition| match condition {
                Condition::Exists => format!("attribute_exists({})", self.name(self.key)),
                Condition::Is(name, value) => self.equals(name, value),
                Condition::Lacks(name) => format!("attribute_not_exists({})", self.name(name)),
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(" AND "))
    }
}

fn to_attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Text(text) => AttributeValue::S(text.clone()),
        Value::Number(number) => AttributeValue::N(number.clone()),
        Value::Texts(texts) => AttributeValue::Ss(texts.iter().cloned().collect()),
        Value::Map(item) => AttributeValue::M(
            item.iter().map(|(name, value)| (name.clone(), to_attribute(value))).collect(),
        ),
        Value::List(values) => AttributeValue::L(values.iter().map(to_attribute).collect()),
        Value::Other => AttributeValue::Null(true),
    }
}

fn from_attribute(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::Text(text),
        AttributeValue::N(number) => Value::Number(number),
        AttributeValue::Ss(texts) => Value::Texts(texts.into_iter().collect()),
        AttributeValue::M(row) => {
            Value::Map(row.into_iter().map(|(name, value)| (name, from_attribute(value))).collect())
        }
        AttributeValue::L(values) => Value::List(values.into_iter().map(from_attribute).collect()),
        _ => Value::Other,
    }
}

/// Returns what a failed call means.
fn table_error<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
    error: &SdkError<E>,
    table: &str,
) -> TableError {
    match error.code() {
        Some("ConditionalCheckFailedException") => TableError::Refused,
        Some(
            "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "LimitExceededException",
        ) => TableError::Throttled,
        Some(
            "InternalServerError"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "TransactionConflictException",
        ) => TableError::Unknown(call_failed(error, table)),
        Some(_) => TableError::Fatal(call_failed(error, table)),
        None if matches!(error, SdkError::ConstructionFailure(_)) => {
            TableError::Fatal(call_failed(error, table))
        }
        None => TableError::Unknown(call_failed(error, table)),
    }
}

/// Returns the error of a failed call.
pub(super) fn call_failed<E>(error: &SdkError<E>, table: &str) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let reason = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => DisplayErrorContext(error).to_string(),
    };
    Error::new(ErrorKind::Io, format!("cannot use the table {table:?}: {reason}"))
}

impl fmt::Debug for DynamoTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoTable").field("layout", &self.layout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_values_stand_beside_the_expression() {
        let mut expression = Expression::new("leaseKey");
        let conditions = [
            Condition::Exists,
            Condition::Is("leaseOwner", Value::text("me")),
            Condition::Lacks("checkpointOwner"),
        ];
        assert_eq!(
            expression.conditions(&conditions).unwrap(),
            "attribute_exists(#leaseKey) AND #leaseOwner = :v0 AND \
             attribute_not_exists(#checkpointOwner)"
        );
        assert_eq!(expression.raises("leaseCounter"), "#leaseCounter :v1");
        assert_eq!(expression.values[":v0"], AttributeValue::S("me".to_owned()));
        assert_eq!(expression.names["#leaseKey"], "leaseKey");
        assert_eq!(Expression::new("key").conditions(&[]), None);
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        let map = Item::from([("n".to_owned(), Value::number(7))]);
        for value in [
            Value::text("a"),
            Value::number(-1.5),
            Value::Texts(["a".to_owned(), "b".to_owned()].into()),
            Value::List(vec![Value::Map(map)]),
        ] {
            assert_eq!(from_attribute(to_attribute(&value)), value);
        }
        let foreign = [AttributeValue::Bool(true), AttributeValue::Ns(vec!["1".to_owned()])];
        assert_eq!(foreign.map(from_attribute), [Value::Other, Value::Other]);
    }
}
