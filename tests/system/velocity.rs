//! The part of the Velocity Template Language that the template's mapping templates use, and nothing more.
//!
//! Stricter than Velocity: a reference without a value is an error, unless it is a quiet one (`$!x`), and so is
//! every construct that is not read here.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What a mapping template made: a text, the status and the headers that it overrides.
#[derive(Debug, PartialEq)]
pub struct Rendered {
    pub text: String,
    pub status: Option<u64>,
    pub headers: BTreeMap<String, String>,
}

/// Renders a template as API Gateway does, for a body and the context of an authorizer.
pub fn render(template: &str, body: &str, authorizer: &Value) -> Rendered {
    let context = json!({
        "requestId": "request-1", "authorizer": authorizer, "responseOverride": {"header": {}},
    });
    let variables = Map::from_iter([("context".to_owned(), context)]);
    let document = serde_json::from_str(body).unwrap_or(Value::Null);
    let mut machine = Machine { variables, body: body.to_owned(), document };
    let mut reader = Reader { text: template, at: 0 };
    let mut text = String::new();
    assert_eq!(machine.block(&mut reader, &mut text, true), Stop::AtTheEnd, "a directive without its #if");
    let overrides = &machine.variables["context"]["responseOverride"];
    let headers = overrides["header"].as_object().unwrap();
    Rendered {
        text,
        status: overrides["status"].as_u64(),
        headers: headers.iter().map(|(name, value)| (name.clone(), printed(value))).collect(),
    }
}

#[derive(Debug, PartialEq)]
enum Stop {
    AtTheEnd,
    End,
    Else,
    ElseIf,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn next(&mut self, token: &str) -> bool {
        self.blanks();
        self.take(token)
    }

    fn expect(&mut self, token: &str) {
        assert!(self.next(token), "{token:?} expected before {:?}", self.rest().lines().next());
    }

    /// Everything up to a mark, which is taken too.
    fn until(&mut self, mark: char) -> &'a str {
        let end = self.rest().find(mark).unwrap_or_else(|| panic!("{mark} expected"));
        let text = &self.rest()[..end];
        self.at += end + mark.len_utf8();
        text
    }

    fn name(&mut self) -> &'a str {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let length = self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
        let name = &self.rest()[..length];
        assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "a name expected before {name:?}");
        self.at += length;
        name
    }

    /// A directive swallows the end of its line.
    fn end_of_line(&mut self) {
        let _ = self.take("\n");
    }

    /// The parenthesis of a directive that does not run.
    fn skip_parenthesis(&mut self) {
        self.expect("(");
        let (mut depth, mut quote) = (1, None);
        while depth > 0 {
            let next = self.rest().chars().next().unwrap();
            self.at += next.len_utf8();
            match (quote, next) {
                (Some(open), _) if open == next => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(next),
                (None, '(') => depth += 1,
                (None, ')') => depth -= 1,
                _ => {}
            }
        }
    }
}

struct Machine {
    variables: Map<String, Value>,
    body: String,
    document: Value,
}

impl Machine {
    /// Renders up to the directive that ends the block.
    fn block(&mut self, reader: &mut Reader<'_>, out: &mut String, runs: bool) -> Stop {
        loop {
            if reader.rest().is_empty() {
                return Stop::AtTheEnd;
            } else if reader.take("#set") {
                if runs {
                    self.set(reader);
                } else {
                    reader.skip_parenthesis();
                }
                reader.end_of_line();
            } else if reader.take("#if") {
                self.choice(reader, out, runs);
            } else if reader.take("#elseif") {
                return Stop::ElseIf;
            } else if reader.take("#else") {
                reader.end_of_line();
                return Stop::Else;
            } else if reader.take("#end") {
                reader.end_of_line();
                return Stop::End;
            } else if runs && is_reference(reader.rest()) {
                out.push_str(&self.printed_reference(reader));
            } else {
                let next = reader.rest().chars().next().unwrap();
                assert!(!runs || next != '#', "an unknown directive: {:?}", reader.rest().lines().next());
                reader.at += next.len_utf8();
                if runs {
                    out.push(next);
                }
            }
        }
    }

    fn choice(&mut self, reader: &mut Reader<'_>, out: &mut String, runs: bool) {
        let mut done = !runs;
        let mut stop = Stop::ElseIf;
        loop {
            let chosen = match stop {
                Stop::ElseIf if done => {
                    reader.skip_parenthesis();
                    false
                }
                Stop::ElseIf => self.condition(reader),
                Stop::Else => !done,
                Stop::End => return,
                Stop::AtTheEnd => panic!("an #if without #end"),
            };
            if stop == Stop::ElseIf {
                reader.end_of_line();
            }
            done |= chosen;
            stop = self.block(reader, out, chosen);
        }
    }

    fn condition(&mut self, reader: &mut Reader<'_>) -> bool {
        reader.expect("(");
        let value = self.expression(reader);
        reader.expect(")");
        value.as_bool().expect("a condition is true or false")
    }

