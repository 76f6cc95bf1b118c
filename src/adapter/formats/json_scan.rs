//! A single pass over one JSON line that keeps the fields a pipeline names and checks all the rest.
//!
//! What is accepted is what RFC 8259 calls a JSON text whose value is an object, in UTF-8 (checked by the caller, a block at a
//! time), on one line. Nothing is skipped unchecked: a fault in a field that nobody asked for makes the line a dead letter too.
//! - Of a key that occurs twice the last value counts, as in `serde_json::Value`.
//! - A number keeps its text, whatever its size or precision; its range is judged by who uses it.
//! - A string with escapes is unescaped; a lone surrogate is a fault.
//! - An object or array that is itself named yields the text of its raw JSON.
//! - Nesting is bounded by a limit, and what nobody asked for is walked with an explicit stack, so depth costs no machine stack.
//!
//! Two things make it fast in safe code. Strings and numbers are scanned eight bytes at a time in a register (the "is there a
//! zero byte" trick of Mycroft, 1987). And the scanner remembers the keys of the last line in order: where the next line has the
//! same bytes between two values, as machine-written logs do, one masked comparison of 16 bytes replaces the parsing of
//! separator, key and colon and the look-up of the key. Equal bytes are equal tokens, so the guess cannot change the result.

use crate::adapter::formats::json_fields::{FieldTree, NONE, NodeIndex};
use crate::error::Error;
use crate::spec::{Block, Row};
use std::fmt;

/// Keys that are remembered of a line; further ones are looked up.
const STEPS_MAX: usize = 64;
/// Bytes between two values that are remembered; longer keys are looked up.
const LITERAL_BYTES_MAX: usize = 64;
/// How far ahead a key is sought among the remembered ones when optional fields are absent.
const STEPS_AHEAD: usize = 8;

/// Why a line is not a record, and at which byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JsonFlaw {
    /// What is wrong.
    pub what: &'static str,
    /// The offset of the offending byte in the scanned bytes.
    pub at: usize,
}

impl fmt::Display for JsonFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// What a line holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scanned {
    /// A record; the offset is that of the newline, or of the end of the bytes.
    Record(usize),
    /// Nothing but white space, up to this offset.
    Blank(usize),
}

/// Reads the named fields of JSON lines into rows.
///
/// # Example
/// ```
/// use streamgauge::adapter::files::{JsonScanner, Scanned};
/// use streamgauge::spec::{Block, Row, Value};
/// let mut scanner = JsonScanner::new(&["status", "/geo/country"], 128)?;
/// let mut row = Row::new(2);
/// let block = Block::from_vec(br#"{"status": 200, "geo": {"country": "DE"}, "x": [1, 2]}"#.to_vec());
/// assert_eq!(scanner.scan(&block, 0, &mut row), Ok(Scanned::Record(54)));
/// assert_eq!(row.value(0), Value::Number("200"));
/// assert_eq!(row.value(1), Value::Text("DE"));
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonScanner {
    fields: FieldTree,
    depth_max: usize,
    steps: Vec<Step>,
    scratch: Scratch,
}

/// Buffers that are kept from line to line.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// The containers that are open in a value nobody asked for, by their opening byte.
    nesting: Vec<u8>,
    /// A string being unescaped.
    text: String,
}

/// The bytes that stood between two values, and what they mean.
#[derive(Clone, Debug)]
struct Step {
    /// The first 16 bytes as one little-endian word, and which of them count.
    word: u128,
    mask: u128,
    /// The bytes after the sixteenth.
    rest: Box<[u8]>,
    len: usize,
    node: NodeIndex,
    /// The one slot that the value fills, if nothing else hangs on it.
    slot: Option<usize>,
}

impl Step {
    fn new(literal: &[u8], node: NodeIndex, slot: Option<usize>) -> Step {
        let mut word = [0; 16];
        let mut mask = [0; 16];
        let (head, rest) = literal.split_at(literal.len().min(16));
        for ((to, kept), from) in word.iter_mut().zip(&mut mask).zip(head) {
            (*to, *kept) = (*from, 0xff);
        }
        let (word, mask) = (u128::from_le_bytes(word), u128::from_le_bytes(mask));
        Step { word, mask, rest: rest.into(), len: literal.len(), node, slot }
    }

