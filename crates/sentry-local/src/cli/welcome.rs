//! What `serve` says when it is ready, and the README says too: a test compares the two.

use local_aws::arn::machine_arn;

use crate::names::{CLAIMS_TABLE, LEDGER_TABLE, LIMITS_TABLE, RATE_LIMITER};

/// What is served where, and how to call it.
pub(super) fn welcome(url: &str, description: &str) -> String {
    format!(
        "bedrock cost sentry: {description}
Step Functions, Lambda, DynamoDB ({LIMITS_TABLE}, {LEDGER_TABLE}, {CLAIMS_TABLE}), CloudWatch, Bedrock and EventBridge, all at {url}

AWS CLI. Clients of Step Functions put \"sync-\" before the host's name unless they are told not to:

{aws_cli}

boto3, which may not know the last of those variables:

{boto3}

AWS SDK for JavaScript v3, which does not know it:

{javascript}

A failed request is HTTP 200 with \"status\": \"FAILED\", \"error\" and \"cause\": look at status.

What the models billed: {url}/_local/usage. Executions, events, faults: {url}/_local/executions, /_local/events, /_local/faults
",
        aws_cli = aws_cli(url),
        boto3 = boto3(url),
        javascript = javascript(url),
    )
}

/// The commands for a shell.
pub(super) fn aws_cli(url: &str) -> String {
    let arn = machine_arn(RATE_LIMITER);
    format!(
        r#"    export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    export AWS_ENDPOINT_URL={url} AWS_DISABLE_HOST_PREFIX_INJECTION=true
    aws stepfunctions start-sync-execution \
      --state-machine-arn {arn} \
      --input '{{"modelId":"us.anthropic.claude-sonnet-4-6","prompt":{{"messages":[{{"role":"user","content":"Hello"}}]}}}}'"#
    )
}

/// The lines for Python.
pub(super) fn boto3(url: &str) -> String {
    let arn = machine_arn(RATE_LIMITER);
    format!(
        r#"    import boto3, botocore.config, json
    client = boto3.client("stepfunctions", endpoint_url="{url}", config=botocore.config.Config(inject_host_prefix=False))
    result = client.start_sync_execution(stateMachineArn="{arn}", input=json.dumps(request))"#
    )
}

/// The lines for JavaScript.
pub(super) fn javascript(url: &str) -> String {
    let arn = machine_arn(RATE_LIMITER);
    format!(
        r#"    import {{ SFN }} from "@aws-sdk/client-sfn";
    const client = new SFN({{ endpoint: "{url}", disableHostPrefix: true }});
    const result = await client.startSyncExecution({{ stateMachineArn: "{arn}", input: JSON.stringify(request) }});"#
    )
}
