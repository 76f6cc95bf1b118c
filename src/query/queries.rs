//! The queries of a pipeline: from the tables of a file to one specification each.

use super::pipeline_spec::PipelineSpec;
use crate::error::Error;
use std::collections::BTreeSet;

/// The keys of a question. The other keys say how records are read, or what a run does, and are
/// the same for all queries.
const QUESTION: [&str; 16] = [
    "window",
    "every",
    "offset",
    "session",
    "stagger",
    "rows",
    "timezone",
    "lateness",
    "where",
    "group",
    "agg",
    "select",
    "having",
    "sort",
    "limit",
    "limit_groups",
];

/// Maximum characters of the name of a query.
const NAME_CHARS_MAX: usize = 64;

impl PipelineSpec {
    /// Returns the specification of each query, which has no tables `query` any more. Without such
    /// tables it is this specification.
    ///
    /// A key at the top of the file holds for all queries:
    /// - Keys that say how records are read, or what a run does, stand only there: `format` and its
    ///   options, `time`, `time_format`, `year`, `since`, `until`, `unnest`, `let`, `lookup`,
    ///   `null`, `max_delay`, `max_ahead`, `emit_early`, `output`, `dead_letters`, `late`, `strict`,
    ///   `explain`.
    /// - A `where` at the top holds in addition to the `where` of a query.
    /// - Each other key at the top is the default of the queries that do not give it. The keys of
    ///   windows are one default: a query that gives one of `window`, `session`, `stagger` and
    ///   `rows` gets none of these, `every` and `offset` from the top.
    /// - A query with `select` takes no default, since it has no windows, groups and aggregates.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a query without a
    /// name, a name that is given twice or is not one, an empty list of queries, and a key in the
    /// wrong place.
    ///
    /// # Example
    /// ```
    /// use streamgauge::query::PipelineSpec;
    /// let toml = "
    /// time = 'ts'
    /// window = '1m'
    /// [[query]]
    /// name = 'hits'
    /// [[query]]
    /// name = 'errors'
    /// where = 'status >= 500'
    /// window = '5m'
    /// ";
    /// let queries = PipelineSpec::from_toml(toml, "hits.toml")?.each_query()?;
    /// assert_eq!(queries[0].window.as_deref(), Some("1m"));
    /// assert_eq!(queries[1].window.as_deref(), Some("5m"));
    /// assert_eq!(queries[1].time.as_deref(), Some("ts"));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn each_query(&self) -> Result<Vec<PipelineSpec>, Error> {
        if self.name.is_some() {
            return Err(Error::invalid("name: it is a key of a table [[query]], not of the file"));
        }
        let Some(queries) = &self.queries else { return Ok(vec![self.clone()]) };
        if queries.is_empty() {
            return Err(Error::invalid(
                "query: the list is empty: give at least one table [[query]]",
            ));
        }
        if self.select.is_some() {
            let why = "select: it is of one query: give it in the table [[query]] whose rows it is";
            return Err(Error::invalid(why));
        }
        let top = PipelineSpec { queries: None, ..self.clone() };
        let mut names = BTreeSet::new();
        for (index, query) in queries.iter().enumerate() {
            let name = query.checked_name(index)?;
            if !names.insert(name) {
                let why = format!("query: two have the name {name:?}: each needs its own");
                return Err(Error::invalid(why));
            }
            query.check_keys().map_err(|error| error.at(format!("query {name}")))?;
        }
        Ok(queries.iter().map(|query| query.completed_by(&top)).collect())
    }

    /// Returns the first key of a question that is given, other than `where`. As a flag it would
    /// say nothing of which query it is for.
    ///
    /// # Example
    /// ```
    /// use streamgauge::query::PipelineSpec;
    /// let mut flags = PipelineSpec::default();
    /// flags.max_delay = Some("5s".into());
    /// assert_eq!(flags.question(), None);
    /// flags.agg = Some(vec!["count".into()]);
    /// assert_eq!(flags.question(), Some("agg"));
    /// ```
    pub fn question(&self) -> Option<&'static str> {
        let mut given = self.given().into_iter();
        given.find(|key| QUESTION.contains(key) && *key != "where")
    }

    fn checked_name(&self, index: usize) -> Result<&str, Error> {
        let Some(name) = self.name.as_deref() else {
            let why = format!("query: table {} has no name: give it a unique one", index + 1);
            return Err(Error::invalid(why));
        };
        let fits = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
            let why = format!(
                "query: {name:?} is not a name: it has 1 to {NAME_CHARS_MAX} letters, digits, -, _ \
                 and points"
            );
            return Err(Error::invalid(why));
        }
        Ok(name)
    }

    /// Checks that all keys of a query are those of a question.
    fn check_keys(&self) -> Result<(), Error> {
        let given = self.given().into_iter();
        let other = given.filter(|key| *key != "name").find(|key| !QUESTION.contains(key));
        match other {
            Some("query") => Err(Error::invalid("query: a query has no queries of its own")),
            Some(key) => Err(Error::invalid(format!(
                "{key}: it is the same for all queries: give it at the top of the file, before the \
                 first [[query]]"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the query with the keys at the top of its file.
    fn completed_by(&self, top: &PipelineSpec) -> PipelineSpec {
        let mut top = top.clone();
        if self.select.is_some() {
            (top.window, top.every, top.offset, top.lateness) = (None, None, None, None);
            (top.session, top.stagger, top.rows, top.timezone) = (None, None, None, None);
            (top.group, top.agg, top.having, top.sort) = (None, None, None, None);
            (top.limit, top.limit_groups) = (None, None);
        }
        if self.has_windows() || self.rows.is_some() {
            (top.window, top.every, top.offset) = (None, None, None);
            (top.session, top.stagger, top.rows) = (None, None, None);
        }
        let conditions = [top.filter.take(), self.filter.clone()];
        let has_conditions = conditions.iter().any(Option::is_some);
        let conditions = conditions.into_iter().flatten().flatten().collect();
        let mut query = top.overridden_by(self.clone());
        query.filter = has_conditions.then_some(conditions);
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries(toml: &str) -> Result<Vec<PipelineSpec>, String> {
        let spec = PipelineSpec::from_toml(toml, "p.toml").unwrap();
        spec.each_query().map_err(|error| error.to_string())
    }

    #[test]
    fn s220_keys_at_the_top_hold_for_all_queries() {
        let toml = "where = 'a'\nwindow = '1m'\nevery = '10s'\nagg = 'count'\n\
                    [[query]]\nname = 'one'\nwhere = 'b'\n\
                    [[query]]\nname = 'two'\nsession = '5m'\nagg = 'sum(x)'\n";
        let queries = queries(toml).unwrap();
        let [one, two] = queries.as_slice() else { panic!("two queries") };
        assert_eq!(one.filter, Some(vec!["a".into(), "b".into()]));
        assert_eq!((one.window.as_deref(), one.every.as_deref()), (Some("1m"), Some("10s")));
        assert_eq!((one.name.as_deref(), &one.queries), (Some("one"), &None));
        assert_eq!(two.filter, Some(vec!["a".into()]));
        assert_eq!((&two.window, &two.every), (&None, &None));
        assert_eq!((two.session.as_deref(), &two.agg), (Some("5m"), &Some(vec!["sum(x)".into()])));
    }

    #[test]
    fn s252_a_query_with_select_takes_no_window_from_the_top() {
        let toml = "where = 'a'\nwindow = '1m'\nagg = 'count'\ngroup = 'k'\n\
                    [[query]]\nname = 'one'\n[[query]]\nname = 'two'\nselect = 'x'\n";
        let queries = queries(toml).unwrap();
        assert_eq!(queries[0].given(), ["window", "where", "group", "agg", "name"]);
        assert_eq!(queries[1].given(), ["where", "select", "name"]);
    }

    #[test]
    fn s220_a_wrong_table_is_refused_with_the_remedy() {
        for (toml, why) in [
            ("query = []", "give at least one table"),
            ("[[query]]\nagg = 'count'", "query: table 1 has no name"),
            ("[[query]]\nname = 'a'\n[[query]]\nname = 'a'", "two have the name \"a\""),
            ("[[query]]\nname = ''", "\"\" is not a name"),
            ("[[query]]\nname = 'a b'", "\"a b\" is not a name"),
            ("[[query]]\nname = 'a'\ntime = 'ts'", "query a: time: it is the same for all"),
            ("[[query]]\nname = 'a'\nlet = 'x = 1'", "query a: let: it is the same for all"),
            ("[[query]]\nname = 'a'\nquery = []", "a query has no queries of its own"),
            ("select = 'x'\n[[query]]\nname = 'a'", "in the table [[query]] whose rows it is"),
            ("[[query]]\nname = 'a'\nunnest = 'x'", "query a: unnest: it is the same for all"),
            ("name = 'a'", "it is a key of a table [[query]]"),
        ] {
            let error = queries(toml).unwrap_err();
            assert!(error.contains(why), "{toml}: {error}");
        }
    }

    #[test]
    fn without_tables_there_is_one_specification() {
        let spec = PipelineSpec::from_toml("agg = 'count'", "p.toml").unwrap();
        assert_eq!(spec.each_query().unwrap(), [spec]);
    }
}
