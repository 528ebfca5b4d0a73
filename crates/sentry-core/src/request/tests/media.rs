use serde_json::{Value, json};

use super::super::*;
use super::{accepted, ask, base64, refused_at, talk};

/// The begin of a PNG of this size; no more of it is read.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x02\0\0\0\0\0\0\0");
    bytes
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend(b"\0\0\0");
    bytes
}

/// A WebP with a canvas, as animated ones have.
fn webp(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0".to_vec();
    bytes.extend(&(width - 1).to_le_bytes()[..3]);
    bytes.extend(&(height - 1).to_le_bytes()[..3]);
    bytes
}

fn frame(marker: u8, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = vec![0xFF, marker, 0, 11, 8];
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend([1, 1, 0x11, 0]);
    bytes
}

/// A segment that holds anything, such as EXIF with its thumbnail.
fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xFF, marker];
    bytes.extend(u16::try_from(data.len() + 2).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

fn jpeg(parts: &[Vec<u8>]) -> Vec<u8> {
    [vec![0xFF, 0xD8], parts.concat()].concat()
}

fn image(format: &str, bytes: &[u8]) -> Value {
    json!({ "image": { "format": format, "source": { "bytes": base64(bytes) } } })
}

fn size(format: &str, bytes: &[u8]) -> (u64, u64) {
    let request = accepted(&ask(&json!([image(format, bytes)])));
    let Block::Image(image) = &request.prompt.messages[0].content.blocks()[0] else { panic!() };
    image.size
}

#[test]
fn the_size_of_a_picture_is_read() {
    assert_eq!(size("png", &png(640, 480)), (640, 480));
    assert_eq!(size("jpeg", &jpeg(&[frame(0xC0, 640, 480)])), (640, 480));
    assert_eq!(size("jpeg", &jpeg(&[frame(0xC2, 8_000, 1)])), (8_000, 1));
    assert_eq!(size("webp", &webp(640, 480)), (640, 480));
    // The frames of a GIF may be larger than the screen that its header tells of.
    assert_eq!(size("gif", &gif(1, 1)), (MAX_IMAGE_EDGE, MAX_IMAGE_EDGE));
}

/// Whichever header a decoder believes, it finds no more than is counted.
#[test]
fn the_largest_of_several_headers_counts() {
    let thumbnail = segment(0xE1, &[b"Exif\0\0".to_vec(), jpeg(&[frame(0xC0, 160, 120)])].concat());
    assert_eq!(size("jpeg", &jpeg(&[thumbnail, frame(0xC0, 640, 480)])), (640, 480));
    assert_eq!(size("jpeg", &jpeg(&[frame(0xC0, 1, 1), frame(0xC2, 640, 480)])), (640, 480));
    // A marker without a length, behind which readers disagree about where the next one begins.
    let hidden = [segment(0xE0, &frame(0xC0, 640, 480)), frame(0xC0, 1, 1)];
    assert_eq!(size("jpeg", &jpeg(&hidden)), (640, 480));
    // Huffman tables and arithmetic conditioning are no frames.
    let tables = [segment(0xC4, &[8, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0]), frame(0xC0, 2, 2)];
    assert_eq!(size("jpeg", &jpeg(&tables)), (2, 2));
    let two = [png(1, 1), png(640, 480)[8..].to_vec()].concat();
    assert_eq!(size("png", &two), (640, 480));
    let two = [png(640, 480), png(u32::MAX, u32::MAX)[8..].to_vec()].concat();
    assert_eq!(size("png", &two), (MAX_IMAGE_EDGE, MAX_IMAGE_EDGE));
}

#[test]
fn malformed_pictures_name_the_field() {
    let source = |source: Value| json!({ "image": { "format": "png", "source": source } });
    let cut = |bytes: Vec<u8>, length: usize| bytes[..length].to_vec();
    for (block, path, words) in [
        (json!({ "image": {} }), ".format", "is missing"),
        (json!({ "image": { "format": "png" } }), ".source", "is missing"),
        (image("bmp", &png(1, 1)), ".format", "use one of \"png\", \"jpeg\", \"gif\", \"webp\""),
        (image("jpg", &png(1, 1)), ".format", "use one of"),
        (source(json!({})), ".source.bytes", "is missing"),
        (source(json!({ "bytes": 1 })), ".source.bytes", "where a text is needed"),
        (source(json!({ "bytes": [137, 80] })), ".source.bytes", "where a text is needed"),
        (source(json!({ "bytes": "" })), ".source.bytes", "is no picture"),
        (source(json!({ "bytes": "iVBORw0KGgo" })), ".source.bytes", "is no base64 text"),
        (source(json!({ "bytes": "iVBO\nRw0K" })), ".source.bytes", "is no base64 text"),
        (source(json!({ "bytes": "data:image/png;base64,iVBO" })), ".source.bytes", "is no base64 text"),
        (source(json!({ "bytes": "_-8=" })), ".source.bytes", "is no base64 text"),
        (image("png", b"%PDF-1.7"), ".source.bytes", "is no picture in the format \"png\""),
        (
            image("png", &gif(1, 1)),
            ".source.bytes",
            "is a picture in the format \"gif\" where `format` says \"png\"",
        ),
        (image("gif", &jpeg(&[frame(0xC0, 1, 1)])), ".source.bytes", "is a picture in the format \"jpeg\""),
        (image("png", &cut(png(9, 9), 20)), ".source.bytes", "does not say how large"),
        (image("gif", &cut(gif(9, 9), 8)), ".source.bytes", "is no picture in the format \"gif\""),
        (image("webp", &cut(webp(9, 9), 26)), ".source.bytes", "does not say how large"),
        (image("jpeg", &jpeg(&[segment(0xE0, b"JFIF and more")])), ".source.bytes", "does not say how large"),
        (
            image("jpeg", &cut(jpeg(&[segment(0xE0, b"JFIF"), frame(0xC0, 9, 9)]), 16)),
            ".source.bytes",
            "does not say how large",
        ),
        (image("png", &png(0, 9)), ".source.bytes", "is a picture of 0 by 9 pixels"),
        (image("png", &png(9, 0)), ".source.bytes", "is a picture of 9 by 0 pixels"),
        (image("png", &png(1 << 31, 1)), ".source.bytes", "is a picture of 2147483648 by 1 pixels"),
        (image("png", &png(u32::MAX, u32::MAX)), ".source.bytes", "each edge has 1 to 8000"),
        (image("png", &png(8_001, 1)), ".source.bytes", "each edge has 1 to 8000"),
        (image("jpeg", &jpeg(&[frame(0xC0, 0, 9)])), ".source.bytes", "each edge has 1 to 8000"),
        (image("gif", &gif(1, 65_535)), ".source.bytes", "each edge has 1 to 8000"),
        (image("webp", &webp(1 << 24, 1)), ".source.bytes", "each edge has 1 to 8000"),
    ] {
        refused_at(&ask(&json!([block])), &format!("prompt.messages[0].content[0].image{path}"), words);
    }
    let mut long = png(9, 9);
    long.resize(MAX_IMAGE_BYTES + 1, 0);
    refused_at(
        &ask(&json!([image("png", &long)])),
        "prompt.messages[0].content[0].image.source.bytes",
        "is a picture of 3750001 bytes, and 3750000 are allowed",
    );
}

#[test]
fn there_is_an_end_to_pictures_with_those_in_results() {
    let pictures = |count: usize| vec![image("png", &png(1, 1)); count];
    let of = |count: usize| {
        talk(&json!([
            { "role": "user", "content": pictures(count) },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "a", "name": "look", "input": {} } }] },
            { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": pictures(2) } }] },
        ]))
    };
    accepted(&of(MAX_IMAGES - 2));
    refused_at(
        &of(MAX_IMAGES - 1),
        "prompt.messages[2].content[0].toolResult.content[1]",
        "at most 20 images",
    );
}

