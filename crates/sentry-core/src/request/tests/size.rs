use serde_json::{Value, json};

use super::super::*;
use super::{ask, base64, conversation, media, refused, talk, tool};

#[test]
fn a_request_past_the_limit_says_its_size() {
    let fits = conversation(&[("user", &"x".repeat(199_000))]);
    Request::parse(&fits).unwrap();
    let error = refused(&conversation(&[("user", &"x".repeat(200_001))]));
    let RequestErrorKind::RequestTooLarge { bytes, limit, .. } = error.kind else { panic!("{error:?}") };
    assert!(bytes > limit && limit == MAX_ESCAPED_BYTES);
    let named = SentryError::from(error);
    assert_eq!(named.name, ErrorName::RequestTooLarge);
    assert_eq!(
        (named.details["bytes"].as_u64(), named.details["limit"].as_u64()),
        (Some(bytes), Some(limit))
    );
    // Line breaks and quotation marks grow when they are escaped twice.
    Request::parse(&conversation(&[("user", &"\"x\n".repeat(20_000))])).unwrap();
    assert!(Request::parse(&conversation(&[("user", &"\"x\n".repeat(30_000))])).is_err());
}

/// The path and the bytes of the part that an error blames, and the error's sentence.
fn blamed(document: &Value) -> (String, u64, String) {
    let named = SentryError::from(refused(document));
    assert_eq!(named.name, ErrorName::RequestTooLarge);
    let text = |field: &str| named.details[field].as_str().unwrap().to_owned();
    let bytes = named.details["pathBytes"].as_u64().unwrap();
    assert!(named.message.contains(&format!("`{}` with {bytes} bytes", text("path"))), "{}", named.message);
    (text("path"), bytes, named.message)
}

#[test]
fn the_largest_part_is_named_with_its_bytes_and_what_to_do() {
    let long = "x".repeat(150_000);
    let (path, bytes, message) =
        blamed(&conversation(&[("user", &"y".repeat(60_000)), ("assistant", &long)]));
    assert_eq!((path.as_str(), bytes), ("prompt.messages[1].content", 150_006));
    assert!(message.contains("shorten it or send fewer messages"), "{message}");

    let mut picture = media::png(9, 9);
    picture.resize(150_000, 0);
    let picture = json!({ "image": { "format": "png", "source": { "bytes": base64(&picture) } } });
    let (path, _, message) = blamed(&ask(&json!([{ "text": "What is it?" }, picture])));
    assert_eq!(path, "prompt.messages[0].content[1]");
    assert!(message.contains("scale the picture down") && message.contains("148000 bytes"), "{message}");

    let result = |part: &Value| {
        talk(&json!([
            { "role": "user", "content": "Look." },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "a", "name": "look", "input": {} } }] },
            { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": [{ "text": "b" }, part] } }] },
        ]))
    };
    let inside = "prompt.messages[2].content[0].toolResult.content[1]";
    let (path, _, message) = blamed(&result(&picture));
    assert_eq!(path, inside);
    assert!(message.contains("scale the picture down"), "{message}");
    let file = json!({ "document": { "format": "txt", "name": "a", "source": { "bytes": base64(&[b'x'; 150_000]) } } });
    let (path, _, message) = blamed(&result(&file));
    assert_eq!(path, inside);
    assert!(message.contains("send less of the file"), "{message}");
    let (path, _, message) = blamed(&result(&json!({ "json": { "rows": "x".repeat(200_000) } })));
    assert_eq!(path, inside);
    assert!(message.contains("shorten it"), "{message}");

    let (path, _, message) = blamed(&ask(&json!([{ "text": "Read it." }, file])));
    assert_eq!(path, "prompt.messages[0].content[1]");
    assert!(message.contains("send less of the file"), "{message}");

    // A megabyte of a tool's input.
    let input = json!({ "toolUseId": "a", "name": "look", "input": { "text": "x".repeat(1_000_000) } });
    let (path, bytes, _) = blamed(&talk(&json!([
        { "role": "user", "content": "Look." },
        { "role": "assistant", "content": [{ "toolUse": input }] },
        { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": [] } }] },
    ])));
    assert_eq!(path, "prompt.messages[1].content[0]");
    assert!(bytes > 1_000_000);

    let mut document = ask(&json!("x"));
    let mut described = tool("b");
    described["toolSpec"]["description"] = json!(long);
    document["prompt"]["tools"] = json!([tool("a"), described]);
    document["prompt"]["messages"][0]["content"] = json!("x".repeat(60_000));
    let (path, _, message) = blamed(&document);
    assert_eq!(path, "prompt.tools[1]");
    assert!(message.contains("send fewer tools"), "{message}");

    let mut document = ask(&json!("x".repeat(60_000)));
    document["inference"]["responseFormat"] = json!({ "schema": {}, "description": long });
    let (path, _, message) = blamed(&document);
    assert_eq!(path, "inference.responseFormat");
    assert!(message.contains("schemas"), "{message}");
}

/// What an error tells people fits, does.
#[test]
fn the_picture_that_an_error_promises_to_fit_fits() {
    let mut picture = media::png(9, 9);
    picture.resize(148_000, 0);
    let picture = json!({ "image": { "format": "png", "source": { "bytes": base64(&picture) } } });
    Request::parse(&ask(&json!([{ "text": "What is it?" }, picture]))).unwrap();
}
