//! The rules of a Choice.

use serde_json::Value;

use crate::error::{DefinitionError, StateFailure};
use crate::reader::DefinitionFields;
use crate::scope::Scope;
use crate::template::ValueTemplate;

#[derive(Debug)]
pub(crate) struct ChoiceRule {
    pub(crate) condition: ValueTemplate,
    pub(crate) assign: Vec<(String, ValueTemplate)>,
    pub(crate) output: Option<ValueTemplate>,
    pub(crate) next: String,
}

impl ChoiceRule {
    pub(crate) fn read_all(state: &DefinitionFields<'_>) -> Result<Vec<Self>, DefinitionError> {
        let mut rules = Vec::new();
        for (index, rule) in state.list("Choices")?.iter().enumerate() {
            let fields = state.inside(rule, &format!("Choices[{index}]"))?;
            fields.text("Comment")?;
            let condition =
                fields.template("Condition")?.ok_or_else(|| fields.wrong("Condition", "is missing"))?;
            if matches!(&condition, ValueTemplate::Literal(literal) if !literal.is_boolean()) {
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
    pub(crate) fn applies(&self, scope: &Scope<'_>) -> Result<bool, StateFailure> {
        match self.condition.evaluate(scope)? {
            Value::Bool(applies) => Ok(applies),
            other => Err(self.condition.unexpected("boolean", &other)),
        }
    }
}