    fn set(&mut self, reader: &mut Reader<'_>) {
        reader.expect("(");
        reader.expect("$");
        let mut path = vec![reader.name()];
        while reader.take(".") {
            path.push(reader.name());
        }
        reader.expect("=");
        let value = self.expression(reader);
        reader.expect(")");
        // Velocity leaves the variable as it was.
        assert!(
            !value.is_null() || path.len() == 1 && !self.variables.contains_key(path[0]),
            "null set to {path:?}"
        );
        let (last, parents) = path.split_last().unwrap();
        let target =
            parents.iter().fold(&mut self.variables, |map, name| map[*name].as_object_mut().unwrap());
        if parents.first() == Some(&"context") {
            assert!(!target.contains_key(*last), "API Gateway applies an override once: {path:?}");
        }
        target.insert((*last).to_owned(), value);
    }

    fn expression(&mut self, reader: &mut Reader<'_>) -> Value {
        let mut left = self.conjunction(reader);
        while reader.next("||") {
            let right = self.conjunction(reader);
            left = json!(left.as_bool().unwrap() || right.as_bool().unwrap());
        }
        left
    }

    fn conjunction(&mut self, reader: &mut Reader<'_>) -> Value {
        let mut left = self.comparison(reader);
        while reader.next("&&") {
            let right = self.comparison(reader);
            left = json!(left.as_bool().unwrap() && right.as_bool().unwrap());
        }
        left
    }

    fn comparison(&mut self, reader: &mut Reader<'_>) -> Value {
        let left = self.operand(reader);
        if reader.next("==") {
            json!(left == self.operand(reader))
        } else if reader.next("!=") {
            json!(left != self.operand(reader))
        } else {
            left
        }
    }

    fn operand(&mut self, reader: &mut Reader<'_>) -> Value {
        reader.blanks();
        if reader.take("\"") {
            let text = reader.until('"');
            let mut out = String::new();
            let mut inner = Reader { text, at: 0 };
            assert_eq!(self.block(&mut inner, &mut out, true), Stop::AtTheEnd);
            json!(out)
        } else if reader.take("'") {
            json!(reader.until('\''))
        } else if reader.take("{") {
            let mut map = Map::new();
            while !reader.next("}") {
                reader.expect("\"");
                let name = reader.until('"').to_owned();
                reader.expect(":");
                map.insert(name, self.operand(reader));
                let _ = reader.next(",");
            }
            Value::Object(map)
        } else if reader.rest().starts_with('$') {
            self.reference(reader).1
        } else {
            let length = reader.rest().find(|c: char| !c.is_ascii_digit()).unwrap();
            let number = reader.rest()[..length].parse::<u64>().expect("a value");
            reader.at += length;
            json!(number)
        }
    }

    fn printed_reference(&mut self, reader: &mut Reader<'_>) -> String {
        let start = reader.rest();
        let (is_quiet, value) = self.reference(reader);
        assert!(is_quiet || !value.is_null(), "no value for {:?}", start.lines().next());
        printed(&value)
    }

    /// Whether a reference is a quiet one, and its value, null where it has none.
    fn reference(&mut self, reader: &mut Reader<'_>) -> (bool, Value) {
        reader.expect("$");
        let is_quiet = reader.take("!");
        let root = reader.name();
        let mut value = match root {
            "input" | "util" => Value::Null,
            root => self.variables.get(root).cloned().unwrap_or(Value::Null),
        };
        let mut is_first = true;
        while reader.rest().starts_with('.')
            && reader.rest()[1..].starts_with(|c: char| c.is_ascii_alphabetic())
        {
            reader.at += 1;
            let name = reader.name();
            let argument = reader.take("(").then(|| {
                let argument = self.expression(reader);
                reader.expect(")");
                argument
            });
            let text = argument.as_ref().and_then(Value::as_str);
            value = match (root, name, text) {
                ("input", "body", None) if is_first => json!(self.body),
                ("input", "path", Some(path)) if is_first => {
                    self.document.get(path.strip_prefix("$.").unwrap()).cloned().unwrap_or(Value::Null)
                }
                ("util", "base64Encode", Some(text)) if is_first => json!(STANDARD.encode(text)),
                ("util", "parseJson", Some(text)) if is_first => serde_json::from_str(text).unwrap(),
                (_, "get", Some(name)) => value.get(name).cloned().unwrap_or(Value::Null),
                (_, "startsWith", Some(text)) => json!(value.as_str().unwrap().starts_with(text)),
                (_, "contains", Some(text)) => json!(value.as_str().unwrap().contains(text)),
                (_, name, None) if argument.is_none() => value.get(name).cloned().unwrap_or(Value::Null),
                _ => panic!("${root} has no {name}({argument:?})"),
            };
            is_first = false;
        }
        (is_quiet, value)
    }
}

/// Whether a `$` begins a reference.
fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix('$').map(|rest| rest.strip_prefix('!').unwrap_or(rest));
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
