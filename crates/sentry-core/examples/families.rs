//! Reads model ids from the standard input, one a line, and writes each with its family, for
//! `infra/prices`. An id that no request can name, or that is opaque, has an empty family.

use std::io::{BufRead, Write};

use sentry_core::model::ModelId;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for id in std::io::stdin().lock().lines() {
        let id = id?;
        let known = ModelId::parse(&id).ok().filter(|model| !model.opaque);
        writeln!(out, "{id}\t{}", known.map(|model| model.family).unwrap_or_default())?;
    }
    Ok(())
}
