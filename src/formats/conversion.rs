//! Conversions of an input into lines of UTF-8, piece by piece: JSON that is not one value per
//! line, and text in UTF-16.

/// A conversion of bytes that come in pieces.
#[derive(Debug)]
pub(crate) enum Conversion {
    Json(JsonLinesOf),
    Utf16(Utf16Text),
}

impl Conversion {
    /// Converts the next piece, and appends the result.
    pub(crate) fn convert(&mut self, piece: &[u8], converted: &mut Vec<u8>) {
        match self {
            Conversion::Json(json) => json.convert(piece, converted),
            Conversion::Utf16(text) => text.convert(piece, converted),
        }
    }

    /// Appends what is left at the end of the input.
    pub(crate) fn finish(&mut self, converted: &mut Vec<u8>) {
        match self {
            // A value that is cut off is a line without an end, which may still grow.
            Conversion::Json(_) => {}
            Conversion::Utf16(text) => text.finish(converted),
        }
    }
}

/// Writes each element of an array, and each of several values one after the other, on a line of
/// its own.
///
/// Nothing is checked: text that is not JSON stays what it is, and becomes a dead letter. A line
/// end in a string, which JSON does not allow, ends the line.
#[derive(Debug, Default)]
pub(crate) struct JsonLinesOf {
    /// Brackets that are open in the current value.
    depth: u64,
    /// True inside of the outermost array.
    in_array: bool,
    in_value: bool,
    in_string: bool,
    escaped: bool,
}

impl JsonLinesOf {
    fn convert(&mut self, piece: &[u8], converted: &mut Vec<u8>) {
        converted.reserve(piece.len());
        for byte in piece {
            self.byte(*byte, converted);
        }
    }

    fn byte(&mut self, byte: u8, converted: &mut Vec<u8>) {
        if self.in_string {
            converted.push(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                (self.in_value, self.in_string) = (true, true);
                converted.push(byte);
            }
            b'[' if !self.in_value && !self.in_array => self.in_array = true,
            b']' if self.depth == 0 && self.in_array => {
                self.end_value(converted);
                self.in_array = false;
            }
            b'{' | b'[' => {
                if self.depth == 0 {
                    // Two objects may stand without anything between them.
                    self.end_value(converted);
                }
                (self.in_value, self.depth) = (true, self.depth + 1);
                converted.push(byte);
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.in_value = true;
                converted.push(byte);
                if self.depth == 0 {
                    self.end_value(converted);
                }
            }
            b',' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => self.end_value(converted),
            // White space between the parts of a value.
            b'\r' | b'\n' => converted.push(b' '),
            other => {
                self.in_value = true;
                converted.push(other);
            }
        }
    }

    fn end_value(&mut self, converted: &mut Vec<u8>) {
        if std::mem::take(&mut self.in_value) {
            converted.push(b'\n');
        }
        (self.in_string, self.escaped) = (false, false);
    }
}

/// Writes text in UTF-16 as UTF-8. A unit that is no character becomes U+FFFD.
#[derive(Debug)]
pub(crate) struct Utf16Text {
    is_big_endian: bool,
    /// The first byte of a unit that is cut off.
    byte: Option<u8>,
    /// The first unit of a pair.
    high: Option<u16>,
}

impl Utf16Text {
    /// Returns the conversion of text that begins with a byte order mark of UTF-16, which becomes
    /// that of UTF-8.
    pub(crate) fn of_mark(bytes: &[u8]) -> Option<Self> {
        let is_big_endian = match bytes {
            // Two zeros after the mark make it that of UTF-32.
            [0xff, 0xfe, 0, 0, ..] => return None,
            [0xff, 0xfe, ..] => false,
            [0xfe, 0xff, ..] => true,
            _ => return None,
        };
        Some(Utf16Text { is_big_endian, byte: None, high: None })
    }

