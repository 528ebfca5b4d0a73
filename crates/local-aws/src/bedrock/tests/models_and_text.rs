//! Which ids there are, and every vendor's answer.

use super::*;
use crate::bedrock::models::{Format, resolve};

#[test]
fn ids_in_all_their_forms_name_a_model_and_its_metric() {
    for (id, metric) in [
        ("anthropic.claude-3-sonnet-20240229-v1:0", "anthropic.claude-3-sonnet-20240229-v1:0"),
        ("anthropic.claude-3-sonnet-20240229-v1:0:200k", "anthropic.claude-3-sonnet-20240229-v1:0:200k"),
        ("us.anthropic.claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6"),
        (
            "us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0",
            "us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0",
        ),
        ("global.anthropic.claude-opus-4-7", "global.anthropic.claude-opus-4-7"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-tg1-large", "amazon.titan-tg1-large"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0",
            "us.amazon.nova-2-lite-v1:0",
        ),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr", "1arbu5hu2sjr"),
    ] {
        assert_eq!(resolve(id, &[]).unwrap().metric_id, metric);
    }
    let alias = [("1arbu5hu2sjr".to_owned(), "amazon.nova-lite-v1:0".to_owned())];
    let model =
        resolve("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr", &alias)
            .unwrap();
    assert_eq!((model.format, model.metric_id.as_str()), (Format::Nova, "1arbu5hu2sjr"));
}

#[test]
fn what_is_no_chat_model_is_refused() {
    for id in [
        "does-not-exist",
        "",
        "anthropic.",
        "anthropic.claude-nonsense",
        "anthropic.claude-sonnet-3-9",
        "us.claude-3",
        "acme.model-v1",
        "openai.gpt-oss-120b",
        "openai.gpt-4o",
        "moonshotai.kimi-k2-thinking",
        "xai.grok-4.3",
        "google.gemma-4-27b-it",
        "anthropic.claude-v2:1:7k",
        "anthropic.claude-v2:x",
        "meta.llama5-x",
        "arn:aws:bedrock:us-east-1::foundation-model/x",
        "arn:aws:s3:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        "arn:aws:bedrock",
        "anthropic.claude-3-\u{e9}",
    ] {
        assert_eq!(
            resolve(id, &[]).unwrap_err().message,
            "The provided model identifier is invalid.",
            "{id}"
        );
    }
    for id in [
        "amazon.titan-embed-text-v1",
        "cohere.rerank-v3-5:0",
        "amazon.nova-canvas-v1:0",
        "twelvelabs.pegasus-1-2-v1:0",
    ] {
        assert!(
            resolve(id, &[]).unwrap_err().message.starts_with("This action doesn't support the model"),
            "{id}"
        );
    }
}

#[tokio::test]
async fn every_vendor_answers_in_its_own_shape() {
    let chat = || json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 40 });
    let openai =
        || json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_completion_tokens": 40 });
    for (id, body, text, reason) in [
        (
            "anthropic.claude-v2",
            json!({ "prompt": "\n\nHuman: Hello\n\nAssistant:", "max_tokens_to_sample": 40 }),
            "/completion",
            "/stop_reason=stop_sequence",
        ),
        ("anthropic.claude-v2:1", claude("Hello"), "/content/0/text", "/stop_reason=end_turn"),
        (
            "amazon.nova-lite-v1:0",
            json!({ "messages": [{ "role": "user", "content": [{ "text": "Hello" }] }] }),
            "/output/message/content/0/text",
            "/stopReason=end_turn",
        ),
        (
            "amazon.titan-text-lite-v1",
            json!({ "inputText": "Hello" }),
            "/results/0/outputText",
            "/results/0/completionReason=FINISH",
        ),
        ("meta.llama3-1-70b-instruct-v1:0", json!({ "prompt": "Hello" }), "/generation", "/stop_reason=stop"),
        (
            "mistral.mistral-7b-instruct-v0:2",
            json!({ "prompt": "<s>[INST] Hello [/INST]" }),
            "/outputs/0/text",
            "/outputs/0/stop_reason=stop",
        ),
        (
            "mistral.mistral-large-2402-v1:0",
            chat(),
            "/choices/0/message/content",
            "/choices/0/finish_reason=stop",
        ),
        (
            "mistral.mistral-large-2407-v1:0",
            chat(),
            "/choices/0/message/content",
            "/choices/0/finish_reason=stop",
        ),
        (
            "cohere.command-text-v14",
            json!({ "prompt": "Hello", "max_tokens": 40 }),
            "/generations/0/text",
            "/generations/0/finish_reason=COMPLETE",
        ),
        (
            "cohere.command-r-v1:0",
            json!({ "message": "Hello", "chat_history": [{ "role": "USER", "message": "a" }] }),
            "/text",
            "/finish_reason=COMPLETE",
        ),
        (
            "ai21.j2-mid-v1",
            json!({ "prompt": "Hello" }),
            "/completions/0/data/text",
            "/completions/0/finishReason/reason=endoftext",
        ),
        ("ai21.jamba-1-5-mini-v1:0", chat(), "/choices/0/message/content", "/choices/0/finish_reason=stop"),
        (
            "us.deepseek.r1-v1:0",
            json!({ "prompt": "<｜begin▁of▁sentence｜><｜User｜>Hello<｜Assistant｜><think>\n" }),
            "/choices/0/text",
            "/choices/0/stop_reason=stop",
        ),
        ("deepseek.v3.2", chat(), "/choices/0/message/content", "/choices/0/finish_reason=stop"),
        ("openai.gpt-oss-20b-1:0", chat(), "/choices/0/message/content", "/choices/0/finish_reason=stop"),
        ("openai.gpt-6.1-sol", openai(), "/choices/0/message/content", "/choices/0/finish_reason=stop"),
        ("qwen.qwen3-32b-v1:0", chat(), "/choices/0/message/content", "/choices/0/finish_reason=stop"),
        (
            "us.writer.palmyra-x5-v1:0",
            json!({ "messages": [{ "role": "user", "content": { "text": "Hello" } }] }),
            "/choices/0/message/content",
            "/choices/0/finish_reason=stop",
        ),
        (
            "us.writer.palmyra-x5-v1:0",
            json!({ "prompt": "Hello" }),
            "/choices/0/text",
            "/choices/0/finish_reason=stop",
        ),
    ] {
        let (answer, usage) =
            service(&[]).invoke(id, &body, noon()).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        let written = answer.pointer(text).and_then(Value::as_str).unwrap_or_default();
        assert!(written.contains("your last message has 1 word,"), "{id}: {answer}");
        let (pointer, word) = reason.split_once('=').unwrap();
        assert_eq!(answer.pointer(pointer).and_then(Value::as_str), Some(word), "{id}: {answer}");
        assert!(usage.input > 0 && usage.output > 5, "{id}");
        let (answer, _) = service(&[]).converse(id, &conversation("Hello"), noon()).await.unwrap();
        let blocks = answer["output"]["message"]["content"].as_array().unwrap().clone();
        assert!(blocks.last().unwrap()["text"].as_str().unwrap().contains("has 1 word,"), "{id}");
    }
}

