//! The bootstrap of the function `format-meta`.

fn main() -> Result<(), lambda_runtime::Error> {
    formatters::run(vendor_formats::META)
}
