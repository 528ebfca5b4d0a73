//! What an expression can see: variables, `$states`, and the context object.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::jsonata::{self, Expression};

/// The variables that are visible from a state. Inner scopes start with a copy, so that what
/// they assign stays inside.
pub(crate) type Variables = BTreeMap<String, Arc<Value>>;

/// Everything that an expression of a state can see.
pub(crate) struct Scope<'a> {
    pub(crate) variables: &'a Variables,
    pub(crate) input: &'a Value,
    pub(crate) context: &'a Value,
    pub(crate) result: Option<&'a Value>,
    pub(crate) error_output: Option<&'a Value>,
}

impl<'a> Scope<'a> {
    pub(crate) fn variable(&self, name: &str) -> Option<&'a Value> {
        self.variables.get(name).map(|value| &**value)
    }

    pub(crate) fn states(&self, expression: &Expression) -> Value {
        let parts = [
            ("input", Some(self.input)),
            ("context", Some(self.context)),
            ("result", self.result),
            ("errorOutput", self.error_output),
        ];
        jsonata::states(expression, &parts)
    }
}
