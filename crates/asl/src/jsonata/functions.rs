//! The functions that Step Functions adds to JSONata, and `$eval`, which it removes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;
use sha2::{Digest, Sha256, Sha384, Sha512};

thread_local! {
    static RANDOM: RefCell<fastrand::Rng> = RefCell::new(fastrand::Rng::new());
}

/// Adds the functions of Step Functions that an expression names, and refuses `$eval`.
pub(super) fn register(evaluator: &mut Evaluator, names: &BTreeSet<String>) -> Result<(), EvaluatorError> {
    for name in names {
        match name.as_str() {
            "parse" => evaluator.register_fn("parse", parse)?,
            "uuid" => evaluator.register_fn("uuid", |_: &[JValue]| Ok(JValue::from(uuid())))?,
            "hash" => evaluator.register_fn("hash", hash)?,
            "partition" => evaluator.register_fn("partition", partition)?,
            "range" => evaluator.register_fn("range", range)?,
            "random" => evaluator.register_fn_override("random", random)?,
            "eval" => evaluator.register_fn_override("eval", |_: &[JValue]| {
                refuse("$eval is not supported; use $parse for JSON")
            })?,
            _ => {}
        }
    }
    Ok(())
}

fn refuse<T>(message: impl Into<String>) -> Result<T, EvaluatorError> {
    Err(EvaluatorError::EvaluationError(message.into()))
}

fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    match arguments.first() {
        Some(JValue::Undefined) | None => Ok(JValue::Undefined),
        Some(value) => match value.as_str() {
            Some(text) => JValue::from_json_str(text).or_else(|_| refuse("$parse was given what is no JSON")),
            None => refuse("$parse takes a string"),
        },
    }
}

fn uuid() -> String {
    let bits = RANDOM.with_borrow_mut(|random| random.u128(..));
    let bits = (bits & !(0xF_u128 << 76) & !(0b11_u128 << 62)) | (0x4_u128 << 76) | (0b10_u128 << 62);
    let hex = format!("{bits:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn hash(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [data, algorithm] = arguments else { return refuse("$hash takes data and an algorithm") };
    let Some(algorithm) = algorithm.as_str() else { return refuse("the algorithm of $hash is a string") };
    let data = match data.as_str() {
        Some(text) => text.to_owned(),
        None => data.to_json_string().or_else(|_| refuse("$hash takes JSON"))?,
    };
    let digest: Vec<u8> = match algorithm {
        "SHA-256" => Sha256::digest(data).to_vec(),
        "SHA-384" => Sha384::digest(data).to_vec(),
        "SHA-512" => Sha512::digest(data).to_vec(),
        other => {
            return refuse(format!(
                "$hash does not know {other:?} here; known are SHA-256, SHA-384 and SHA-512"
            ));
        }
    };
    let mut hex = String::with_capacity(digest.len() * 2);
    for byte in digest {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(JValue::from(hex))
}

fn partition(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [list, size] = arguments else { return refuse("$partition takes an array and a size") };
    let (Some(items), Some(size)) = (list.as_array(), size.as_i64()) else {
        return refuse("$partition takes an array and a whole number");
    };
    match usize::try_from(size) {
        Ok(size) if size > 0 => {
            Ok(JValue::from(items.chunks(size).map(|chunk| JValue::from(chunk.to_vec())).collect::<Vec<_>>()))
        }
        _ => refuse("the size of $partition is at least 1"),
    }
}

fn range(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let numbers: Option<Vec<i64>> = arguments.iter().map(JValue::as_i64).collect();
    let Some([first, last, step]) = numbers.as_deref() else {
        return refuse("$range takes first, last and step as whole numbers");
    };
    let (first, last, step) = (*first, *last, *step);
    if step == 0 {
        return refuse("the step of $range is not zero");
    }
    let mut items = Vec::new();
    let mut next = first;
    while (step > 0 && next <= last) || (step < 0 && next >= last) {
        items.push(JValue::from(next));
        if items.len() > 1_000 {
            return refuse("$range gives at most 1,000 numbers");
        }
        let Some(following) = next.checked_add(step) else { break };
        next = following;
    }
    // A single element is given without an array, as in executions recorded from AWS.
    Ok(match items.as_slice() {
        [item] => item.clone(),
        _ => JValue::from(items),
    })
}

fn random(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    match arguments.first() {
        None | Some(JValue::Undefined) => Ok(JValue::from(RANDOM.with_borrow_mut(fastrand::Rng::f64))),
        Some(seed) => match seed.as_f64() {
            Some(seed) => Ok(JValue::from(fastrand::Rng::with_seed(seed.to_bits()).f64())),
            None => refuse("the seed of $random is a number"),
        },
    }
}
