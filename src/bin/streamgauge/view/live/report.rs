//! The page of the windows that are kept.

use crate::view::answers::Answers;
use crate::view::html::{Origin, PageWriter};
use crate::view::kept::Kept;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind};

/// Files of earlier reports that are left as they are.
const FILES_MAX: u32 = 99;

/// Writes the page into a new file of the current folder, and returns what to say about it.
pub(super) fn write(kept: &Kept, origin: &Origin) -> String {
    match written(kept, origin) {
        Ok(name) => format!("note: {name} is written"),
        Err(error) => format!("error: the report cannot be written: {error}"),
    }
}

fn written(kept: &Kept, origin: &Origin) -> io::Result<String> {
    let mut answers = Answers::new(kept.group_names.clone(), kept.columns.clone());
    for (_, answer) in kept.windows().flat_map(|window| window.rows()) {
        answers.take(answer.clone()).map_err(|_| io::Error::other("too many groups"))?;
    }
    let (name, file) = new_file()?;
    PageWriter::of(BufWriter::new(file), answers, origin.clone()).finish()?;
    Ok(name)
}

/// Creates a file that does not exist yet.
fn new_file() -> io::Result<(String, File)> {
    for number in 1..=FILES_MAX {
        let name = match number {
            1 => "report.html".to_owned(),
            number => format!("report-{number}.html"),
        };
        match File::create_new(&name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (name, file)),
        }
    }
    Err(io::Error::other("there are too many reports in this folder"))
}
