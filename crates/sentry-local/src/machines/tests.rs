use local_aws::arn::{function_arn, machine_arn};

use super::{shipped_machines, substituted, substitutions, wanted};
use crate::functions::function_names;

#[test]
fn every_substitution_of_the_shipped_machines_is_known() {
    let machines = shipped_machines();
    let known = substitutions(machines.iter().map(|(name, _)| name.as_str()), &function_names());
    assert_eq!(known["ModelRouterArn"], machine_arn("model-router"));
    assert_eq!(known["ValidateRequestFunctionArn"], function_arn("validate-request"));
    for (machine, definition) in &machines {
        for name in wanted(definition) {
            assert!(known.contains_key(name), "{machine} wants {name}");
        }
    }
}

#[test]
fn definitions_are_given_the_arns_of_the_host() {
    let machines = substituted(&shipped_machines(), &function_names()).unwrap();
    let (name, definition) = &machines[0];
    assert_eq!(name, "rate-limiter");
    assert!(definition.contains(&machine_arn("model-router")) && !definition.contains("${"), "{definition}");
    let unknown = [("odd".to_owned(), "{\"StartAt\": \"${Nobody}\"}".to_owned())];
    let error = substituted(&unknown, &function_names()).unwrap_err();
    assert_eq!(error.machine, "odd");
    assert!(error.reason.contains("Nobody"), "{}", error.reason);
}
