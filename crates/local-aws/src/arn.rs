//! Amazon resource names: everything is in one fixed region and account, so that scripts can rely on them.

/// The region in every ARN.
pub const REGION: &str = "us-east-1";
/// The account in every ARN.
pub const ACCOUNT: &str = "000000000000";

const FUNCTION_PREFIX: &str = "arn:aws:lambda:us-east-1:000000000000:function:";
const MACHINE_PREFIX: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:";

/// The ARN of a function.
#[must_use]
pub fn function_arn(name: &str) -> String {
    format!("{FUNCTION_PREFIX}{name}")
}

/// The ARN of a state machine.
#[must_use]
pub fn machine_arn(name: &str) -> String {
    format!("{MACHINE_PREFIX}{name}")
}

/// The ARN of a synchronous execution of a state machine.
#[must_use]
pub fn execution_arn(machine: &str, name: &str, id: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:express:{machine}:{name}:{id}")
}

/// The function's name in a name, a partial or a full ARN, each with or without a qualifier.
#[must_use]
pub fn function_name(reference: &str) -> &str {
    let name = match reference.split_once(":function:") {
        Some((_, name)) => name,
        None => reference,
    };
    name.split(':').next().unwrap_or(name)
}

/// The machine's name in its ARN; nothing when it is not the ARN of a state machine.
#[must_use]
pub fn machine_name(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts[..] {
        ["arn", _, "states", _, _, "stateMachine", name] if !name.is_empty() => Some(name),
        _ => None,
    }
}
