//! The bootstrap of the function `format-mistral`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::MISTRAL)
}
