//! Emissions as lines of cells, for a table.
//!
//! There is one line per window and group. If the pipeline has top columns, there is one line per
//! rank instead: the top columns are side by side, and the other columns are only in the first
//! line. The bounds of approximate numbers are in brackets unless the number is exact. A table
//! omits what its reader knows: the end of a window, whose size is a flag, and the digits of a
//! float after the sixth. Counted and computed numbers have commas between thousands; keys are
//! unchanged.

use super::cell::{Cell, unmistakable};
use super::digits::{DIGITS, count, rounded, with_separators};
use streamgauge::row::{Number, OutputValue, TopValue};
use streamgauge::rows::{ColumnKind, OutputColumn, Query, RowEmission, RowPipeline};
use streamgauge::window::TimeZone;
use streamgauge::{Timestamp, Window};

/// The shape of a pipeline's answers.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// True if windows have a start and an end.
    pub(crate) windowed: bool,
    /// True if windows have a number.
    pub(crate) numbered: bool,
    /// The time zone that times are shown in; `None` for UTC.
    pub(crate) zone: Option<TimeZone>,
    /// True if an answer can come more than once.
    pub(crate) revised: bool,
    /// True if a row can be retracted, so that there is a column for it.
    pub(crate) retracts: bool,
    /// True if a row can be retracted, but rarely: a table has no column for it.
    pub(crate) resumed: bool,
    /// The fields of the grouping.
    pub(crate) group: Vec<String>,
    /// The columns, by name and kind.
    pub(crate) columns: Vec<(String, ColumnKind)>,
    /// The places of the rows of each query that has a name.
    pub(crate) queries: Vec<QueryShape>,
}

/// Where a query's values are in the shape of all queries.
#[derive(Clone, Debug)]
pub(crate) struct QueryShape {
    pub(super) name: String,
    /// The index of each field of the grouping.
    pub(super) group: Vec<usize>,
    /// The index of each column.
    pub(super) columns: Vec<usize>,
}

impl Shape {
    /// Returns the shape of a pipeline's answers. That of several queries has the fields and
    /// columns of all; those of one name share a place.
    pub(crate) fn of(pipeline: &RowPipeline) -> Self {
        // An open window that is answered early may become longer, and have another name.
        let grows =
            |query: Query<'_>| query.windows().is_per_group() || query.windows().is_of_rows();
        let mut shape = Shape {
            windowed: pipeline.queries().any(|query| query.windows().are_timed()),
            numbered: pipeline.queries().any(|query| query.windows().is_of_rows()),
            zone: pipeline.time_zone().cloned(),
            revised: pipeline.is_revised(),
            retracts: pipeline.is_revised() && pipeline.queries().any(grows),
            resumed: false,
            group: Vec::new(),
            columns: Vec::new(),
            queries: Vec::new(),
        };
        pipeline.queries().for_each(|query| shape.add(query));
        shape
    }

    fn add(&mut self, query: Query<'_>) {
        let group = query.form().group.iter().map(|field| self.place_of_field(field)).collect();
        let columns = query.columns().iter().map(|column| self.place_of_column(column)).collect();
        let name = query.name().map(str::to_owned);
        self.queries.extend(name.map(|name| QueryShape { name, group, columns }));
    }

    fn place_of_field(&mut self, field: &String) -> usize {
        self.group.iter().position(|known| known == field).unwrap_or_else(|| {
            self.group.push(field.clone());
            self.group.len() - 1
        })
    }

    fn place_of_column(&mut self, OutputColumn { name, kind, .. }: &OutputColumn) -> usize {
        let fits = |(known, other): &(String, ColumnKind)| {
            known == name && (*kind == ColumnKind::Top) == (*other == ColumnKind::Top)
        };
        match self.columns.iter().position(fits) {
            Some(index) => {
                // A number without bounds has a place among those that have some.
                if let Some((_, known)) = self.columns.get_mut(index)
                    && *kind == ColumnKind::Estimate
                {
                    *known = ColumnKind::Estimate;
                }
                index
            }
            None => {
                self.columns.push((name.clone(), *kind));
                self.columns.len() - 1
            }
        }
    }

    /// Returns true if a column is a list, so that a line is a rank.
    pub(super) fn has_ranks(&self) -> bool {
        self.columns.iter().any(|(_, kind)| *kind == ColumnKind::Top)
    }

    /// Returns true if rows say which query they answer.
    pub(super) fn is_of_queries(&self) -> bool {
        !self.queries.is_empty()
    }

    pub(super) fn query_of(&self, emission: &RowEmission) -> Option<&QueryShape> {
        let name = emission.form.query.as_ref()?;
        self.queries.iter().find(|query| query.name == *name)
    }

