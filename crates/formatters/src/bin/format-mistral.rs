//! The bootstrap of the function `format-mistral`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run("mistral")
}