    /// Whether the other step's bytes are the same.
    fn is_same(&self, other: &Step) -> bool {
        (self.word, self.mask, &self.rest) == (other.word, other.mask, &other.rest)
    }

    #[inline]
    fn stands_at(&self, bytes: &[u8], at: usize) -> bool {
        let Some(ahead) = bytes.get(at..) else { return false };
        let Some(head) = ahead.first_chunk::<16>() else { return false };
        (u128::from_le_bytes(*head) ^ self.word) & self.mask == 0 && (self.rest.is_empty() || ahead[16..].starts_with(&self.rest))
    }
}

impl JsonScanner {
    /// A scanner for these fields, in the order of the row's slots: names of members of the record, or RFC 6901 pointers where
    /// they begin with `/`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a malformed pointer or one deeper than `depth_max`.
    pub fn new<S: AsRef<str>>(fields: &[S], depth_max: usize) -> Result<Self, Error> {
        Ok(JsonScanner { fields: FieldTree::new(fields, depth_max)?, depth_max, steps: Vec::new(), scratch: Scratch::default() })
    }

    /// Reads the line of `source` that begins at `start` into `row`, up to a newline or the end of the bytes.
    ///
    /// Cost: one pass over the line; no allocation once the buffers have grown to the largest escaped string.
    ///
    /// # Errors
    /// The flaw of a line that is not a JSON object; the row then holds whatever came before it. The caller looks for the end
    /// of the line itself, and has to check that the line is UTF-8 (the values of one that is not read as empty).
    pub fn scan(&mut self, source: &Block, start: usize, row: &mut Row) -> Result<Scanned, JsonFlaw> {
        row.begin_in(source);
        let JsonScanner { fields, depth_max, steps, scratch } = self;
        let mut line = Line { bytes: source.as_bytes(), fields, depth_max: *depth_max, row, scratch };
        let at = line.space(start);
        match line.byte(at) {
            b'{' => {}
            b'\n' => return Ok(Scanned::Blank(at)),
            b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => return flaw("a JSON value that is not an object", at),
            _ => return flaw("not JSON", at),
        }
        let at = line.record(at, steps)?;
        let at = line.space(at);
        if line.byte(at) == b'\n' { Ok(Scanned::Record(at)) } else { flaw("text after the JSON object", at) }
    }
}

fn flaw<T>(what: &'static str, at: usize) -> Result<T, JsonFlaw> {
    Err(JsonFlaw { what, at })
}