    /// Returns a time of an emission as all outputs show it.
    pub(super) fn time(&self, emission: &RowEmission, time: Timestamp) -> String {
        let zone = match self.is_of_queries() {
            true => emission.form.zone.as_ref(),
            false => self.zone.as_ref(),
        };
        zone.map_or_else(|| time.to_string(), |zone| zone.display(time).to_string())
    }
}

/// Converts emissions to lines.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    shape: Shape,
}

impl Sheet {
    pub(crate) fn new(shape: Shape) -> Self {
        Sheet { shape }
    }

    /// Returns the names of the columns.
    pub(crate) fn header(&self) -> Vec<String> {
        let mut names = Vec::new();
        if self.shape.is_of_queries() {
            names.push("query".to_owned());
        }
        if self.shape.windowed {
            names.push("window_start".to_owned());
        }
        names.extend(self.shape.numbered.then(|| "window_number".to_owned()));
        names.extend(self.shape.group.iter().cloned());
        if self.has_revision() {
            names.push("revision".to_owned());
        }
        if self.shape.retracts {
            names.push("retracted".to_owned());
        }
        if self.shape.has_ranks() {
            names.push("rank".to_owned());
        }
        for (name, kind) in &self.shape.columns {
            names.push(name.clone());
            names.extend((*kind == ColumnKind::Top).then(|| "count".to_owned()));
        }
        names
    }

    /// Returns the lines of an emission.
    pub(crate) fn lines(&self, emission: &RowEmission) -> Vec<Vec<Cell>> {
        let tops = emission.values.iter().filter_map(|value| {
            if let OutputValue::Top(rows) = value { Some(rows.len()) } else { None }
        });
        let ranks = tops.max().unwrap_or_default().max(1);
        (0..ranks).map(|index| self.line(emission, index)).collect()
    }

    fn line(&self, emission: &RowEmission, index: usize) -> Vec<Cell> {
        let repeated = index > 0;
        let query = self.shape.query_of(emission);
        let mut cells = Vec::new();
        if self.shape.is_of_queries() {
            cells.push(Cell::Text(query.map_or_else(String::new, |query| query.name.clone())));
        }
        if self.shape.windowed {
            cells.push(self.window_cell(emission));
        }
        if self.shape.numbered {
            let number = emission.window.and_then(Window::number);
            let cell = |number: u64| Cell::Number(number.to_string());
            cells.push(number.map_or(Cell::Empty, cell));
        }
        for place in 0..self.shape.group.len() {
            let group = query.map(|query| query.group.as_slice());
            let value = at_place(&emission.group, group, place);
            cells.push(value.map_or(Cell::Empty, |value| self.key(value)));
        }
        if self.has_revision() {
            cells.push(Cell::Number(emission.revision.to_string()));
        }
        if self.shape.retracts {
            cells.push(if emission.is_retracted() {
                Cell::Number("true".to_owned())
            } else {
                Cell::Empty
            });
        }
        if repeated {
            cells.fill(Cell::Empty);
        }
        if emission.is_retracted() {
            if !self.shape.retracts {
                cells.push(Cell::Text("retracted".to_owned()));
            }
            cells.resize(self.header().len(), Cell::Empty);
            return cells;
        }
        if self.shape.has_ranks() {
            cells.push(self.rank(emission, index));
        }
        for (place, (_, kind)) in self.shape.columns.iter().enumerate() {
            let columns = query.map(|query| query.columns.as_slice());
            match (at_place(&emission.values, columns, place), kind) {
                (None, ColumnKind::Top) => cells.extend([Cell::Empty, Cell::Empty]),
                (None, _) => cells.push(Cell::Empty),
                (Some(value), ColumnKind::Top) => cells.extend(self.top_cells(value, index)),
                _ if repeated => cells.push(Cell::Empty),
                (Some(value), ColumnKind::Estimate) => cells.push(self.estimate(value)),
                (Some(value), _) => cells.push(self.plain(value)),
            }
        }
        cells
    }

    fn window_cell(&self, emission: &RowEmission) -> Cell {
        let start = emission.window.filter(|window| window.is_timed()).map(Window::start);
        let start = start.map_or_else(String::new, |start| self.shape.time(emission, start));
        // Behind the milliseconds there is Z or an offset.
        Cell::Time(start.replacen(".000", "", 1))
    }

    /// Returns the rank of a line; empty if no top column has a row there.
    fn rank(&self, emission: &RowEmission, index: usize) -> Cell {
        let filled = emission
            .values
            .iter()
            .any(|value| matches!(value, OutputValue::Top(rows) if rows.len() > index));
        if filled { Cell::Number((index + 1).to_string()) } else { Cell::Empty }
    }

    fn top_cells(&self, value: &OutputValue, index: usize) -> [Cell; 2] {
        let row = if let OutputValue::Top(rows) = value { rows.get(index) } else { None };
        row.map_or([Cell::Empty, Cell::Empty], |row| [self.key(&row.key), top_count(row)])
    }

