//! Reading a definition's objects: every field is known, and a wrong one is named by its place.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::error::DefinitionError;
use crate::template::ValueTemplate;

/// An object of a definition that notes which of its fields were asked for.
pub(crate) struct DefinitionFields<'a> {
    object: &'a Map<String, Value>,
    pub(crate) place: String,
    /// The path of this object in its state, such as `Catch[0]/`: AWS names fields with it.
    prefix: String,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> DefinitionFields<'a> {
    pub(crate) fn of(value: &'a Value, place: &str) -> Result<Self, DefinitionError> {
        let object = value.as_object().ok_or_else(|| DefinitionError::new(place, "must be an object"))?;
        Ok(Self { object, place: place.to_owned(), prefix: String::new(), known: RefCell::default() })
    }

    /// An object that is part of a state, such as one of its catchers.
    pub(crate) fn inside<'b>(
        &self,
        value: &'b Value,
        field: &str,
    ) -> Result<DefinitionFields<'b>, DefinitionError> {
        let prefix = format!("{}{field}/", self.prefix);
        Ok(DefinitionFields { prefix, ..DefinitionFields::of(value, &self.at(field))? })
    }

    pub(crate) fn at(&self, field: &str) -> String {
        if self.place.is_empty() { field.to_owned() } else { format!("{}.{field}", self.place) }
    }

    pub(crate) fn wrong(&self, field: &str, message: &str) -> DefinitionError {
        DefinitionError::new(self.at(field), message)
    }

    pub(crate) fn get(&self, field: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(field);
        self.object.get(field)
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<Option<String>, DefinitionError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(field, "must be a string")),
        }
    }

    pub(crate) fn required_text(&self, field: &'static str) -> Result<String, DefinitionError> {
        self.text(field)?.ok_or_else(|| self.wrong(field, "is missing"))
    }

    pub(crate) fn flag(&self, field: &'static str) -> Result<bool, DefinitionError> {
        match self.get(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong(field, "must be true or false")),
        }
    }

    /// A whole number within bounds.
    pub(crate) fn whole(
        &self,
        field: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, DefinitionError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match value.as_u64().filter(|number| bounds.contains(number)) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(field, &out_of(&bounds))),
            },
        }
    }

    pub(crate) fn number(&self, field: &'static str, least: f64) -> Result<Option<f64>, DefinitionError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|number| *number >= least) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(field, &format!("must be a number, at least {least}"))),
            },
        }
    }

    /// A whole number within bounds, or an expression that gives one.
    pub(crate) fn whole_template(
        &self,
        field: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<ValueTemplate>, DefinitionError> {
        let template = self.template(field)?;
        match &template {
            None | Some(ValueTemplate::Expression(_)) => {}
            Some(ValueTemplate::Literal(value))
                if value.as_u64().is_some_and(|number| bounds.contains(&number)) => {}
            Some(_) => return Err(self.wrong(field, &format!("{} or an expression", out_of(&bounds)))),
        }
        Ok(template)
    }

    pub(crate) fn template(&self, field: &'static str) -> Result<Option<ValueTemplate>, DefinitionError> {
        let field_path = format!("{}{field}", self.prefix);
        self.get(field).map(|value| ValueTemplate::parse(value, &self.at(field), &field_path)).transpose()
    }

    pub(crate) fn list(&self, field: &'static str) -> Result<&'a [Value], DefinitionError> {
        match self.get(field) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.wrong(field, "must be an array")),
        }
    }

    pub(crate) fn names(&self, field: &'static str) -> Result<Vec<String>, DefinitionError> {
        let names: Option<Vec<String>> =
            self.list(field)?.iter().map(|name| name.as_str().map(str::to_owned)).collect();
        match names {
            Some(names) if !names.is_empty() => Ok(names),
            _ => Err(self.wrong(field, "must be an array of at least one error name")),
        }
    }

    /// The variables that an `Assign` sets.
    pub(crate) fn assign(&self) -> Result<Vec<(String, ValueTemplate)>, DefinitionError> {
        let Some(value) = self.get("Assign") else { return Ok(Vec::new()) };
        let object = value.as_object().ok_or_else(|| self.wrong("Assign", "must be an object"))?;
        let mut assign = Vec::with_capacity(object.len());
        for (name, value) in object {
            let place = self.at(&format!("Assign.{name}"));
            let mut characters = name.chars();
            let well_formed = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && characters.all(|c| c.is_alphanumeric() || c == '_')
                && name.len() <= 80;
            if !well_formed {
                return Err(DefinitionError::new(
                    place,
                    "is no name of a variable: letters, digits and _, at most 80",
                ));
            }
            if name == "states" {
                return Err(DefinitionError::new(place, "is reserved"));
            }
            assign.push((
                name.clone(),
                ValueTemplate::parse(value, &place, &format!("{}Assign/{name}", self.prefix))?,
            ));
        }
        Ok(assign)
    }

    /// Every field must have been asked for.
    pub(crate) fn finish(self) -> Result<(), DefinitionError> {
        let known = self.known.borrow();
        match self.object.keys().find(|field| !known.contains(field.as_str())) {
            None => Ok(()),
            Some(field)
                if ["InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector"]
                    .contains(&field.as_str()) =>
            {
                Err(self.wrong(field, "belongs to JSONPath; use Arguments, Assign and Output with JSONata"))
            }
            Some(field) => Err(self.wrong(field, "is not a field of this kind of state")),
        }
    }
}

fn out_of(bounds: &RangeInclusive<u64>) -> String {
    format!("must be a whole number from {} to {}", bounds.start(), bounds.end())
}
