//! The beginning of an input: its format, its header, and the decoder of its records.

use crate::adapter::files::blocks::{BLOCK_BYTES, BlockReader, Framing};
use crate::adapter::files::options::FilesOptions;
use crate::adapter::files::source::Input;
use crate::error::{Error, ErrorKind};
use crate::formats::aws_logs::{self, VpcDecoder};
use crate::formats::beginning::Beginning;
use crate::formats::conversion::{Conversion, JsonLinesOf};
use crate::formats::csv::{self, CsvDecoder, Quoting};
use crate::formats::csv_dialect::CsvDialect;
use crate::formats::decode::{Decoder, LineDecoder};
use crate::formats::detect::{self, Detection};
use crate::formats::format::Format;
use crate::formats::json_scan::JsonScanner;
use crate::formats::w3c::{self, W3cDecoder};
use crate::row::Block;

/// An input whose format is known.
pub(super) struct Begun {
    /// `Auto` if there is no record yet.
    pub(super) format: Format,
    pub(super) decoder: Decoder,
    /// How the input is read, if the format is not certain.
    pub(super) note: Option<String>,
}

/// Reads the beginning of a regular file, so that a field missing in its header is reported before
/// any record is read. Damaged bytes are reported later, when they are read.
pub(super) fn check_fields(
    input: &Input,
    options: &FilesOptions,
    fields: &[String],
) -> Result<(), Error> {
    let (Input::Path(path), Some(_)) = (input, input.size_bytes()) else { return Ok(()) };
    let source = Input::Path(path.clone()).open(&options.limits)?;
    let mut reader = BlockReader::new(
        source,
        options.block_bytes.unwrap_or(BLOCK_BYTES),
        options.limits.record_bytes_max,
    );
    if reader.peek().is_err() {
        return Ok(());
    }
    begin(&mut reader, options, fields).map(drop)
}

/// Detects the format of an input, reads its header and creates its decoder.
pub(super) fn begin(
    reader: &mut BlockReader,
    options: &FilesOptions,
    fields: &[String],
) -> Result<Begun, Error> {
    let name = reader.source().name().to_owned();
    let json = || {
        JsonScanner::new(fields, options.limits.json_depth_max)
            .map(|scanner| Decoder::JsonLines(Box::new(scanner)))
    };
    let (is_blank, detected) = detection(reader, options, fields)?;
    // A file without records lacks no field. A file of blank lines has no records, unless the
    // format is plain lines.
    if is_blank && options.format != Format::Lines {
        reader.set_make_block(Block::checked);
        return json()
            .map(|decoder| Begun { format: Format::Auto, decoder, note: None })
            .map_err(|error| error.at(name));
    }
    let (format, note) = match detected {
        Detection::Certain(format) => (format, None),
        Detection::Values => {
            reader.convert(Conversion::Json(JsonLinesOf::default()));
            (Format::JsonLines, None)
        }
        Detection::Lines(reason) => (Format::Lines, Some(reason)),
        Detection::Refused(reason) => {
            return Err(Error::new(ErrorKind::Unsupported, reason).at(name));
        }
    };
    let decoder = decoder(reader, (&format, fields), options.limits.json_depth_max);
    match (decoder, note) {
        (Ok(decoder), note) => {
            let note = note.map(|reason| format!("is read as plain lines: {}", with_flag(reason)));
            Ok(Begun { format, decoder, note })
        }
        (Err(error), None) => Err(error.at(name)),
        (Err(error), Some(reason)) => {
            let message = format!(
                "{}; the input is read as plain lines: {}",
                error.message(),
                with_flag(reason)
            );
            Err(Error::new(error.kind(), message).at(name))
        }
    }
}

/// Returns true if the beginning of an input has records whose format is certain.
pub(super) fn is_certain(
    reader: &mut BlockReader,
    options: &FilesOptions,
    fields: &[String],
) -> Result<bool, Error> {
    let (is_blank, detected) = detection(reader, options, fields)?;
    Ok(!is_blank && !matches!(detected, Detection::Lines(_)))
}

/// Detects the format of an input. Returns true with it if the input has only blank lines.
fn detection(
    reader: &mut BlockReader,
    options: &FilesOptions,
    fields: &[String],
) -> Result<(bool, Detection), Error> {
    look(reader, |beginning| {
        let detected = match &options.format {
            Format::Auto => detect::detect(beginning, fields),
            named => detect::check(beginning, named),
        };
        Ok(detected.map(|detected| (beginning.is_blank() && beginning.is_whole, detected)))
    })
}

/// Returns the reason for reading plain lines, with the flag that chooses another format.
fn with_flag(reason: String) -> String {
    if reason.contains("--format") { reason } else { format!("{reason}; --format names another") }
}

/// Reads more and more of the beginning of the input until `detect` can decide.
fn look<T>(
    reader: &mut BlockReader,
    mut told: impl FnMut(Beginning<'_>) -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let mut seen = 0;
    loop {
        let beginning = reader.peek()?;
        // Only complete lines give more information.
        let is_more =
            beginning.is_all() || memchr::memchr(b'\n', &beginning.bytes[seen..]).is_some();
        seen = beginning.bytes.len();
        if is_more && let Some(found) = told(beginning)? {
            return Ok(found);
        }
        reader.peek_more();
    }
}

/// Creates the decoder of a format, for which it may read the header.
fn decoder(
    reader: &mut BlockReader,
    (format, fields): (&Format, &[String]),
    depth_max: usize,
) -> Result<Decoder, Error> {
    if let Some(dialect) = format.dialect() {
        return csv_decoder(reader, fields, dialect);
    }
    match format {
        // The source says which values are numbers, so few are needed as text.
        Format::JsonLines => reader.set_make_block(Block::checked),
        Format::W3c => {
            let directive = look(reader, w3c::header)?;
            return W3cDecoder::new(&directive, fields).map(Decoder::from);
        }
        Format::Vpc => {
            let header = look(reader, |beginning| Ok(aws_logs::vpc_header(beginning)))?;
            return VpcDecoder::new(header.as_deref(), fields).map(Decoder::from);
        }
        _ => {}
    }
    match Decoder::of_records(format, fields, depth_max)? {
        Some(decoder) => Ok(decoder),
        None => LineDecoder::new(fields).map(Decoder::from),
    }
}

fn csv_decoder(
    reader: &mut BlockReader,
    fields: &[String],
    dialect: CsvDialect,
) -> Result<Decoder, Error> {
    let header = look(reader, |beginning| csv::header(beginning, dialect))?;
    // If no field contains a line end, each line is a record.
    if header.quoting == Quoting::Csv && dialect.quote != Some(0) {
        reader.set_framing(Framing::Csv { syntax: dialect.into() });
    }
    let names = header.names;
    // A file without records lacks no field.
    let fields = if names.is_empty() { &[] } else { fields };
    CsvDecoder::new(&names, fields, dialect.delimiter)
        .map(|decoder| decoder.with_dialect(dialect).with_quoting(header.quoting).into())
}
