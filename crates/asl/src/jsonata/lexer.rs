//! What a JSONata text names, as far as its tokens tell.

/// The text with blanks in the place of strings, regular expressions, quoted names and comments.
pub(super) fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source.chars().peekable();
    while let Some(c) = rest.next() {
        let end = match c {
            '"' | '\'' | '`' => Some(c),
            '/' if rest.peek() == Some(&'*') => {
                rest.next();
                let mut star = false;
                for inside in rest.by_ref() {
                    if star && inside == '/' {
                        break;
                    }
                    star = inside == '*';
                }
                code.push(' ');
                continue;
            }
            // Where an operand may stand, a slash begins a regular expression.
            '/' if operand_may_stand(&code) => Some(c),
            _ => None,
        };
        let Some(end) = end else {
            code.push(c);
            continue;
        };
        while let Some(inside) = rest.next() {
            if inside == '\\' && end != '`' {
                rest.next();
            } else if inside == end {
                break;
            }
        }
        // Something stands here, so that a slash after it divides.
        code.push_str(" _ ");
    }
    code
}

/// Whether the text so far ends where an operand is due.
fn operand_may_stand(code: &str) -> bool {
    let code = code.trim_end();
    let word = code.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    match code.chars().last() {
        None => true,
        Some(last) if last.is_alphanumeric() || last == '_' || last == '$' => {
            matches!(word, "and" | "or" | "in")
        }
        Some(last) => !matches!(last, ')' | ']' | '}' | '%'),
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names behind `$`.
pub(super) fn dollar_names(code: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for after in code.split('$').skip(1) {
        let name: String = after.chars().take_while(|c| is_of_a_name(*c)).collect();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The parts of `$states` that are read by their names; `None` when it is used in another way.
pub(super) fn parts_of_states(code: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for (at, name) in code.match_indices("$states") {
        let rest = code.get(at + name.len()..)?;
        if rest.starts_with(is_of_a_name) {
            continue;
        }
        let part = rest.trim_start().strip_prefix('.')?.trim_start();
        let part: String = part.chars().take_while(|c| is_of_a_name(*c)).collect();
        // A quoted name, or a step that is no name.
        if part.is_empty() || part == "_" {
            return None;
        }
        parts.push(part);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        dollar_names(&code(source))
    }

    #[test]
    fn names_are_found_outside_of_texts_only() {
        assert_eq!(names("$a & '$b' & \"$c\" & $d"), ["a", "d"]);
        assert_eq!(names("$contains($a, /['\"]$b/) and $c"), ["contains", "a", "c"]);
        assert_eq!(names("$a /* it's $b */ + $c"), ["a", "c"]);
        assert_eq!(names("$a / $b / $c"), ["a", "b", "c"]);
        assert_eq!(names("$a.`it's` & $b"), ["a", "b"]);
        assert_eq!(names("x[y] / $a & 'z' / $b"), ["a", "b"]);
    }

    #[test]
    fn parts_of_states_are_found_in_any_writing() {
        let parts = |source: &str| parts_of_states(&code(source));
        assert_eq!(parts("$states.input.a"), Some(vec!["input".to_owned()]));
        assert_eq!(
            parts("$states . input & $states\n.result"),
            Some(vec!["input".to_owned(), "result".to_owned()])
        );
        assert_eq!(parts("$statesman"), Some(vec![]));
        assert_eq!(parts("'$states'"), Some(vec![]));
        for whole in
            ["$states", "$states[\"input\"]", "$states.`input`", "$states.*", "$lookup($states, 'input')"]
        {
            assert_eq!(parts(whole), None, "{whole}");
        }
    }
}