fn document(format: &str, name: &str, bytes: &[u8]) -> Value {
    json!({ "document": { "format": format, "name": name, "source": { "bytes": base64(bytes) } } })
}

fn read_it(documents: &[Value]) -> Value {
    ask(&json!([&[json!({ "text": "Read it." })], documents].concat()))
}

#[test]
fn every_format_is_known_by_its_bytes() {
    for (format, bytes) in [
        ("pdf", b"%PDF-1.7".as_slice()),
        ("docx", b"PK\x03\x04"),
        ("xlsx", b"PK\x03\x04"),
        ("doc", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
        ("xls", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
        ("txt", "größe".as_bytes()),
        ("md", b"# a"),
        ("csv", b"a,b"),
        ("html", b"<p>"),
    ] {
        accepted(&read_it(&[document(format, "a", bytes)]));
        let path = "prompt.messages[0].content[1].document.source.bytes";
        refused_at(&read_it(&[document(format, "a", b"\xFF\0\xFE")]), path, "is no file in the format");
    }
}

#[test]
fn malformed_documents_name_the_field() {
    let with = |field: &str, value: Value| {
        let mut block = document("txt", "a", b"b");
        block["document"][field] = value;
        block
    };
    for (block, path, words) in [
        (json!({ "document": {} }), ".name", "is missing"),
        (json!({ "document": { "name": "a" } }), ".source", "is missing"),
        (json!({ "document": { "name": "a", "source": { "bytes": "YQ==" } } }), ".format", "needs a format"),
        (with("format", json!("odt")), ".format", "use one of txt, md, csv, html, pdf"),
        (with("name", json!("")), ".name", "must have 1 to 200"),
        (with("name", json!("a".repeat(201))), ".name", "must have 1 to 200"),
        (with("name", json!("a.txt")), ".name", "letters, digits, single spaces"),
        (with("name", json!("a  b")), ".name", "single spaces"),
        (with("name", json!("a\nb")), ".name", "letters, digits"),
        (with("name", json!("größe")), ".name", "letters, digits"),
        (with("source", json!({})), ".source", "has none of bytes, text, content"),
        (with("source", json!({ "bytes": "" })), ".source.bytes", "is a file of 0 bytes"),
        (with("source", json!({ "bytes": "*" })), ".source.bytes", "is no base64 text"),
        (with("source", json!({ "text": " " })), ".source.text", "is empty"),
        (with("source", json!({ "text": "a", "bytes": "YQ==" })), ".source", "at once"),
        (with("source", json!({ "content": [] })), ".source.content", "is empty"),
        (with("source", json!({ "content": [{ "text": "" }] })), ".source.content[0].text", "is empty"),
        (with("source", json!({ "content": ["a"] })), ".source.content[0]", "where an object"),
        (with("context", json!("a\u{0}")), ".context", "NUL"),
        (with("citations", json!(true)), ".citations", "where an object"),
        (with("citations", json!({})), ".citations.enabled", "is missing"),
        (with("citations", json!({ "enabled": "yes" })), ".citations.enabled", "where true or false"),
    ] {
        refused_at(&read_it(&[block]), &format!("prompt.messages[0].content[1].document{path}"), words);
    }
}

#[test]
fn documents_have_names_of_their_own_and_a_text_beside_them() {
    let named = |name: &str| document("txt", name, b"b");
    let five: Vec<Value> = ["a", "b", "c", "d", "e"].into_iter().map(named).collect();
    accepted(&read_it(&five));
    let six = [five, vec![named("f")]].concat();
    refused_at(&read_it(&six), "prompt.messages[0].content[6].document", "at most 5 documents");
    let twice = [named("a"), named("a")];
    refused_at(
        &read_it(&twice),
        "prompt.messages[0].content[2].document.name",
        "is the name of another document too",
    );
    refused_at(&ask(&json!([named("a")])), "prompt.messages[0].content[0]", "in a message without a text");
    // Those that a tool gave count, and need no text.
    let given = |name: &str| {
        talk(&json!([
            { "role": "user", "content": [{ "text": "Read it." }, named("a")] },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "a", "name": "look", "input": {} } }] },
            { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": [named(name)] } }] },
        ]))
    };
    accepted(&given("b"));
    refused_at(
        &given("a"),
        "prompt.messages[2].content[0].toolResult.content[0].document.name",
        "is the name of another document too",
    );
}
