//! The rules of a Choice.

use serde_json::Value;

use crate::error::{DefinitionError, TaskError};
use crate::reader::Fields;
use crate::scope::Scope;
use crate::template::Template;

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) condition: Template,
    pub(crate) assign: Vec<(String, Template)>,
    pub(crate) output: Option<Template>,
    pub(crate) next: String,
}

impl Rule {
    pub(crate) fn read_all(state: &Fields<'_>) -> Result<Vec<Self>, DefinitionError> {
        let mut rules = Vec::new();
        for (index, rule) in state.list("Choices")?.iter().enumerate() {
            let fields = Fields::of(rule, &state.at(&format!("Choices[{index}]")))?;
            fields.text("Comment")?;
            let condition =
                fields.template("Condition")?.ok_or_else(|| fields.wrong("Condition", "is missing"))?;
            if matches!(&condition, Template::Literal(literal) if !literal.is_boolean()) {
                return Err(
                    fields.wrong("Condition", "must be true, false or an expression between {% and %}")
                );
            }
            let (assign, output) = (fields.assign()?, fields.template("Output")?);
            rules.push(Self { condition, assign, output, next: fields.required_text("Next")? });
            fields.finish()?;
        }
        if rules.is_empty() {
            return Err(state.wrong("Choices", "must have at least one rule"));
        }
        Ok(rules)
    }

    /// Whether the rule applies; a condition gives true or false and nothing else.
    pub(crate) fn applies(&self, scope: &Scope<'_>) -> Result<bool, TaskError> {
        match self.condition.evaluate(scope)? {
            Value::Bool(applies) => Ok(applies),
            other => Err(TaskError::evaluation(format!(
                "A Condition of the state '{}' gave {other}, which is neither true nor false.",
                scope.state_name()
            ))),
        }
    }
}
