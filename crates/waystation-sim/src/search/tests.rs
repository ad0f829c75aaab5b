//! A search of the host's own: where it runs, and what cites it when the words are cut.

use std::borrow::Cow;

use super::*;
use crate::{
    asked::{Format, Media},
    mind,
};

fn asking(prompt: &str) -> Asked<'static> {
    Asked {
        model: Cow::Borrowed("m"),
        prompt: prompt.into(),
        last: Last::Person,
        tools: Vec::new(),
        choice: Choice::Auto,
        parallel: true,
        search: true,
        format: Format::Text,
        limit: None,
        stop: Vec::new(),
        reasoning: false,
        media: Media::default(),
        prompt_tokens: 1,
        key: 7,
    }
}

#[test]
fn both_sources_are_cited_where_their_sentences_stand() {
    let asked = Asked {
        model: Cow::Borrowed("modèle-☃"),
        ..asking("Weather in Oslo?")
    };
    let said = mind::answer(&asked, 0);
    let (search, text) = (said.search.unwrap(), said.text.unwrap());
    assert_eq!(search.query, "Weather in Oslo?");
    assert!(text.contains("☃") && text.contains("simulated search"));
    let cited = search.cited(&text);
    let hosts: Vec<&str> = cited.iter().map(|cited| cited.source.host).collect();
    assert_eq!(hosts, ["example.com", "example.org"]);
    for Cited {
        source,
        bytes,
        characters,
        ..
    } in cited
    {
        assert_eq!(
            source.url,
            format!("https://{}/weather-in-oslo", source.host)
        );
        let numbered = (0..).zip(text.chars());
        let within = numbered.filter(|(nth, _)| characters.contains(nth));
        let told: String = within.map(|(_, character)| character).collect();
        assert_eq!(told, source.sentence);
        assert_eq!(text[bytes], source.sentence);
    }
    let runs = search.runs(&text);
    let joined: String = runs.iter().map(|(run, _)| *run).collect();
    assert_eq!(joined, text);
    assert_eq!(runs.iter().filter(|(_, cites)| cites.is_some()).count(), 2);
}

#[test]
fn a_prompt_that_quotes_a_sentence_is_not_what_cites() {
    let sentence = "example.com is the first source of a simulated search.";
    let said = mind::answer(&asking(sentence), 0);
    let (search, text) = (said.search.unwrap(), said.text.unwrap());
    assert_eq!(text.matches(sentence).count(), 2, "{text}");
    let cited = search.cited(&text);
    assert_eq!(Some(cited[0].bytes.start), text.rfind(sentence));
    assert!(cited[0].bytes.end < cited[1].bytes.start);
}

#[test]
fn a_sentence_that_was_broken_off_cites_nothing() {
    let asked = Asked {
        stop: vec!["second".into()],
        ..asking("Weather in Oslo?")
    };
    let said = mind::answer(&asked, 0);
    let (search, text) = (said.search.unwrap(), said.text.unwrap());
    let cited = search.cited(&text);
    assert_eq!(cited.len(), 1, "{text}");
    assert_eq!(cited[0].source.host, "example.com");
    assert!(search.runs("").is_empty());
}

#[test]
fn no_search_runs_where_none_can() {
    let forbidden = Asked {
        choice: Choice::None,
        ..asking("Hi")
    };
    let told = Asked {
        last: Last::Tools(vec!["r".into()]),
        ..asking("Hi")
    };
    let unasked = Asked {
        search: false,
        ..asking("Hi")
    };
    for asked in [forbidden, told, unasked, asking("  ")] {
        let said = mind::answer(&asked, 0);
        assert_eq!(said.search, None);
        assert!(!said.text.unwrap().contains("search"));
    }
    assert!(
        Search::of(&asking("東京の天気は?")).unwrap().sources[0]
            .url
            .ends_with("/simulated")
    );
}
