//! Names that stand twice where they may stand once; a JSON reader keeps only the last of them.

use std::collections::BTreeSet;

use crate::definition::States;

/// The first key that one object of a JSON text has twice.
pub(crate) fn key(json: &str) -> Option<&str> {
    let mut objects = Vec::new();
    let mut rest = json;
    while let Some((at, mark)) = rest.char_indices().find(|(_, c)| matches!(c, '{' | '}' | '"')) {
        rest = rest.get(at + 1..)?;
        match mark {
            '{' => objects.push(BTreeSet::new()),
            '}' => drop(objects.pop()),
            _ => {
                let mut escaped = false;
                let end = rest.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                })?;
                let text = rest.get(..end)?;
                rest = rest.get(end + 1..)?;
                if rest.trim_start().starts_with(':') && !objects.last_mut()?.insert(text) {
                    return Some(text);
                }
            }
        }
    }
    None
}

/// The first name that two states of a machine have, however deep inside of others they are.
pub(crate) fn state<'a>(states: &'a States, seen: &mut BTreeSet<&'a str>) -> Option<&'a str> {
    states.states.iter().find_map(|(name, inner)| {
        if !seen.insert(name) {
            return Some(name.as_str());
        }
        inner.kind.inner().into_iter().find_map(|(_, states)| state(states, seen))
    })
}
