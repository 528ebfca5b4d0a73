use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::{UNKNOWN_MODEL, accepted, ask, base64, conversation, media, talk, tool};
use crate::model::{PromptTemplate, TEMPLATES, UNKNOWN_TEMPLATE};

fn of_messages(messages: Vec<Message>) -> Prompt {
    Prompt { messages, tools: Vec::new(), tool_choice: None }
}

pub(super) fn text_bound(prompt: &Prompt, template: &PromptTemplate) -> u64 {
    super::super::bound::of(prompt, &Inference::default(), "", template).tokens
}

fn bound_for(family: &str, messages: &[(&str, &str)]) -> u64 {
    let request = Request::parse(&conversation(messages)).unwrap();
    super::super::bound::of(&request.prompt, &request.inference, family, PromptTemplate::of(family)).tokens
}

#[test]
fn the_bound_covers_what_templates_and_vendors_add() {
    let claude = |text: &str| bound_for("anthropic.claude-sonnet-5", &[("user", text)]);
    let around = PromptTemplate::of("anthropic.").per_message + REQUEST_ALLOWANCE;
    assert_eq!(claude("abc"), 3 + around);
    // Measured: gpt-oss counts 84 tokens for these two short messages.
    let messages = [("system", "You are a helpful assistant."), ("user", "Hello!")];
    assert!(bound_for("openai.gpt-oss-20b-1:0", &messages) > 84);
    // One character that normalisation spells out as eighteen, in 33 bytes.
    assert_eq!(claude("\u{fdfa}"), 33 + around);
    assert_eq!(claude("日本語"), 9 + around);
}

/// Ministral 3 begins with 2,407 bytes of its own where the caller gives no system message.
#[test]
fn the_bound_covers_a_default_system_prompt() {
    let ministral = "mistral.ministral-3-8b-instruct";
    assert!(bound_for(ministral, &[("user", "Hi")]) >= 2 + 2_407);
    // The caller's own takes its place.
    assert!(bound_for(ministral, &[("system", "Be brief."), ("user", "Hi")]) < 300);
    // Nobody knows what stands behind these.
    for family in ["newvendor.model-1-v1:0", "ab12cd34ef56"] {
        assert!(bound_for(family, &[("user", "Hi")]) >= 2 + 2_407, "{family}");
    }
}

/// Texts as published templates render them. A special token counts as one, the rest by bytes.
#[test]
fn the_bound_covers_published_templates() {
    let harmony = "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: \
                   2024-06\nCurrent date: 2026-11-30\n\nReasoning: medium\n\n# Valid channels: analysis, commentary, final. \
                   Channel must be included for every message.<|end|><|start|>developer<|message|># Instructions\n\nBe \
                   brief.<|end|><|start|>user<|message|>Hi<|end|><|start|>assistant";
    let llama = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday \
                 Date: 30 November 2026\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>\
                 <|start_header_id|>assistant<|end_header_id|>\n\n";
    let kimi = "<|open|>message role=\"system\" type=\"thinking-effort\"<|sep|>`thinking_effort` guides on how much to think in \
                your thinking channel (not including the response channel), supported values include `low`, `medium`, `high`, \
                and `max`.\nNow the system is invoked with `thinking_effort=medium`.<|close|>message<|sep|><|end_of_msg|><|open|>\
                message role=\"system\"<|sep|>Be brief.<|close|>message<|sep|><|end_of_msg|><|open|>message role=\"user\"<|sep|>Hi\
                <|close|>message<|sep|><|end_of_msg|><|open|>message role=\"assistant\"<|sep|><|open|>think<|sep|>";
    for (family, rendered) in [
        ("openai.gpt-oss-120b-1:0", harmony),
        ("meta.llama3-3-70b-instruct-v1:0", llama),
        ("moonshotai.kimi-k3", kimi),
    ] {
        let mut tokens = 0;
        let mut rest = rendered;
        while let Some((before, after)) = rest.split_once("<|") {
            tokens += before.len() as u64 + 1;
            rest = after.split_once("|>").unwrap().1;
        }
        tokens += rest.len() as u64;
        let bound = bound_for(family, &[("system", "Be brief."), ("user", "Hi")]);
        assert!(tokens <= bound, "{family}: {tokens} > {bound}");
    }
}

