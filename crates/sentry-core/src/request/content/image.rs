//! Pictures: base64 text, of which only the header is read.

use serde::Serialize;

use super::super::RequestError;
use super::super::reader::{Node, quoted};

/// Bytes of one picture, as Bedrock has it (3.75 MB).
pub const MAX_IMAGE_BYTES: usize = 3_750_000;
/// Pixels along the longer edge of a picture, as Bedrock has it. It also bounds what decoding
/// a picture can take.
pub const MAX_IMAGE_EDGE: u64 = 8_000;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// `png`, `jpeg`, `gif` or `webp`.
    pub format: &'static str,
    /// Its bytes.
    pub source: ImageSource,
    /// Pixels across and down at most, as its headers say.
    #[serde(skip)]
    pub size: (u64, u64),
}

/// Where a picture is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageSource {
    /// In the request, as base64 text.
    pub bytes: String,
}

pub(super) fn read(node: &Node<'_>) -> Result<Image, RequestError> {
    let fields = node.object(&["format", "source"])?;
    let format_node = fields.required("format")?;
    let format = match format_node.text()? {
        "png" => "png",
        "jpeg" => "jpeg",
        "gif" => "gif",
        "webp" => "webp",
        other => {
            return Err(format_node
                .wrong(format!("is {}; use one of \"png\", \"jpeg\", \"gif\", \"webp\"", quoted(other))));
        }
    };
    let source = fields.required("source")?;
    let bytes_node = source.object(&["bytes"])?.required("bytes")?;
    let bytes = bytes_node.base64()?;
    if bytes.len() > MAX_IMAGE_BYTES {
        return Err(bytes_node.wrong(format!(
            "is a picture of {} bytes, and {MAX_IMAGE_BYTES} are allowed; make it smaller",
            bytes.len()
        )));
    }
    let found = imagesize::image_type(&bytes).ok().and_then(name_of);
    if found != Some(format) {
        return Err(bytes_node.wrong(match found {
            Some(found) => format!("is a picture in the format \"{found}\" where `format` says \"{format}\""),
            None => format!("is no picture in the format \"{format}\""),
        }));
    }
    let size = imagesize::blob_size(&bytes).map_err(|_| {
        bytes_node.wrong(format!("is a \"{format}\" whose header does not say how large the picture is"))
    })?;
    let size = (size.width as u64, size.height as u64);
    if size.0 == 0 || size.1 == 0 || size.0.max(size.1) > MAX_IMAGE_EDGE {
        return Err(bytes_node.wrong(format!(
            "is a picture of {} by {} pixels; each edge has 1 to {MAX_IMAGE_EDGE}",
            size.0, size.1
        )));
    }
    let size = largest_size(format, &bytes, size);
    let source = ImageSource { bytes: bytes_node.text()?.to_owned() };
    Ok(Image { format, source, size })
}

/// The largest size that any decoder could find in a picture.
///
/// A file can have several headers, and decoders differ in which of them they believe. So each
/// that stands anywhere in the file counts; only the price of a picture that was made to mislead
/// rises by that. The frames of a GIF may be larger than its header says, which is no bound.
fn largest_size(format: &str, bytes: &[u8], first: (u64, u64)) -> (u64, u64) {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    let found = |header: &[u8]| match (format, header) {
        ("png", [b'I', b'H', b'D', b'R', size @ ..]) => Some((number(&size[..4]), number(&size[4..8]))),
        // A frame header: its marker, which is none of three others in that range, then the
        // length, 8 or 12 bits for each sample, height, width.
        ("jpeg", [0xFF, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF, _, _, 8 | 12, size @ ..]) => {
            Some((number(&size[2..4]), number(&size[..2])))
        }
        _ => None,
    };
    match format {
        "gif" => (MAX_IMAGE_EDGE, MAX_IMAGE_EDGE),
        _ => bytes.windows(12).filter_map(found).fold(first, |largest, size| {
            (largest.0.max(size.0.min(MAX_IMAGE_EDGE)), largest.1.max(size.1.min(MAX_IMAGE_EDGE)))
        }),
    }
}

fn name_of(kind: imagesize::ImageType) -> Option<&'static str> {
    match kind {
        imagesize::ImageType::Png => Some("png"),
        imagesize::ImageType::Jpeg => Some("jpeg"),
        imagesize::ImageType::Gif => Some("gif"),
        imagesize::ImageType::Webp => Some("webp"),
        _ => None,
    }
}