/// The line being read, with all that its reading touches.
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
    /// The byte at an offset; the end of the bytes reads as a newline.
    #[inline(always)]
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b'\n')
    }

    /// The first offset from `at` on that holds no white space. A newline ends the line, so it is none.
    #[inline(always)]
    fn space(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    /// The record itself, from its brace on, guided by the remembered steps; returns the offset after the closing brace.
    fn record(&mut self, open_at: usize, steps: &mut Vec<Step>) -> Result<usize, JsonFlaw> {
        let root = self.fields.root();
        let guided = !steps.is_empty();
        let (mut at, mut keys, mut step, mut misses) = (open_at, 0, 0, 0);
        loop {
            if let Some(guess) = steps.get(step).filter(|guess| guess.stands_at(self.bytes, at)) {
                (at, step) = (self.space(at + guess.len), step + 1);
                at = match guess.slot {
                    Some(slot) => self.leaf(at, guess.node, slot)?,
                    None => self.value(at, guess.node, 1)?,
                };
            } else {
                let Some(member) = self.next_member(at, keys == 0, root)? else { break };
                misses += 1;
                step = remember(steps, step, keys == 0, self.step_of(at, &member));
                at = self.value(member.value_at, member.node, 1)?;
            }
            keys += 1;
        }
        // A template that misses half of the keys is not worth its comparisons: learn anew from the next line.
        if guided && misses * 2 > keys {
            steps.clear();
        }
        let at = if keys == 0 { self.space(open_at + 1) } else { self.space(at) };
        Ok(at + 1)
    }

    /// What to remember of the bytes from `at` up to a member's value, if it is worth it.
    #[cold]
    fn step_of(&self, at: usize, member: &Member) -> Option<Step> {
        let literal = self.bytes.get(at..member.value_at)?;
        if member.escaped || literal.len() > LITERAL_BYTES_MAX {
            return None;
        }
        let slot = if member.node == NONE { None } else { self.fields.only_slot(member.node) };
        Some(Step::new(literal, member.node, slot))
    }

    /// The key of the next member of an object, or `None` at the closing brace. `at` is the offset of the opening brace for the
    /// first member and the offset after the last value for any other.
    fn next_member(&mut self, at: usize, first: bool, node: NodeIndex) -> Result<Option<Member>, JsonFlaw> {
        let mut at = if first { self.space(at + 1) } else { self.space(at) };
        match self.byte(at) {
            b'}' => return Ok(None),
            b',' if !first => at = self.space(at + 1),
            _ if first => {}
            _ => return flaw("expected ',' or '}'", at),
        }
        if self.byte(at) != b'"' {
            return flaw("expected a key in quotes", at);
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
            return flaw("expected ':'", colon_at);
        }
        Ok(Some(Member { node: child, value_at: self.space(colon_at + 1), escaped }))
    }

    /// A value that fills one slot and of which nothing below is named, as most are; returns the offset after it.
    #[inline(always)]
    fn leaf(&mut self, at: usize, node: NodeIndex, slot: usize) -> Result<usize, JsonFlaw> {
        match self.byte(at) {
            b'"' => {
                let stop = string_stop(self.bytes, at + 1);
                if self.bytes.get(stop) == Some(&b'"') {
                    self.row.set_text(slot, at + 1..stop);
                    return Ok(stop + 1);
                }
            }
            b'-' | b'0'..=b'9' => {
                let end = number(self.bytes, at)?;
                self.row.set_number(slot, at..end);
                return Ok(end);
            }
            _ => {}
        }
        self.named_value(at, node, 1)
    }

    /// A value, kept if the node asks for it; returns the offset after it.
    #[inline]
    fn value(&mut self, at: usize, node: NodeIndex, depth: usize) -> Result<usize, JsonFlaw> {
        if node != NONE {
            return self.named_value(at, node, depth);
        }
        match self.byte(at) {
            b'{' | b'[' => self.skip(at, depth),
            _ => scalar(self.bytes, at),
        }
    }

    fn named_value(&mut self, at: usize, node: NodeIndex, depth: usize) -> Result<usize, JsonFlaw> {
        // An earlier value of the same key may have set fields below it.
        for slot in self.fields.slots_below(node) {
            self.row.set_missing(*slot);
        }
        let slots = self.fields.slots(node);
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
                slots.iter().for_each(|slot| self.row.set_text(*slot, at..end));
                Ok(end)
            }
            first => {
                let end = scalar(self.bytes, at)?;
                for slot in slots {
                    if first == b'n' { self.row.set_missing(*slot) } else { self.row.set_bool(*slot, first == b't') }
                }
                Ok(end)
            }
        }
    }

    /// An object below the record of which some member is named. It recurses at most as deep as the user's own pointers go.
    fn object(&mut self, open_at: usize, node: NodeIndex, depth: usize) -> Result<usize, JsonFlaw> {
        self.check_depth(open_at, depth)?;
        let (mut at, mut first) = (open_at, true);
        while let Some(member) = self.next_member(at, first, node)? {
            at = self.value(member.value_at, member.node, depth + 1)?;
            first = false;
        }
        Ok(self.space(at + usize::from(first)) + 1)
    }

    /// An array of which some element is named by its index.
    fn array(&mut self, open_at: usize, node: NodeIndex, depth: usize) -> Result<usize, JsonFlaw> {
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
                _ => return flaw("expected ',' or ']'", at),
            }
        }
        Ok(at + 1)
    }

    /// A container nobody asked for: checked, with an explicit stack, and left.
    fn skip(&mut self, open_at: usize, depth: usize) -> Result<usize, JsonFlaw> {
        self.scratch.nesting.clear();
        let mut at = open_at;
        loop {
            // At the first byte of a value.
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

    /// The offset of the first value inside of a container, or `None` if it is empty.
    fn first_inside(&mut self, at: usize, opening: u8) -> Result<Option<usize>, JsonFlaw> {
        if opening == b'{' {
            return Ok(self.next_member(at, true, NONE)?.map(|member| member.value_at));
        }
        let inside = self.space(at + 1);
        Ok((self.byte(inside) != b']').then_some(inside))
    }

    /// Goes on to the next value of the open containers, closing what ends; `true` once the outermost is closed.
    fn after_value(&mut self, mut at: usize) -> Result<(usize, bool), JsonFlaw> {
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
                (Some(b'{'), _) => return flaw("expected ',' or '}'", at),
                _ => return flaw("expected ',' or ']'", at),
            }
        }
    }

    fn check_depth(&self, at: usize, depth: usize) -> Result<(), JsonFlaw> {
        // The record itself is the first level.
        if depth >= self.depth_max { flaw("nested deeper than the limit", at) } else { Ok(()) }
    }
}