/// Each character of Unicode, and between others each that normalisation changes: no normal form
/// is longer than the bound.
#[test]
fn the_bound_covers_every_normal_form_of_every_character() {
    use unicode_normalization::UnicodeNormalization;
    let template = PromptTemplate::of("anthropic.");
    let mut longer = 0;
    for c in ('\u{1}'..=char::MAX).filter(|c| !c.is_whitespace()) {
        // What lets the bound leave out the composed forms.
        let decomposed: usize = std::iter::once(c).nfd().map(char::len_utf8).sum();
        assert!(!std::iter::once(c).nfc().eq([c]) || c.len_utf8() <= decomposed, "U+{:04X}", u32::from(c));
        let changes = !std::iter::once(c).nfkd().eq([c]);
        for text in [c.to_string(), format!("a{c}\u{301}{c}")].into_iter().take(1 + usize::from(changes)) {
            let prompt =
                of_messages(vec![Message { role: Role::User, content: Content::Text(text.clone()) }]);
            let counted = text_bound(&prompt, template) - template.per_message - REQUEST_ALLOWANCE;
            let forms: [String; 4] =
                [text.nfc().collect(), text.nfd().collect(), text.nfkc().collect(), text.nfkd().collect()];
            let longest = forms.iter().chain([&text]).map(String::len).max().unwrap() as u64;
            assert_eq!(counted, longest, "U+{:04X}", u32::from(c));
            longer += u32::from(longest > text.len() as u64);
        }
    }
    assert!(longer > 10_000, "{longer} texts that normalisation lengthens");
    // These were once missed by a table of ranges.
    for c in "\u{2d8}\u{2dd}\u{fa6c}\u{facf}\u{fad1}\u{fad5}\u{fad7}".chars() {
        let text: String = c.to_string().repeat(100);
        let bound = bound_for("anthropic.", &[("user", &text)]);
        let spelt_out = text.nfkd().map(char::len_utf8).sum::<usize>();
        assert!(spelt_out > text.len() && bound >= spelt_out as u64, "{c}");
    }
}

fn bound_of(document: &Value, model: &str) -> InputBound {
    accepted(document).input_bound(&ModelId::parse(model).unwrap())
}

const CLAUDE: &str = "anthropic.claude-sonnet-4-6";
const NOVA: &str = "amazon.nova-lite-v1:0";

/// By how many tokens the bound rises when a conversation has this content besides.
fn adds(document: &Value, without: &Value) -> u64 {
    bound_of(document, CLAUDE).tokens - bound_of(without, CLAUDE).tokens
}

fn with_schema(schema: &Value) -> Value {
    let mut document = ask(&json!("a"));
    let mut described = tool("look");
    described["toolSpec"]["inputSchema"]["json"] = schema.clone();
    document["prompt"]["tools"] = json!([described]);
    document
}

/// The prompt about using tools, and each tool once, in the form of the longest template.
#[test]
fn a_tool_is_counted_once() {
    let plain = ask(&json!("a"));
    let schema = |text: &str| json!({ "type": "object", "properties": { "at": { "type": "string", "description": text } } });
    let short = adds(&with_schema(&schema("")), &plain);
    let rendered = json!({ "type": "function", "function": { "name": "look", "description": null, "parameters": schema("") } });
    let indented = indented(&rendered).len() as u64;
    assert!((1_024 + indented..1_024 + indented + 80).contains(&short), "{short} for {indented}");
    assert_eq!(adds(&with_schema(&schema(&"x".repeat(1_000))), &plain) - short, 1_000);
    // The same for any model: nobody publishes how long the longest of these prompts is.
    for model in ["openai.gpt-oss-20b-1:0", "amazon.nova-2-lite-v1:0", "ab12cd34ef56"] {
        let rise = bound_of(&with_schema(&schema("")), model).tokens - bound_of(&plain, model).tokens;
        assert_eq!(rise, short, "{model}");
    }
    let mut described = with_schema(&schema(""));
    described["prompt"]["tools"][0]["toolSpec"]["description"] = json!("x".repeat(1_000));
    // Less the five bytes of a description that is not there, and two quotation marks.
    assert_eq!(adds(&described, &plain) - short, 1_000 + 2 - 5);
}

#[test]
fn a_reference_counts_as_what_it_refers_to() {
    let place = json!({ "type": "object", "properties": { "city": { "type": "string", "description": "x".repeat(500) } } });
    let inline = json!({ "type": "object", "properties": { "from": place, "to": place }, "$defs": { "place": place } });
    let reference = json!({ "$ref": "#/$defs/place" });
    let referring = json!({ "type": "object", "properties": { "from": reference, "to": reference }, "$defs": { "place": place } });
    let (inline, referring) =
        (bound_of(&with_schema(&inline), CLAUDE), bound_of(&with_schema(&referring), CLAUDE));
    assert!(referring.tokens >= inline.tokens, "{} < {}", referring.tokens, inline.tokens);
    assert!(referring.tokens < inline.tokens + 200);
}

