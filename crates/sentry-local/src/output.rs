//! The only place that writes to the terminal.

use std::io::Write as _;

/// Writes a line to standard error. A closed terminal is no reason to stop.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes a line to standard output.
///
/// # Errors
/// The stream is closed or cannot be written.
pub fn line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Draws these lines in the place of as many as were drawn before, and gives how many those are.
///
/// # Errors
/// The terminal is closed or cannot be written.
pub fn redraw(lines: &[String], before: usize) -> std::io::Result<usize> {
    let mut out = std::io::stdout().lock();
    if before > 0 {
        // To the start of the first line of before.
        write!(out, "\x1b[{before}F")?;
    }
    for line in lines {
        writeln!(out, "{line}\x1b[K")?;
    }
    out.flush()?;
    Ok(lines.len())
}
