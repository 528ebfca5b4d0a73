//! What a child writes: read at once, so that the child never blocks on it.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

/// How much of the standard error is kept for the message about a crash.
const TAIL_BYTES: usize = 4096;
/// A longer line is shown in pieces.
const LINE_BYTES: usize = 8192;

/// The last bytes that a child wrote to its standard error.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(bytes);
        let excess = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..excess);
    }

    /// As text, without the white space around it.
    pub(super) fn text(&self) -> String {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(tail.make_contiguous()).trim().to_owned()
    }
}

/// Reads until the end. With `label`, lines go to our standard error behind it.
pub(super) fn drain(
    reader: Option<impl AsyncRead + Send + Unpin + 'static>,
    label: Option<String>,
    tail: Option<Tail>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(mut reader) = reader else { return };
        let mut buffer = [0; 1024];
        let mut line = Vec::new();
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            let bytes = &buffer[..count];
            if let Some(tail) = &tail {
                tail.push(bytes);
            }
            if let Some(label) = &label {
                for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                    line.extend_from_slice(piece);
                    if line.ends_with(b"\n") || line.len() >= LINE_BYTES {
                        show(label, &mut line);
                    }
                }
            }
        }
        if let Some(label) = &label
            && !line.is_empty()
        {
            show(label, &mut line);
        }
    })
}

/// Writes one line at once, so that lines of different children do not mix.
fn show(label: &str, line: &mut Vec<u8>) {
    let mut out = format!("{label}: ").into_bytes();
    out.append(line);
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    // When our own standard error cannot be written, the failure cannot be reported anywhere.
    let _ = std::io::stderr().lock().write_all(&out);
}
