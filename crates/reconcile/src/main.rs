//! The bootstrap of the function `reconcile`.

fn main() -> Result<(), lambda_runtime::Error> {
    sentry_lambda::run(reconcile::prepare, reconcile::handle)
}
