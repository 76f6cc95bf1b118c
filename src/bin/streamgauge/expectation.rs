//! The number of groups that a user expects, and the memory that they take.

use std::str::FromStr;
use streamgauge::rows::{Query, RowPipeline};

/// Groups of a pane, and the records of each: `50000`, or `50000:20`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Expectation {
    groups: usize,
    records: u64,
}

/// Records of a group if no number is given.
const RECORDS_DEFAULT: u64 = 10;

impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (groups, records) = match text.split_once(':') {
            Some((groups, records)) => (groups, records.parse().ok()),
            None => (text, Some(RECORDS_DEFAULT)),
        };
        let expected = groups.parse().ok().zip(records).filter(|(_, records)| *records > 0);
        let (groups, records) = expected.ok_or(
            "write the number of groups, and how many records each has: 50000, or 50000:20",
        )?;
        Ok(Expectation { groups, records })
    }
}

impl Expectation {
    /// Returns the memory of the groups in words: a line for each query.
    pub(crate) fn told(self, pipeline: &RowPipeline) -> String {
        let Expectation { groups, records } = self;
        let told = |query: Query<'_>| {
            let name = query.name().map_or_else(String::new, |name| format!(" of query {name}"));
            let mebibytes = query.explain().expected_bytes(groups, records) as f64 / 1_048_576.0;
            let each = if records == 1 { "record" } else { "records" };
            format!(
                "expected state{name}: {mebibytes:.1} MiB a pane, of {groups} groups of {records} \
                 {each}, between half and twice as much\n"
            )
        };
        pipeline.queries().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_one_number_or_two() {
        let read = |text: &str| text.parse::<Expectation>();
        assert_eq!(read("50000"), Ok(Expectation { groups: 50_000, records: RECORDS_DEFAULT }));
        assert_eq!(read("7:1"), Ok(Expectation { groups: 7, records: 1 }));
        for wrong in ["", ":", "7:", "7:0", ":7", "-7", "many", "1:2:3"] {
            assert!(read(wrong).is_err_and(|error| error.contains("50000:20")), "{wrong}");
        }
    }
}