#[tokio::test]
async fn directives_are_found_inside_prompt_templates() {
    for (id, body) in [
        (
            "meta.llama3-1-8b-instruct-v1:0",
            json!({ "prompt": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n#sim output=7<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n" }),
        ),
        (
            "us.meta.llama4-scout-17b-instruct-v1:0",
            json!({ "prompt": "<|begin_of_text|><|header_start|>user<|header_end|>\n\n#sim output=7<|eot|><|header_start|>assistant<|header_end|>\n\n" }),
        ),
        ("meta.llama2-13b-chat-v1", json!({ "prompt": "<s>[INST] #sim output=7 [/INST]" })),
        (
            "mistral.mixtral-8x7b-instruct-v0:1",
            json!({ "prompt": "<s>[INST] a [/INST] b</s> [INST] c\n#sim output=7 [/INST]" }),
        ),
        (
            "deepseek.r1-v1:0",
            json!({ "prompt": "<｜begin▁of▁sentence｜><｜User｜>#sim output=7<｜Assistant｜><think>\n" }),
        ),
        (
            "anthropic.claude-v2",
            json!({ "prompt": "\n\nHuman: #sim output=7\n\nAssistant:", "max_tokens_to_sample": 40 }),
        ),
        ("amazon.titan-text-express-v1", json!({ "inputText": "User: #sim output=7\nBot:" })),
        ("cohere.command-light-text-v14", json!({ "prompt": "#sim output=7" })),
        ("ai21.j2-ultra-v1", json!({ "prompt": "User: #sim output=7" })),
    ] {
        let (_, usage) =
            service(&[]).invoke(id, &body, noon()).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(usage.output, 7, "{id}");
    }
}

#[tokio::test]
async fn a_limit_within_the_reasoning_leaves_no_text() {
    let body = json!({ "messages": [{ "role": "user", "content": "Hello" }], "max_completion_tokens": 3 });
    let (answer, usage) = service(&[]).invoke("openai.gpt-oss-120b-1:0", &body, noon()).await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], Value::Null);
    assert_eq!((usage.output, &answer["choices"][0]["finish_reason"]), (3, &json!("length")));
}

#[tokio::test]
async fn input_is_never_more_than_its_bytes_and_long_output_is_cheap() {
    for text in ["x", "hi", "hello", "a longer text than those before", "äöü"] {
        let (_, usage) = service(&[]).invoke(SONNET, &claude(text), noon()).await.unwrap();
        assert!(usage.input >= 1 && usage.input <= text.len() as u64, "{text}: {usage:?}");
    }
    let mut body = claude("#sim output=1000000");
    body["max_tokens"] = json!(128_000);
    let (_, usage) = service(&[]).invoke("anthropic.claude-opus-5", &body, noon()).await.unwrap();
    assert_eq!(usage.output, 128_000);
}
