//! JSON schemas: which ones the models take as a grammar, and the smallest document that fits one.

use serde_json::{Map, Value, json};

/// Deeper than any schema that a model takes; a recursive one ends here.
const MAX_DEPTH: usize = 32;

/// Why a schema cannot guide an answer, in the models' words; nothing when it can.
///
/// `claude` has rules of its own: neither recursion nor bounds of numbers, texts and lists.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>
#[must_use]
pub fn refusal(schema: &Value, claude: bool) -> Option<String> {
    if !schema.is_object() {
        return Some("Input should be a valid dictionary".to_owned());
    }
    refusal_of(schema, claude).or_else(|| {
        (claude && expands_forever(schema, schema, 0))
            .then(|| "Recursive schemas are not supported".to_owned())
    })
}

fn refusal_of(schema: &Value, claude: bool) -> Option<String> {
    let map = schema.as_object()?;
    let is = |kind: &str| match &map.get("type") {
        Some(Value::String(name)) => name == kind,
        Some(Value::Array(names)) => names.iter().any(|name| name == kind),
        _ => false,
    };
    if (is("object") || map.contains_key("properties"))
        && map.get("additionalProperties") != Some(&Value::Bool(false))
    {
        return Some("For 'object' type, 'additionalProperties' must be explicitly set to false".to_owned());
    }
    if claude {
        for (kind, keys) in [
            ("number", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"][..]),
            ("integer", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
            ("string", &["minLength", "maxLength"]),
            ("array", &["maxItems", "uniqueItems"]),
        ] {
            let found: Vec<&str> = keys.iter().copied().filter(|key| map.contains_key(*key)).collect();
            if is(kind) && !found.is_empty() {
                return Some(format!("For '{kind}' type, properties {} are not supported", found.join(", ")));
            }
        }
        if map.get("minItems").and_then(Value::as_u64).is_some_and(|least| least > 1) {
            return Some(
                "For 'array' type, 'minItems' values other than 0 or 1 are not supported".to_owned(),
            );
        }
    }
    children(map).find_map(|child| refusal_of(child, claude))
}

/// The schemas inside this one.
fn children(map: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let named = ["properties", "$defs", "definitions"]
        .into_iter()
        .filter_map(|key| map.get(key)?.as_object())
        .flat_map(|inner| inner.values());
    let listed = ["anyOf", "oneOf", "allOf", "prefixItems"]
        .into_iter()
        .filter_map(|key| map.get(key)?.as_array())
        .flatten();
    named.chain(listed).chain(map.get("items"))
}

fn target<'a>(root: &'a Value, schema: &Value) -> Option<&'a Value> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}

fn expands_forever(root: &Value, schema: &Value, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return true;
    }
    if let Some(target) = target(root, schema) {
        return expands_forever(root, target, depth + 1);
    }
    schema.as_object().is_some_and(|map| {
        let definitions = ["$defs", "definitions"].into_iter().filter_map(|key| map.get(key)?.as_object());
        let skipped: Vec<&Value> = definitions.flat_map(|inner| inner.values()).collect();
        children(map)
            .filter(|child| !skipped.iter().any(|other| std::ptr::eq(*other, *child)))
            .any(|child| expands_forever(root, child, depth + 1))
    })
}

/// The smallest document that satisfies a schema, as far as its keywords are known here.
#[must_use]
pub fn instance(schema: &Value) -> Value {
    instance_of(schema, schema, 0)
}

fn instance_of(root: &Value, schema: &Value, depth: usize) -> Value {
    let Some(map) = schema.as_object().filter(|_| depth <= MAX_DEPTH) else {
        return Value::Null;
    };
    if let Some(target) = target(root, schema) {
        return instance_of(root, target, depth + 1);
    }
    if let Some(value) = map.get("const").or_else(|| map.get("enum")?.get(0)).or_else(|| map.get("default")) {
        return value.clone();
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(first) = map.get(key).and_then(|choices| choices.get(0)) {
            return instance_of(root, first, depth + 1);
        }
    }
    if let Some(parts) = map.get("allOf").and_then(Value::as_array) {
        let mut whole = Map::new();
        for part in parts {
            match instance_of(root, part, depth + 1) {
                Value::Object(part) => whole.extend(part),
                other if parts.len() == 1 => return other,
                _ => {}
            }
        }
        return Value::Object(whole);
    }
    let kind = match map.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
        _ if map.contains_key("properties") => "object",
        _ if map.contains_key("items") => "array",
        _ => "object",
    };
    match kind {
        "object" => object(root, map, depth),
        "array" => {
            let least = map.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(1_000);
            let item = map.get("items").map_or(Value::Null, |item| instance_of(root, item, depth + 1));
            Value::Array((0..least).map(|_| item.clone()).collect())
        }
        "string" => json!(string(map)),
        "integer" => json!(integer(map)),
        "number" => number(map),
        "boolean" => json!(false),
        _ => Value::Null,
    }
}

fn object(root: &Value, map: &Map<String, Value>, depth: usize) -> Value {
    let mut document = Map::new();
    for name in map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        let property = map.get("properties").and_then(|properties| properties.get(name));
        let value = property.map_or(Value::Null, |property| instance_of(root, property, depth + 1));
        document.insert(name.to_owned(), value);
    }
    Value::Object(document)
}

fn string(map: &Map<String, Value>) -> String {
    let text = match map.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some("time") => "00:00:00Z",
        Some("duration") => "PT1S",
        Some("email") => "someone@example.com",
        Some("hostname") => "example.com",
        Some("uri") => "https://example.com/",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "simulated",
    };
    let bound =
        |key: &str| map.get(key).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    let least = bound("minLength").unwrap_or(0).min(100_000);
    let mut text: String = text.chars().take(bound("maxLength").unwrap_or(usize::MAX)).collect();
    while text.chars().count() < least {
        text.push('x');
    }
    text
}

fn integer(map: &Map<String, Value>) -> i64 {
    let bound = |key: &str| map.get(key).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
    let step = bound("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let start = 0.clamp(least.unwrap_or(i64::MIN), most.unwrap_or(i64::MAX).max(least.unwrap_or(i64::MIN)));
    match start.rem_euclid(step) {
        0 => start,
        over => start.saturating_add(step - over),
    }
}

fn number(map: &Map<String, Value>) -> Value {
    let bound = |key: &str| map.get(key).and_then(Value::as_f64);
    if let Some(least) = bound("minimum").filter(|least| *least > 0.0) {
        return json!(least);
    }
    if let Some(least) = bound("exclusiveMinimum").filter(|least| *least >= 0.0) {
        let most = bound("maximum").or_else(|| bound("exclusiveMaximum")).unwrap_or(least + 2.0);
        return json!(f64::midpoint(least, most));
    }
    match bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - 1.0)) {
        Some(most) if most < 0.0 => json!(most),
        _ => json!(0),
    }
}
