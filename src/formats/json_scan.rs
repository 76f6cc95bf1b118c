//! A single pass over one JSON line that reads the fields of a pipeline and checks everything else.
//!
//! A line must be a JSON text according to RFC 8259 whose value is an object, in UTF-8 (which the
//! caller checks, a block at a time), on one line. No part is skipped without a check: an error in
//! a field that is not requested makes the line a dead letter, too.
//! - If a key occurs twice, the last value counts, as in `serde_json::Value`.
//! - A number keeps its text, whatever its size or precision. Its user checks the range.
//! - A string with escapes is unescaped. A lone surrogate is an error.
//! - A requested object or array gives its raw JSON.
//! - Nesting is limited. Values that are not requested are walked with an explicit stack, so depth
//!   uses no machine stack.
//!
//! Two methods make it fast in safe code: tokens are found many bytes at a time (`json_tokens`),
//! and the keys of the last line are remembered, so that the next line is rarely parsed
//! (`json_template`).

use super::json_fields::{FieldTree, NONE, NodeIndex};
use super::json_template::{Step, Template};
pub use super::json_tokens::JsonError;
use super::json_tokens::{error, number, scalar, string, unescape};
use crate::error::Error;
use crate::row::Block;
use crate::row::Row;
use crate::row::Value;
use bytes::Bytes;
use smallvec::SmallVec;

/// The content of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScannedLine {
    /// A record. The offset is that of the newline, or of the end of the bytes.
    Record(usize),
    /// Only white space, up to this offset.
    Blank(usize),
}

/// Reads the requested fields of JSON lines into rows.
///
/// # Example
/// ```
/// use streamgauge::adapter::files::{JsonScanner, ScannedLine};
/// use streamgauge::row::{Row, Value};
/// let mut scanner = JsonScanner::new(&["status", "/geo/country"], 128)?;
/// let mut row = Row::new(2);
/// let bytes = bytes::Bytes::from_static(br#"{"status": 200, "geo": {"country": "DE"}, "x": [1, 2]}"#);
/// assert_eq!(scanner.scan(&bytes, 0, &mut row), Ok(ScannedLine::Record(54)));
/// assert_eq!(row.value(0), Value::Number("200"));
/// assert_eq!(row.value(1), Value::Text("DE"));
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonScanner {
    fields: FieldTree,
    depth_max: usize,
    template: Template,
    scratch: Scratch,
}

/// Buffers that are reused for every line.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// The open containers in a value that is not requested, by their opening byte.
    nesting: Vec<u8>,
    /// The text of a string that is being unescaped.
    text: String,
}

impl JsonScanner {
    /// Creates a scanner for these fields, in the order of the row's slots. A field is the name of
    /// a top-level member, or an RFC 6901 pointer if it begins with `/`. Where a record has no
    /// member `host.name`, that field is the member `name` of the member `host`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a malformed pointer or
    /// one deeper than `depth_max`.
    pub fn new<S: AsRef<str>>(fields: &[S], depth_max: usize) -> Result<Self, Error> {
        Ok(JsonScanner {
            fields: FieldTree::new(fields, depth_max)?,
            depth_max,
            template: Template::new(fields.len()),
            scratch: Scratch::default(),
        })
    }

    /// Reads the line of `source` that begins at `start` into `row`, up to a newline or the end of
    /// the bytes.
    ///
    /// Cost: one pass over the line. Does not allocate once the buffers have the size of the
    /// largest escaped string.
    ///
    /// # Errors
    /// The decode error of a line that is not a JSON object. The row then has the fields that were
    /// read before it. The caller must find the end of the line, and must check that the line is
    /// UTF-8 (values of a line that is not UTF-8 are empty).
    #[inline]
    pub fn scan(
        &mut self,
        source: &Bytes,
        start: usize,
        row: &mut Row,
    ) -> Result<ScannedLine, JsonError> {
        let (bytes, block) = (source.as_ref(), Block::from(source.clone()));
        match self.follow(&block, bytes, start, row) {
            Ok(end) => Ok(ScannedLine::Record(end)),
            Err(followed) => self.scan_on(bytes, followed, row),
        }
    }

