//! The bootstrap of the function `format-anthropic`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::ANTHROPIC)
}
