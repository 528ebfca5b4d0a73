//! `sentry-local`: the whole system on one machine.

use std::process::ExitCode;

use clap::Parser as _;
use sentry_local::cli::{Arguments, run};

/// The engine and the SDKs make and drop many small values: a third of the host's processor time was spent in the
/// allocator of the C library. This one takes about 14 MiB more memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Two threads do: the tables have their own, and everything else waits most of the time.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run(arguments));
            // A thread that waits for standard input would hold the end up.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            sentry_local::output::note(&format!("error: cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}