    fn estimate(&self, value: &OutputValue) -> Cell {
        let OutputValue::Estimate { value, lower, upper } = value else {
            return self.plain(value);
        };
        let [value, lower, upper] = [value, lower, upper].map(|number| self.number(*number));
        match lower == upper {
            true => Cell::Number(value),
            false => Cell::Estimate(value, format!("[{lower}, {upper}]")),
        }
    }

    fn number(&self, number: Number) -> String {
        match number {
            Number::Float(float) => with_separators(&rounded(float, DIGITS)),
            Number::Int(integer) => with_separators(&integer.to_string()),
        }
    }

    /// Returns the cell of a computed value.
    fn plain(&self, value: &OutputValue) -> Cell {
        match value {
            OutputValue::Float(float) => Cell::Number(self.number(Number::Float(*float))),
            OutputValue::Integer(_) | OutputValue::Decimal(_) => {
                Cell::Number(with_separators(&value.to_string()))
            }
            value => self.key(value),
        }
    }

    /// Returns the cell of a value that is a name, such as a year.
    fn key(&self, value: &OutputValue) -> Cell {
        match value {
            OutputValue::Null => Cell::Null,
            OutputValue::Text(text) => Cell::Text(unmistakable(text)),
            OutputValue::Other => Cell::Other,
            OutputValue::List(_) => Cell::Text(value.to_string()),
            OutputValue::Float(float) => Cell::Number(rounded(*float, DIGITS)),
            number => Cell::Number(number.to_string()),
        }
    }

    fn has_revision(&self) -> bool {
        self.shape.revised || self.shape.retracts
    }
}

/// Returns the value at a place of the shape. `places` are those of the values; `None` if each is
/// at its own.
pub(super) fn at_place<'a>(
    values: &'a [OutputValue],
    places: Option<&[usize]>,
    place: usize,
) -> Option<&'a OutputValue> {
    let index = match places {
        Some(places) => places.iter().position(|known| *known == place)?,
        None => place,
    };
    values.get(index)
}

/// Returns the count of a top row for a person, with its bounds unless it is exact.
fn top_count(row: &TopValue) -> Cell {
    match row.lower == row.upper {
        true => Cell::Number(count(row.count)),
        false => Cell::Estimate(
            count(row.count),
            format!("[{}, {}]", count(row.lower), count(row.upper)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(rows: &[(&str, u64, u64)]) -> OutputValue {
        let row = |(key, lower, count): &(&str, u64, u64)| {
            let key = OutputValue::Text((*key).to_owned());
            TopValue { key, count: *count, lower: *lower, upper: *count, guaranteed: true }
        };
        OutputValue::Top(rows.iter().map(row).collect())
    }

    fn shape() -> Shape {
        let column = |name: &str, kind| (name.to_owned(), kind);
        Shape {
            windowed: false,
            numbered: false,
            zone: None,
            revised: false,
            retracts: false,
            resumed: false,
            group: vec!["country".to_owned()],
            columns: vec![
                column("count", ColumnKind::Plain),
                column("p50(x)", ColumnKind::Estimate),
                column("a", ColumnKind::Top),
                column("b", ColumnKind::Top),
            ],
            queries: Vec::new(),
        }
    }

    fn emission() -> RowEmission {
        let estimate = OutputValue::Estimate {
            value: Number::Int(5),
            lower: Number::Int(4),
            upper: Number::Int(6),
        };
        RowEmission {
            window: None,
            revision: 0,
            group: vec![OutputValue::Null],
            values: vec![
                OutputValue::Integer(3),
                estimate,
                top(&[("/x", 2, 2), ("/y", 0, 1)]),
                top(&[("k", 3, 3)]),
            ],
            form: Default::default(),
        }
    }

    fn written() -> Vec<String> {
        let sheet = Sheet::new(shape());
        let shown = |cell: &Cell| match cell {
            Cell::Null => "null".to_owned(),
            Cell::Estimate(value, bounds) => format!("{value} {bounds}"),
            cell => cell.as_str().to_owned(),
        };
        let line = |cells: Vec<Cell>| cells.iter().map(shown).collect::<Vec<_>>().join("|");
        let lines = sheet.lines(&emission()).into_iter().map(line);
        std::iter::once(sheet.header().join("|")).chain(lines).collect()
    }

    #[test]
    fn a_table_shows_each_value_once() {
        let expected = [
            "country|rank|count|p50(x)|a|count|b|count",
            "null|1|3|5 [4, 6]|/x|2|k|3",
            "|2|||/y|1 [0, 1]||",
        ];
        assert_eq!(written(), expected);
    }

    #[test]
    fn a_top_column_without_rows_leaves_a_line_without_a_rank() {
        let mut emission = emission();
        emission.values[2] = top(&[]);
        emission.values[3] = top(&[]);
        let lines = Sheet::new(shape()).lines(&emission);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0][1], Cell::Empty);
    }
}