    fn convert(&mut self, piece: &[u8], converted: &mut Vec<u8>) {
        for byte in piece {
            let Some(first) = self.byte.take() else {
                self.byte = Some(*byte);
                continue;
            };
            let unit = match self.is_big_endian {
                true => u16::from_be_bytes([first, *byte]),
                false => u16::from_le_bytes([first, *byte]),
            };
            self.unit(unit, converted);
        }
    }

    fn unit(&mut self, unit: u16, converted: &mut Vec<u8>) {
        let units = [self.high.take(), Some(unit)];
        if units[0].is_none() && matches!(unit, 0xd800..=0xdbff) {
            self.high = Some(unit);
            return;
        }
        for decoded in char::decode_utf16(units.into_iter().flatten()) {
            push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER), converted);
        }
    }

    fn finish(&mut self, converted: &mut Vec<u8>) {
        if self.high.take().is_some() || self.byte.take().is_some() {
            push(char::REPLACEMENT_CHARACTER, converted);
        }
    }
}

fn push(char: char, converted: &mut Vec<u8>) {
    converted.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn converted(mut conversion: Conversion, bytes: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        bytes.chunks(size.max(1)).for_each(|piece| conversion.convert(piece, &mut out));
        conversion.finish(&mut out);
        out
    }

    fn json_lines(bytes: &[u8], size: usize) -> Vec<u8> {
        converted(Conversion::Json(JsonLinesOf::default()), bytes, size)
    }

    #[test]
    fn each_value_gets_a_line() {
        for (text, lines) in [
            ("[{\"a\":1},\n {\"a\":2}]\n", "{\"a\":1}\n{\"a\":2}\n"),
            ("{\"a\":[1,\n2]}{\"b\":\"]}\\\"{\"}", "{\"a\":[1, 2]}\n{\"b\":\"]}\\\"{\"}\n"),
            ("{\"a\":1},\n{\"a\":2},\n", "{\"a\":1}\n{\"a\":2}\n"),
            ("[]", ""),
            ("[1, \"x\",null][{}]", "1\n\"x\"\nnull\n{}\n"),
            ("[{\"a\":", "{\"a\":"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(json_lines(text.as_bytes(), 3)).unwrap(), lines, "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(Value::from),
            "[a-z\"\\\\{}\\[\\], \n]{0,6}".prop_map(Value::from),
            Just(Value::Null)
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec(("[a-z\"]{1,3}", inner), 0..3)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect()))
            ]
        })
    }

    proptest! {
        /// The lines are the elements, however the array is written and cut.
        #[test]
        fn elements_are_those_that_were_written(values in prop::collection::vec(value(), 0..5), pretty: bool, size in 1usize..20) {
            let array = Value::from(values.clone());
            let text = if pretty { serde_json::to_string_pretty(&array) } else { serde_json::to_string(&array) }.unwrap();
            let lines = String::from_utf8(json_lines(text.as_bytes(), size)).unwrap();
            let read: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(read, values);
        }

        /// UTF-16 of either order is the text that was written, in pieces of any size.
        #[test]
        fn utf16_is_the_text_that_was_written(text: String, big: bool, size in 1usize..9) {
            let marked = format!("\u{feff}{text}");
            prop_assume!(big || !text.starts_with('\0'));
            let bytes: Vec<u8> = marked
                .encode_utf16()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            let conversion = Conversion::Utf16(Utf16Text::of_mark(&bytes).unwrap());
            prop_assert_eq!(converted(conversion, &bytes, size), marked.into_bytes());
        }

        #[test]
        fn any_bytes_are_no_danger(bytes: Vec<u8>, near in "[\\[\\]{},\"\\\\ \n1]{0,30}", size in 1usize..9) {
            for bytes in [&bytes[..], near.as_bytes()] {
                prop_assert_eq!(json_lines(bytes, size), json_lines(bytes, 1000));
                if let Some(text) = Utf16Text::of_mark(bytes) {
                    let text = converted(Conversion::Utf16(text), bytes, size);
                    prop_assert!(std::str::from_utf8(&text).is_ok());
                }
            }
        }
    }
}
