//! The bootstrap of the function `format-amazon`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::AMAZON)
}