/// Keeps a step that was not where the remembered ones said; returns the index of the step to expect next.
#[cold]
fn remember(steps: &mut Vec<Step>, index: usize, first: bool, new: Option<Step>) -> usize {
    // Only the first step may begin with the brace, and only the first key is ever compared with it, whatever is remembered of
    // that key; otherwise a brace between two values would be taken for a separator.
    let Some(new) = new else { return index.max(1) };
    if first {
        match steps.first_mut() {
            Some(place) => *place = new,
            None => steps.push(new),
        }
        return 1;
    }
    let index = index.max(1);
    if let Some(ahead) = steps.iter().skip(index).take(STEPS_AHEAD).position(|known| known.is_same(&new)) {
        return index + ahead + 1;
    }
    if steps.is_empty() || steps.len() >= STEPS_MAX || index > steps.len() {
        return index;
    }
    steps.insert(index, new);
    index + 1
}

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);
const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// The first offset from `at` on with a quote, a backslash or a control character, or the end.
#[inline(always)]
fn string_stop(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|ahead| ahead.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        // A byte borrows from the next only if it is a hit itself, so the lowest hit is a true one; bytes from 0x80 on are none.
        let hits = (word ^ QUOTES).wrapping_sub(ONES) | (word ^ BACKSLASHES).wrapping_sub(ONES) | word.wrapping_sub(SPACES);
        let hits = hits & !word & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| *byte >= b' ' && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

/// The first offset from `at` on without a digit.
#[inline(always)]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    const OVER_NINE: u64 = u64::from_le_bytes([0x76; 8]);
    while let Some(chunk) = bytes.get(at..).and_then(|ahead| ahead.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk) ^ ZEROS;
        // 0x76 + 10 sets the high bit; a byte carries into the next only if it is a hit itself.
        let hits = (word.wrapping_add(OVER_NINE) | word) & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// A string from the byte after its opening quote: the offset of the closing quote, and whether there are escapes.
#[inline(always)]
fn string(bytes: &[u8], start: usize) -> Result<(usize, bool), JsonFlaw> {
    let at = string_stop(bytes, start);
    match bytes.get(at) {
        Some(b'"') => Ok((at, false)),
        _ => string_with_escapes(bytes, at),
    }
}

fn string_with_escapes(bytes: &[u8], mut at: usize) -> Result<(usize, bool), JsonFlaw> {
    let mut escaped = false;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => (_, at) = escape(bytes, at, 0)?,
            Some(b'\n') | None => return flaw("a string that is not closed", at),
            Some(_) => return flaw("a control character in a string", at),
        }
        escaped = true;
        at = string_stop(bytes, at);
    }
}

