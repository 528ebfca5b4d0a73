//! What a JSONata expression names, read from its syntax tree.

use std::collections::BTreeSet;

use jsonata_core::ast::AstNode;
use serde_json::Value;

/// The names in an expression, without their `$`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Variables and functions that it uses.
    pub(crate) used: BTreeSet<String>,
    /// Variables that it sets itself: with `:=`, `@` or `#`, or as a function's parameter.
    pub(crate) bound: BTreeSet<String>,
    /// The parts of `$states` that it reads by a plain path.
    parts: BTreeSet<String>,
    /// It uses `$states` in another way, and so may read all of it.
    whole: bool,
}

impl Names {
    pub(super) fn of(tree: &AstNode) -> Result<Self, serde_json::Error> {
        let mut names = Self::default();
        names.walk(&serde_json::to_value(tree)?);
        Ok(names)
    }

    /// Whether the expression may read a part of the reserved `$states`.
    pub(super) fn reads(&self, part: &str) -> bool {
        self.whole || self.parts.contains(part)
    }

    /// In the serialized tree the keys are kinds of nodes and their fields, never text of the expression.
    fn walk(&mut self, node: &Value) {
        match node {
            Value::Array(nodes) => nodes.iter().for_each(|node| self.walk(node)),
            Value::Object(fields) => fields.iter().for_each(|(kind, inner)| self.node(kind, inner)),
            _ => {}
        }
    }

    fn node(&mut self, kind: &str, inner: &Value) {
        match (kind, inner) {
            ("Variable", Value::String(name)) => {
                self.whole |= name == "states";
                self.used.insert(name.clone());
            }
            ("Function", _) => self.used.extend(inner["name"].as_str().map(str::to_owned)),
            ("focus" | "index_var" | "Index", Value::String(name)) => {
                self.bound.insert(name.clone());
            }
            ("params", Value::Array(names)) => {
                self.bound.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            ("Binary", _) if inner["op"] == "ColonEqual" => {
                self.bound.extend(inner["lhs"]["Variable"].as_str().map(str::to_owned));
            }
            ("steps", Value::Array(steps)) => {
                if let Some((part, rest)) = part_of_states(steps) {
                    self.used.insert("states".to_owned());
                    self.parts.insert(part.to_owned());
                    return rest.iter().for_each(|step| self.walk(step));
                }
            }
            _ => {}
        }
        self.walk(inner);
    }
}

/// The part that a path reads which starts with `$states.<part>`, and the steps from there on.
fn part_of_states(steps: &[Value]) -> Option<(&str, &[Value])> {
    let (first, rest) = steps.split_first()?;
    let plain = first["node"]["Variable"] == "states" && first["stages"].as_array().is_none_or(Vec::is_empty);
    let part = rest.first()?["node"]["Name"].as_str()?;
    (plain && first["focus"].is_null() && first["index_var"].is_null()).then_some((part, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Names {
        Names::of(&jsonata_core::parser::parse(source).unwrap()).unwrap()
    }

    #[test]
    fn names_are_found_outside_of_texts_only() {
        for (source, expected) in [
            ("$a & '$b' & \"$c\" & $d", "a d"),
            ("$contains($a, /['\"]$b/) and $c", "a c contains"),
            ("$a /* it's $b */ + $c", "a c"),
            ("$a / $b / $c", "a b c"),
            ("$a.`it's` & $b", "a b"),
            ("x[y] / $a & 'z' / $b", "a b"),
            ("$a.* / $b", "a b"),
            ("$a.and / $b", "a b"),
            ("$map($a, $b)^(>$c)", "a b c map"),
            ("$a ~> |$b|{'x': $c}|", "a b c"),
        ] {
            let used: Vec<_> = names(source).used.into_iter().collect();
            assert_eq!(used.join(" "), expected, "{source}");
        }
    }

    #[test]
    fn what_an_expression_sets_itself_is_told_apart() {
        for (source, expected) in [
            ("($a := 1; $a + $b)", "a"),
            ("$map($b, function ( $v , $i ) { $v + $i })", "i v"),
            ("$map($b, \u{3bb}($v) { $v })", "v"),
            ("$b & '$c := 1 function($d)'", ""),
            ("$b.x@$v.y#$i", "i v"),
        ] {
            let bound: Vec<_> = names(source).bound.into_iter().collect();
            assert_eq!(bound.join(" "), expected, "{source}");
        }
    }

    #[test]
    fn parts_of_states_are_found_in_any_writing() {
        for (source, expected) in [
            ("$states.input.a", "input"),
            ("$states . input & $states\n./* ' */result[0]", "input result"),
            ("$states.`input`", "input"),
            ("$statesman", ""),
            ("'$states'", ""),
            ("$states.input[$states.context.x = 1]", "context input"),
        ] {
            let names = names(source);
            let parts: Vec<_> = names.parts.into_iter().collect();
            assert_eq!((parts.join(" ").as_str(), names.whole), (expected, false), "{source}");
        }
        for whole in
            ["$states", "$states[\"input\"]", "$states.*", "$lookup($states, 'input')", "$states ~> $keys()"]
        {
            assert!(names(whole).whole, "{whole}");
        }
    }
}
