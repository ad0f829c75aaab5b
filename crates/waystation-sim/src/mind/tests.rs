//! Pieces make up the text, and limits hold for every kind of answer.

use proptest::prelude::*;
use waystation_core::Json;

use super::*;
use crate::asked::Media;

fn asked<'a>(prompt: &str, limit: Option<u64>, format: Format<'a>) -> Asked<'a> {
    Asked {
        model: "m".into(),
        prompt: prompt.into(),
        last: Last::Person,
        tools: Vec::new(),
        choice: Choice::Auto,
        parallel: true,
        search: false,
        format,
        limit,
        stop: Vec::new(),
        reasoning: true,
        media: Media::default(),
        prompt_tokens: 1,
        key: 5,
    }
}

proptest! {
    #[test]
    fn pieces_are_the_text(text in "\\PC{0,60}|[ \\n]{0,5}|(a|字){0,80}") {
        let together: String = pieces(&text).collect();
        prop_assert_eq!(&together, &text);
        prop_assert!(pieces(&text).all(|piece| piece.trim_start().len() <= 16));
    }

    #[test]
    fn no_answer_is_longer_than_allowed(prompt in "\\PC{0,60}", limit in 1_u64..80) {
        let said = answer(&asked(&prompt, Some(limit), Format::Text), 0);
        prop_assert!(said.tokens() <= limit || said.finish == FinishReason::Length);
        prop_assert!(said.tokens() <= limit);
        let free = answer(&asked(&prompt, None, Format::Text), 0);
        prop_assert!(free.reasoning.starts_with(&said.reasoning));
        prop_assert!(free.text.unwrap().starts_with(&said.text.unwrap()));
    }
}

#[test]
fn choices_differ_but_for_the_facts() {
    let question = asked("Hello", None, Format::Text);
    let texts: std::collections::BTreeSet<_> = (0..12)
        .map(|choice| answer(&question, choice).text)
        .collect();
    assert!(texts.len() > 1);
    let all = texts.iter().flatten();
    all.for_each(|text| assert!(text.contains("simulated") && text.contains("Hello")));
}

#[test]
fn calls_are_broken_off_at_the_limit() {
    let schema = Json::parse(
        br#"{"type": "object", "properties": {"note": {"type": "string", "minLength": 400}}}"#,
    )
    .unwrap();
    let tool = Tool {
        name: "take_note".into(),
        description: "".into(),
        parameters: Some(schema),
    };
    let mut question = asked("Take a note", Some(60), Format::Text);
    question.tools = vec![tool];
    let said = answer(&question, 0);
    assert_eq!(said.finish, FinishReason::Length);
    assert!(said.calls.len() == 1 && said.tokens() <= 60);
    assert!(Json::parse(said.calls[0].arguments.as_bytes()).is_err());
}