    /// Starts the lines of another block.
    pub(super) fn begin_block(&mut self) {
        self.template.begin_block();
    }

    /// Reads the line of `bytes`, which are those of `source`, while it resembles the line before.
    /// Returns the offset of its newline, or the part that matched.
    #[inline(always)]
    pub(super) fn follow(
        &mut self,
        source: &Block,
        bytes: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<usize, TemplateMatch> {
        let fills = self.template.fills(row.slots());
        row.begin_in_keeping(source, fills);
        let (rest, left) =
            self.template.follow(0, bytes, bytes.get(start..).unwrap_or_default(), row);
        // The whole line matched, so nothing else has to be read.
        if rest.starts_with(b"}\n") && if fills { left == 0 } else { left < self.template.len() } {
            return Ok(bytes.len() - rest.len() + 1);
        }
        Err(TemplateMatch {
            start,
            at: bytes.len() - rest.len(),
            keys: self.template.len() - left,
            fills,
        })
    }

    /// Reads the rest of a line, or the whole line, after the template no longer matches.
    #[inline(never)]
    pub(super) fn scan_on(
        &mut self,
        bytes: &[u8],
        followed: TemplateMatch,
        row: &mut Row,
    ) -> Result<ScannedLine, JsonError> {
        if followed.fills {
            self.template.clear_others(followed.keys, row);
        }
        let JsonScanner { fields, depth_max, template, scratch } = self;
        let mut line = Line { bytes, fields, depth_max: *depth_max, row, scratch };
        let at = if followed.keys == 0 { line.space(followed.start) } else { followed.start };
        match line.byte(at) {
            b'{' => {}
            b'\n' => return Ok(ScannedLine::Blank(at)),
            b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                return error("a JSON value that is not an object", at);
            }
            _ => return error("not JSON", at),
        }
        let at = line.record(TemplateMatch { start: at, ..followed }, template)?;
        let at = line.space(at);
        if line.byte(at) == b'\n' {
            Ok(ScannedLine::Record(at))
        } else {
            error("text after the JSON object", at)
        }
    }
}

/// The part of a line that the template matched.
#[derive(Clone, Copy, Debug)]
pub(super) struct TemplateMatch {
    /// The offset of the line.
    start: usize,
    /// The end of the last member that matched.
    at: usize,
    /// The number of members that matched.
    keys: usize,
    /// True if the row was not cleared, because the members of the line before fill all slots.
    fills: bool,
}

/// The line that is being read, and everything that reading it needs.
struct Line<'a> {
    bytes: &'a [u8],
    fields: &'a FieldTree,
    depth_max: usize,
    row: &'a mut Row,
    scratch: &'a mut Scratch,
}

/// A key, up to the first byte of its value.
struct Member {
    node: NodeIndex,
    value_at: usize,
    escaped: bool,
}

