//! `streamgauge man` and `streamgauge completions`: the command line for other programs.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::standard_output::StandardOutput;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::Write;

/// Prints a completion script for a shell.
///
/// # Errors
/// Standard output is closed or cannot be written to.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "streamgauge", &mut script);
    print(&script)
}

/// Prints the manual page, with a section for each subcommand.
///
/// # Errors
/// As [`completions`].
pub(crate) fn page() -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    let rendered = Man::new(command.clone()).render(&mut page).and_then(|()| {
        let subcommands = command.get_subcommands().filter(|command| command.get_name() != "help");
        subcommands.cloned().try_for_each(|command| section(command, &mut page))
    });
    rendered.map_err(|error| Failure::output(&error))?;
    print(&page)
}

/// Writes the section of a subcommand.
fn section(command: clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    writeln!(page, ".SH \"STREAMGAUGE {}\"", command.get_name().to_uppercase())?;
    let man = Man::new(command);
    man.render_description_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_options_section(page)?;
    man.render_extra_section(page)
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = StandardOutput::new(&Bar::default())?;
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}
