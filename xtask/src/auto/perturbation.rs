//! Prompts as hurried and polite people would have written them. Their answers are the same, so the
//! router should decide alike; training sees both.

/// The ways in which a prompt is changed.
pub(crate) const KINDS: [&str; 6] = ["lower", "typos", "prefix", "space", "suffix", "brackets"];

const PREFIXES: [&str; 6] = [
    "Hey there! Hope you're having a good day. I have a quick question for you: ",
    "Hi, I've been stuck on this one for a while, could you please help me out?\n\n",
    "Hello assistant. I need some help with the following.\n",
    "So I was chatting with a friend about this yesterday and we could not agree. ",
    "ok so here's the thing, my teacher gave me this and I want to be sure. ",
    "Good morning! I would like to know the following: ",
];

const SUFFIXES: [&str; 6] = [
    "\nThanks in advance!",
    " Please think about it carefully and give me a clear answer. Thank you so much!",
    "\n\nI'd really appreciate your help with this.",
    " Thank you very much, you are a great help!",
    " Could you please answer as well as you can? It is important to me.",
    "\nPlease let me know what you think, many thanks.",
];

/// A small generator of numbers (Marsaglia's xorshift), so that training is the same every time.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

// === impl Dice ===

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) const fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.draw() % bound).unwrap_or_default()
    }

    /// Between 0 and 1.
    pub(crate) fn share(&mut self) -> f32 {
        let drawn = u16::try_from(self.draw() % 65_536).unwrap_or_default();
        f32::from(drawn) / 65_536.0
    }

    /// Roughly normal, with mean 0 and variance 1.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.share()).sum::<f32>() - 6.0
    }
}

/// The prompt, changed in one way.
pub(crate) fn perturbed(prompt: &str, kind: &str, dice: &mut Dice) -> String {
    match kind {
        "lower" => prompt.to_lowercase(),
        "typos" => typos(prompt, dice),
        "prefix" => format!("{}{prompt}", PREFIXES[dice.below(PREFIXES.len())]),
        "space" => prompt.replace('\n', "\n\n").replace(". ", ".  "),
        "suffix" => format!("{prompt}{}", SUFFIXES[dice.below(SUFFIXES.len())]),
        _ => brackets(prompt),
    }
}

/// Of a hundred letters, four are swapped with the next, dropped or doubled.
fn typos(prompt: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = prompt.chars().collect();
    let mut at = 0;
    while at + 1 < letters.len() {
        if letters[at].is_alphabetic() && dice.below(100) < 4 {
            match dice.below(3) {
                0 => letters.swap(at, at + 1),
                1 => drop(letters.remove(at)),
                _ => letters.insert(at, letters[at]),
            }
            at += 1;
        }
        at += 1;
    }
    letters.into_iter().collect()
}

/// `A. x` as `(A) x`.
fn brackets(prompt: &str) -> String {
    let line = |line: &str| match line.as_bytes() {
        [letter @ b'A'..=b'J', b'.' | b')', ..] => {
            format!("({}){}", char::from(*letter), &line[2..])
        }
        _ => line.to_owned(),
    };
    prompt.lines().map(line).collect::<Vec<_>>().join("\n")
}
