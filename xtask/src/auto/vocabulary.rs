//! Which words are in use, as the router knows them. It counts; how misspelt words are told is the router's own.

use std::collections::{BTreeMap, BTreeSet};

use super::examples::Example;

/// A word is in use that so many prompts have, and is so long.
const PROMPTS: usize = 4;
const LETTERS: usize = 3;
/// The length of a line of the list.
const LINE: usize = 118;

/// The list, from the split `train`: words of letters alone, in lower case.
pub(crate) fn known(examples: &[Example]) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for example in examples.iter().filter(|example| example.split == "train") {
        let prompt = example.prompt.to_lowercase();
        let words = prompt.split(|letter: char| !letter.is_ascii_lowercase());
        let words: BTreeSet<&str> = words.filter(|word| word.len() >= LETTERS).collect();
        for word in words {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    let mut lines = vec![format!(
        "# Words in use, by `cargo xtask auto words`: in {PROMPTS} training prompts or more. They are never taken for misspelt others."
    )];
    let mut line = String::new();
    for (word, _) in counts.iter().filter(|(_, count)| **count >= PROMPTS) {
        if line.len() + 1 + word.len() > LINE {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_enough_training_prompts_are_in_use() {
        let example = |split: &str, prompt: &str| Example {
            source: String::new(),
            bench: String::new(),
            subject: String::new(),
            split: split.to_owned(),
            prompt: prompt.to_owned(),
            cost: BTreeMap::new(),
            scores: BTreeMap::new(),
        };
        let mut examples = vec![example("train", "River River, x2yz of"); PROMPTS];
        examples.push(example("train", "lake"));
        examples.extend(vec![example("dev", "mountain"); PROMPTS]);
        let text = known(&examples);
        assert!(text.ends_with("\nriver\n"), "{text}");
    }
}
