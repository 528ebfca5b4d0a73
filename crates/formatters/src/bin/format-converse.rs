//! The bootstrap of the function `format-converse`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::CONVERSE)
}
