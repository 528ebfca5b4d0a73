//! The bootstrap of the function `compare`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(compare::prepare, compare::handle)
}
