//! The bootstrap of the function `authorize`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(authorize::prepare, authorize::handle)
}
