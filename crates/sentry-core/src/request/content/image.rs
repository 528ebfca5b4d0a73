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
    /// Pixels across and down, as its header says.
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
    let source = ImageSource { bytes: bytes_node.text()?.to_owned() };
    Ok(Image { format, source, size })
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