#[test]
fn calls_and_results_are_counted() {
    let talked = |input: &Value, result: &Value, id: &str, name: &str| {
        talk(&json!([
            { "role": "user", "content": "Look." },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": id, "name": name, "input": input } }] },
            { "role": "user", "content": [{ "toolResult": { "toolUseId": id, "content": result } }] },
        ]))
    };
    let long = "x".repeat(1_000);
    let (none, empty) = (json!({ "at": "" }), json!([{ "json": { "at": "" } }]));
    let without = talked(&none, &empty, "a", "look");
    assert_eq!(adds(&talked(&json!({ "at": long }), &empty, "a", "look"), &without), 1_000);
    assert_eq!(adds(&talked(&none, &json!([{ "json": { "at": long } }]), "a", "look"), &without), 1_000);
    assert_eq!(adds(&talked(&none, &empty, "aaaaa", "look"), &without), 8);
    assert_eq!(adds(&talked(&none, &empty, "a", "look_about"), &without), 6);
    let text = talked(&none, &json!([{ "text": "b" }]), "a", "look");
    assert_eq!(adds(&talked(&none, &json!([{ "text": format!("b{long}") }]), "a", "look"), &text), 1_000);
    // Each call, each result and each part of one stands between markers of its own.
    let more = adds(&talked(&none, &json!([{ "text": "b" }, { "text": "b" }]), "a", "look"), &text);
    assert!(more > 1 + 8, "{more}");
    let texts = talk(&json!([
        { "role": "user", "content": "Look." }, { "role": "assistant", "content": "b" }, { "role": "user", "content": "c" },
    ]));
    let mut texts = texts;
    texts["prompt"]["tools"] = json!([tool("look")]);
    assert!(adds(&text, &texts) > 2 * 64);
}

/// Reasoning that is not shown is billed all the same, and its signature is all that is known of it.
#[test]
fn reasoning_counts_with_its_signature() {
    let reasoned = |reasoning: Value| {
        talk(&json!([
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": [{ "reasoningContent": reasoning }, { "text": "b" }] },
            { "role": "user", "content": "c" },
        ]))
    };
    let signed = |text: &str, signature: &str| {
        reasoned(json!({ "reasoningText": { "text": text, "signature": signature } }))
    };
    let without = signed("", "s");
    assert_eq!(adds(&signed("", &"s".repeat(1_001)), &without), 1_000);
    assert_eq!(adds(&signed(&"x".repeat(1_000), "s"), &without), 1_000);
    let redacted = |bytes: usize| reasoned(json!({ "redactedContent": base64(&vec![0; bytes]) }));
    assert_eq!(adds(&redacted(903), &redacted(3)), 1_200);
}

#[test]
fn the_schema_of_the_answer_is_not_what_count_tokens_counts() {
    let plain = ask(&json!("a"));
    let formatted = |description: &str| {
        let mut document = ask(&json!("a"));
        document["inference"] = json!({ "responseFormat": { "schema": { "type": "object" }, "name": "a", "description": description } });
        document
    };
    let bound = bound_of(&formatted(""), CLAUDE);
    assert_eq!(bound.uncounted, adds(&formatted(""), &plain));
    assert!(bound.uncounted > 1_024 + 256, "{bound:?}");
    assert_eq!(bound_of(&formatted(&"x".repeat(1_000)), CLAUDE).uncounted, bound.uncounted + 1_000);
    assert_eq!(bound_of(&plain, CLAUDE).uncounted, 0);
}

fn document(name: &str, source: &Value, cited: bool) -> Value {
    ask(&json!([
        { "text": "a" },
        { "document": { "format": "txt", "name": name, "source": source, "citations": { "enabled": cited } } },
    ]))
}

#[test]
fn a_document_of_text_counts_by_its_text() {
    let long = "x".repeat(900);
    let without = document("a", &json!({ "text": "b" }), false);
    for source in [
        json!({ "text": format!("b{long}") }),
        json!({ "bytes": base64(format!("b{long}").as_bytes()) }),
        json!({ "content": [{ "text": format!("b{long}") }] }),
    ] {
        assert_eq!(adds(&document("a", &source, false), &without), 900, "{source}");
    }
    assert_eq!(adds(&document(&"n".repeat(101), &json!({ "text": "b" }), false), &without), 100);
    let mut told = without.clone();
    told["prompt"]["messages"][0]["content"][1]["document"]["context"] = json!(long);
    assert_eq!(adds(&told, &without), 900);
    assert!(adds(&without, &ask(&json!("a"))) > 256);
    // Whatever the text, a normal form of it may be longer.
    assert_eq!(
        adds(&document("a", &json!({ "bytes": base64("b\u{fdfa}".as_bytes()) }), false), &without),
        33
    );
}

