//! The bootstrap of the function `format-writer`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::WRITER)
}