/// The character of the escape at `at`, and the offset after it. `base` is added to the offset of a flaw.
fn escape(bytes: &[u8], at: usize, base: usize) -> Result<(char, usize), JsonFlaw> {
    let plain = match bytes.get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(bytes, at, base),
        _ => return flaw("an unknown escape in a string", base + at),
    };
    Ok((plain, at + 2))
}

fn unicode_escape(bytes: &[u8], at: usize, base: usize) -> Result<(char, usize), JsonFlaw> {
    let Some(unit) = hex4(bytes, at + 2) else { return flaw("\\u without four hexadecimal digits", base + at) };
    if let Some(plain) = char::from_u32(unit) {
        return Ok((plain, at + 6));
    }
    // A surrogate: the first half of a pair, with the second right behind it, or nothing.
    let second = if bytes.get(at + 6..at + 8) == Some(b"\\u") { hex4(bytes, at + 8) } else { None };
    match second {
        Some(second @ 0xdc00..=0xdfff) if unit < 0xdc00 => {
            let whole = 0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
            // Two halves in their ranges always make a scalar value.
            Ok((char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER), at + 12))
        }
        _ => flaw("a lone surrogate in a string", base + at),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |unit, byte| Some(unit << 4 | char::from(*byte).to_digit(16)?))
}

/// Writes the text of a checked string into `text`. `base` is where the string begins in the source.
#[cold]
fn unescape(raw: &[u8], base: usize, text: &mut String) -> Result<(), JsonFlaw> {
    text.clear();
    let mut at = 0;
    while at < raw.len() {
        let stop = string_stop(raw, at);
        match raw.get(at..stop).map(std::str::from_utf8) {
            Some(Ok(plain)) => text.push_str(plain),
            _ => return flaw("not UTF-8", base + at),
        }
        at = stop;
        if at < raw.len() {
            let (plain, next) = escape(raw, at, base)?;
            text.push(plain);
            at = next;
        }
    }
    Ok(())
}

/// A string, number or literal; returns the offset after it.
#[inline(always)]
fn scalar(bytes: &[u8], at: usize) -> Result<usize, JsonFlaw> {
    match bytes.get(at) {
        Some(b'"') => Ok(string(bytes, at + 1)?.0 + 1),
        Some(b'-' | b'0'..=b'9') => number(bytes, at),
        Some(b't') => literal(bytes, at, b"true"),
        Some(b'f') => literal(bytes, at, b"false"),
        Some(b'n') => literal(bytes, at, b"null"),
        _ => flaw("expected a value", at),
    }
}

fn literal(bytes: &[u8], at: usize, text: &'static [u8]) -> Result<usize, JsonFlaw> {
    if bytes[at..].starts_with(text) { Ok(at + text.len()) } else { flaw("expected a value", at) }
}

/// A number by the grammar of RFC 8259, section 6; returns the offset after it.
#[inline(always)]
fn number(bytes: &[u8], start: usize) -> Result<usize, JsonFlaw> {
    let first = start + usize::from(bytes.get(start) == Some(&b'-'));
    let end = match bytes.get(first) {
        Some(b'0') => first + 1,
        Some(b'1'..=b'9') => digits_end(bytes, first + 1),
        _ => return flaw("expected a digit", first),
    };
    match bytes.get(end) {
        Some(b'.' | b'e' | b'E') => number_with_fraction(bytes, end),
        _ => Ok(end),
    }
}

fn number_with_fraction(bytes: &[u8], mut at: usize) -> Result<usize, JsonFlaw> {
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = some_digits(bytes, at + 1 + usize::from(signed))?;
    }
    Ok(at)
}

fn some_digits(bytes: &[u8], at: usize) -> Result<usize, JsonFlaw> {
    let end = digits_end(bytes, at);
    if end == at { flaw("expected a digit", at) } else { Ok(end) }
}