/// A model that is to cite is told so, and each sentence has a number.
#[test]
fn a_cited_document_counts_by_its_sentences_too() {
    let cited = |text: &str| document("a", &json!({ "text": text }), true);
    let once = adds(&cited("b"), &document("a", &json!({ "text": "b" }), false));
    assert_eq!(once, 1_024);
    let sentences = adds(&cited(&"A. ".repeat(100)), &cited("b"));
    assert!(sentences >= 100 * (3 + 16) - 1, "{sentences}");
}

fn picture(width: u32, height: u32) -> Value {
    json!({ "image": { "format": "png", "source": { "bytes": base64(&media::png(width, height)) } } })
}

#[test]
fn a_picture_counts_by_the_rule_of_its_family() {
    let document = |pictures: &[Value]| ask(&json!([&[json!({ "text": "a" })], pictures].concat()));
    for (model, tokens) in [
        ("us.anthropic.claude-sonnet-4-6", 1_568 + 32),
        ("us.anthropic.claude-opus-4-7", 4_784 + 32),
        ("amazon.nova-lite-v1:0", 4_096),
        ("meta.llama4-maverick-17b-instruct-v1:0", 2_560),
    ] {
        let of = |pictures: &[Value]| {
            let bound = bound_of(&document(pictures), model);
            assert_eq!((bound.unbounded, bound.count_first), (None, false), "{model}");
            bound.tokens
        };
        let rise = of(&[picture(4_000, 4_000), picture(4_000, 4_000)]) - of(&[picture(4_000, 4_000)]);
        assert!((tokens..=tokens + 16).contains(&rise), "{model}: {rise}");
    }
}

/// A part that no rule bounds: the context window where it is known, and else its path.
#[test]
fn what_has_no_bound_says_so() {
    let pdf = |cited: bool| {
        ask(&json!([
            { "text": "a" },
            { "document": { "format": "pdf", "name": "a", "source": { "bytes": base64(b"%PDF-") }, "citations": { "enabled": cited } } },
        ]))
    };
    let zip = ask(&json!([
        { "text": "a" },
        { "document": { "format": "docx", "name": "a", "source": { "bytes": base64(b"PK\x03\x04 as large as it likes") } } },
    ]));
    let image = ask(&json!([{ "text": "a" }, picture(9, 9)]));
    let at = |path: &str| Some(format!("prompt.messages[0].content[1]{path}"));
    for (document, model, tokens, count_first, unbounded) in [
        (&pdf(false), CLAUDE, context_window(CLAUDE).unwrap(), true, None),
        (&zip, CLAUDE, context_window(CLAUDE).unwrap(), true, None),
        (&image, CLAUDE, 0, false, None),
        (&pdf(false), NOVA, context_window(NOVA).unwrap(), false, None),
        (&pdf(false), UNKNOWN_MODEL, LARGEST_CONTEXT_WINDOW, false, at("")),
        (&image, UNKNOWN_MODEL, LARGEST_CONTEXT_WINDOW, false, at("")),
        (&image, "ab12cd34ef56", LARGEST_CONTEXT_WINDOW, false, at("")),
    ] {
        let bound = bound_of(document, model);
        assert_eq!((bound.count_first, bound.unbounded), (count_first, unbounded), "{model}");
        assert!(
            if tokens == 0 { bound.tokens < 10_000 } else { bound.tokens == tokens },
            "{model}: {}",
            bound.tokens
        );
    }
    // The same inside the result of a tool.
    let given = talk(&json!([
        { "role": "user", "content": "Look." },
        { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "a", "name": "look", "input": {} } }] },
        { "role": "user", "content": [{ "toolResult": { "toolUseId": "a", "content": [{ "text": "b" }, picture(9, 9)] } }] },
    ]));
    let path = "prompt.messages[2].content[0].toolResult.content[1]";
    assert_eq!(bound_of(&given, UNKNOWN_MODEL).unbounded.as_deref(), Some(path));
}