impl Line<'_> {
    /// Returns the byte at an offset; a newline at the end of the bytes.
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    /// Returns the first offset from `at` on that is not white space. A newline ends the line, so
    /// it is not white space here.
    #[inline(always)]
    fn space(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    /// Reads the record itself, from the end of the matched part or from its brace, guided by the
    /// template. Returns the offset after the closing brace.
    fn record(
        &mut self,
        followed: TemplateMatch,
        template: &mut Template,
    ) -> Result<usize, JsonError> {
        let root = self.fields.root();
        let guided = !template.is_empty();
        let TemplateMatch { start: open_at, at, mut keys, .. } = followed;
        let (mut at, mut step) = if keys == 0 { (open_at, 0) } else { (at, keys) };
        let mut misses = 0;
        loop {
            if let Some((value_at, node)) = template.value_at(step, self.bytes, at) {
                at = self.value(self.space(value_at), node, 1)?;
                step += 1;
            } else {
                let Some(member) = self.next_member(at, keys == 0, root)? else { break };
                misses += 1;
                step = template.remember(step, keys == 0, self.step_of(at, &member));
                at = self.value(member.value_at, member.node, 1)?;
            }
            let (rest, left) = template.follow(
                step,
                self.bytes,
                self.bytes.get(at..).unwrap_or_default(),
                self.row,
            );
            // The next step is after the last step. It is more than one after it if nothing could
            // be remembered.
            let next = step.max(template.len() - left);
            keys += 1 + next - step;
            (at, step) = (self.bytes.len() - rest.len(), next);
        }
        // A template that misses half of the keys costs more than it saves: learn from the next
        // line.
        if guided && misses * 2 > keys {
            template.clear();
        }
        let at = if keys == 0 { self.space(open_at + 1) } else { self.space(at) };
        Ok(at + 1)
    }

    /// Returns the step to remember for the bytes from `at` to a member's value, if it is useful.
    #[cold]
    fn step_of(&self, at: usize, member: &Member) -> Option<Step> {
        let literal = self.bytes.get(at..member.value_at)?;
        if member.escaped { None } else { Step::new(literal, member.node, self.fields) }
    }

    /// Reads the key of the next member of an object; `None` at the closing brace. `at` is the
    /// offset of the opening brace for the first member, and the offset after the last value for
    /// any other.
    fn next_member(
        &mut self,
        at: usize,
        first: bool,
        node: NodeIndex,
    ) -> Result<Option<Member>, JsonError> {
        let mut at = if first { self.space(at + 1) } else { self.space(at) };
        match self.byte(at) {
            b'}' => return Ok(None),
            b',' if !first => at = self.space(at + 1),
            _ if first => {}
            _ => return error("expected ',' or '}'", at),
        }
        if self.byte(at) != b'"' {
            return error("expected a key in quotes", at);
        }
        let (end, escaped) = string(self.bytes, at + 1)?;
        let key = &self.bytes[at + 1..end];
        let child = if node == NONE {
            NONE
        } else if escaped {
            unescape(key, at + 1, &mut self.scratch.text)?;
            self.fields.child(node, self.scratch.text.as_bytes())
        } else {
            self.fields.child(node, key)
        };
        let colon_at = self.space(end + 1);
        if self.byte(colon_at) != b':' {
            return error("expected ':'", colon_at);
        }
        Ok(Some(Member { node: child, value_at: self.space(colon_at + 1), escaped }))
    }

    /// Reads a value, and keeps it if the node requests it. Returns the offset after it.
    #[inline]
    fn value(&mut self, at: usize, node: NodeIndex, depth: usize) -> Result<usize, JsonError> {
        if node != NONE {
            return self.named_value(at, node, depth);
        }
        match self.byte(at) {
            b'{' | b'[' => self.skip(at, depth),
            _ => scalar(self.bytes, at),
        }
    }

    fn named_value(
        &mut self,
        at: usize,
        node: NodeIndex,
        depth: usize,
    ) -> Result<usize, JsonError> {
        // An earlier value of the same key may have set fields below it.
        for slot in self.fields.slots_below(node) {
            self.row.set_missing(*slot);
        }
        let slots = &self.slots_of(node);
        match self.byte(at) {
            b'"' => {
                let (end, escaped) = string(self.bytes, at + 1)?;
                if escaped {
                    unescape(&self.bytes[at + 1..end], at + 1, &mut self.scratch.text)?;
                    slots.iter().for_each(|slot| self.row.set_unescaped(*slot, &self.scratch.text));
                } else {
                    slots.iter().for_each(|slot| self.row.set_text(*slot, at + 1..end));
                }
                Ok(end + 1)
            }
            b'-' | b'0'..=b'9' => {
                let end = number(self.bytes, at)?;
                slots.iter().for_each(|slot| self.row.set_number(*slot, at..end));
                Ok(end)
            }
            opening @ (b'{' | b'[') => {
                let end = match opening {
                    _ if !self.fields.has_children(node) => self.skip(at, depth)?,
                    b'{' => self.object(at, node, depth)?,
                    _ => self.array(at, node, depth)?,
                };
                slots.iter().for_each(|slot| self.row.set_json(*slot, at..end));
                Ok(end)
            }
            first => {
                let end = scalar(self.bytes, at)?;
                for slot in slots {
                    if first == b'n' {
                        self.row.set_missing(*slot)
                    } else {
                        self.row.set_bool(*slot, first == b't')
                    }
                }
                Ok(end)
            }
        }
    }

    /// Returns the slots that the value of a node fills: its own, and those that have no value yet
    /// of the fields that it stands for.
    fn slots_of(&self, node: NodeIndex) -> SmallVec<[usize; 2]> {
        let fallbacks = self.fields.fallbacks(node).iter();
        let missing = fallbacks.filter(|slot| self.row.value(**slot) == Value::Missing);
        self.fields.slots(node).iter().chain(missing).copied().collect()
    }

    /// Reads an object inside the record if one of its members is requested. It recurses at most to
    /// the depth of the user's own pointers.
    fn object(
        &mut self,
        open_at: usize,
        node: NodeIndex,
        depth: usize,
    ) -> Result<usize, JsonError> {
        self.check_depth(open_at, depth)?;
        let (mut at, mut first) = (open_at, true);
        while let Some(member) = self.next_member(at, first, node)? {
            at = self.value(member.value_at, member.node, depth + 1)?;
            first = false;
        }
        Ok(self.space(at + usize::from(first)) + 1)
    }

    /// Reads an array if one of its elements is requested by index.
    fn array(&mut self, open_at: usize, node: NodeIndex, depth: usize) -> Result<usize, JsonError> {
        self.check_depth(open_at, depth)?;
        let mut at = self.space(open_at + 1);
        if self.byte(at) == b']' {
            return Ok(at + 1);
        }
        for index in 0usize.. {
            at = self.value(at, self.fields.element(node, index), depth + 1)?;
            at = self.space(at);
            match self.byte(at) {
                b',' => at = self.space(at + 1),
                b']' => break,
                _ => return error("expected ',' or ']'", at),
            }
        }
        Ok(at + 1)
    }

    /// Checks and skips a container that is not requested, with an explicit stack.
    fn skip(&mut self, open_at: usize, depth: usize) -> Result<usize, JsonError> {
        self.scratch.nesting.clear();
        let mut at = open_at;
        loop {
            // `at` is the first byte of a value.
            let opening = self.byte(at);
            if matches!(opening, b'{' | b'[') {
                self.check_depth(at, depth + self.scratch.nesting.len())?;
                self.scratch.nesting.push(opening);
                if let Some(next) = self.first_inside(at, opening)? {
                    at = next;
                    continue;
                }
                at = self.space(at + 1);
            } else {
                at = scalar(self.bytes, at)?;
            }
            match self.after_value(at)? {
                (next, true) => return Ok(next),
                (next, false) => at = next,
            }
        }
    }

    /// Returns the offset of the first value inside a container, or `None` if it is empty.
    fn first_inside(&mut self, at: usize, opening: u8) -> Result<Option<usize>, JsonError> {
        if opening == b'{' {
            return Ok(self.next_member(at, true, NONE)?.map(|member| member.value_at));
        }
        let inside = self.space(at + 1);
        Ok((self.byte(inside) != b']').then_some(inside))
    }

    /// Moves to the next value of the open containers and closes containers that end. Returns true
    /// if the outermost one is closed.
    fn after_value(&mut self, mut at: usize) -> Result<(usize, bool), JsonError> {
        loop {
            at = self.space(at);
            match (self.scratch.nesting.last(), self.byte(at)) {
                (Some(b'{'), b',') => {
                    let member = self.next_member(at, false, NONE)?;
                    return Ok((member.map_or(at, |member| member.value_at), false));
                }
                (Some(b'['), b',') => return Ok((self.space(at + 1), false)),
                (Some(b'{'), b'}') | (Some(b'['), b']') => {
                    at += 1;
                    self.scratch.nesting.pop();
                    if self.scratch.nesting.is_empty() {
                        return Ok((at, true));
                    }
                }
                (Some(b'{'), _) => return error("expected ',' or '}'", at),
                _ => return error("expected ',' or ']'", at),
            }
        }
    }

    fn check_depth(&self, at: usize, depth: usize) -> Result<(), JsonError> {
        // The record itself is level one.
        if depth >= self.depth_max { error("nested deeper than the limit", at) } else { Ok(()) }
    }
}
