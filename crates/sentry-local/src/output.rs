//! The only place that writes to the terminal.

use std::io::Write as _;

/// Writes a line to standard error. A closed terminal is no reason to stop.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes a line to standard output.
///
/// # Errors
/// Nobody reads any more.
pub fn line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