/// No request that Bedrock accepts has more tokens than the model's context window.
#[test]
fn the_context_window_is_the_most() {
    let schema = json!({ "type": "object", "description": "x".repeat(60_000) });
    let reference = json!({ "$ref": "#/$defs/a" });
    let multiplied = json!({ "type": "object", "anyOf": [reference, reference, reference], "$defs": { "a": { "description": "x".repeat(15_000) } } });
    assert!(bound_of(&with_schema(&schema), CLAUDE).tokens < 70_000);
    let mut document = with_schema(&multiplied);
    let tools: Vec<Value> = (0..12)
        .map(|index| {
            let mut copy = document["prompt"]["tools"][0].clone();
            copy["toolSpec"]["name"] = json!(format!("t{index}"));
            copy
        })
        .collect();
    document["prompt"]["tools"] = json!(tools);
    assert!(bound_of(&document, UNKNOWN_MODEL).tokens > 720_000);
    document["prompt"]["messages"] = json!([{ "role": "user", "content": "a" }]);
    assert_eq!(
        bound_of(&document, "openai.gpt-oss-20b-1:0").tokens,
        context_window("openai.gpt-oss-20b-1:0").unwrap()
    );
}

/// A document indented by four spaces.
fn indented(document: &Value) -> String {
    use serde::Serialize;
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    document.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, format)).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// As Python's `json.dumps` writes it by default: outside ASCII everything is escaped.
fn ascii(text: &str) -> String {
    let mut units = [0; 2];
    text.chars()
        .map(|c| match c {
            '\u{7f}' => "\\u007f".to_owned(),
            c if c.is_ascii() => c.to_string(),
            c => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        })
        .collect()
}

/// As Jinja's filter `tojson` escapes it for HTML.
fn html_safe(text: &str) -> String {
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027")
}

fn any_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[\u{0}-\u{7f}]{0,12}".prop_map(Value::from),
        "[<>&'/\\\\\"\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-z<\u{e9}]{0,6}", inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// How JavaScript writes numbers, with a point down to a millionth and up to 21 digits.
fn as_in_javascript(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) { format!("{number}") } else { format!("{number:e}") }
}

#[test]
fn the_longest_numbers_are_covered() {
    use super::super::schema::json_bytes;
    for number in [
        0.1,
        -0.000_001_234_567_890_123_456_7,
        f64::MIN,
        f64::MIN_POSITIVE,
        -2.225_073_858_507_201_4e-308,
        1e20,
        -123_456_789_012_345_680_000.0,
    ] {
        let bytes = json_bytes(&json!(number));
        for written in [
            number.to_string().chars().take(26).collect(),
            as_in_javascript(number),
            format!("{number:e}"),
            json!(number).to_string(),
        ] {
            assert!(bytes >= written.len() as u64, "{written}");
        }
    }
    // A whole number may be written as a decimal one.
    for number in [0, -1, i64::MIN, i64::MAX] {
        assert!(json_bytes(&json!(number)) >= format!("{number}.0").len() as u64);
    }
}

pub(super) fn any_template() -> impl Strategy<Value = &'static PromptTemplate> {
    prop::sample::select(TEMPLATES.iter().chain([&UNKNOWN_TEMPLATE]).collect::<Vec<_>>())
}

proptest! {
    /// Whatever template writes a tool or a schema, the length of the text is covered.
    #[test]
    fn a_document_is_no_longer_than_its_length(document in any_document()) {
        use super::super::schema::json_bytes;
        let bytes = json_bytes(&document);
        for written in [document.to_string(), indented(&document)] {
            for text in [written.clone(), ascii(&written), html_safe(&written), html_safe(&ascii(&written))] {
                prop_assert!(bytes >= text.len() as u64, "{} < {}: {text}", bytes, text.len());
            }
        }
    }

    /// Never below the bytes of any form in which a tokenizer may see the texts, for any model.
    #[test]
    fn the_bound_is_never_below_the_bytes(
        contents in prop::collection::vec(
            prop_oneof!["\\PC{1,40}x", "[a\u{300}-\u{33f}\u{1100}-\u{11ff}\u{ac00}-\u{d7a3}\u{f900}-\u{fffd}\u{2000}-\u{33ff}]{1,60}"],
            1..6
        ),
        system in any::<bool>(),
        model in any_template(),
    ) {
        use unicode_normalization::UnicodeNormalization;
        let role = |index: usize| if index == 0 && system { Role::System } else { Role::User };
        let messages = contents
            .iter()
            .enumerate()
            .map(|(index, content)| Message { role: role(index), content: Content::Text(content.clone()) })
            .collect();
        let bound = text_bound(&of_messages(messages), model);
        // As separate messages and joined to one text.
        for text in [contents.concat(), contents.join("\n\n")] {
            for bytes in [
                text.len(),
                text.nfc().map(char::len_utf8).sum(),
                text.nfd().map(char::len_utf8).sum(),
                text.nfkc().map(char::len_utf8).sum(),
                text.nfkd().map(char::len_utf8).sum(),
            ] {
                prop_assert!(bound >= bytes as u64);
            }
        }
    }
}
